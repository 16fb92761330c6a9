"""Images besides the lab's own: each made once on this machine, and lent to the hosts of the test that wants it.

What is kept beside the lab's image is only what a variant adds to it, for every host has the rest already.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import image
from .build import python_with_pip
from .files import locked
from .host import Host
from .lab import Lab
from .processes import run

UID = 2000
SITE = "/usr/local/lib/python3.11/dist-packages"
IN_VENV = rf"""
mkdir -p /opt/venv/bin /opt/venv/lib/python3.11
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n' >/opt/venv/pyvenv.cfg
ln -s /usr/bin/python3 /opt/venv/bin/python
ln -s python /opt/venv/bin/python3
mv {SITE} /opt/venv/lib/python3.11/site-packages
mkdir {SITE}
sed '1s|.*|#!/opt/venv/bin/python|' /usr/local/bin/ray >/opt/venv/bin/ray
chmod +x /opt/venv/bin/ray
rm /usr/local/bin/ray
"""
"""Ray, moved into a venv; Debian's python3 has none then."""
OURS = (
    "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
)


@dataclass(frozen=True)
class Variant:
    """What is done to the lab's image, and what `docker commit` changes of its settings.

    The script finds `packages` in /layer, as pip gets them for that `python`.
    """

    name: str
    script: str
    changes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    python: str = "3.11"

    @property
    def tag(self) -> str:
        """Another one for another recipe, and for another image below it: what has it need not make it again."""
        recipe = repr((image.template().name, self.script, self.changes, self.packages, self.python))
        return f"raylab:{self.name}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"

    @property
    def archive(self) -> Path:
        """Where it is kept, or will be."""
        return image.cache() / f"variant-{self.tag.partition(':')[2]}.tar"


UID = 2000
OTHER_USER = Variant(
    "user",
    f"useradd --uid {UID} --gid 0 --create-home vllm",
    (f"USER {UID}", "ENV HOME=/home/vllm"),
)
"""As llm-d's: its user is not root, and in root's group."""

FEW_TOOLS = Variant("few-tools", "rm -f $(command -v ip ss ps top free pgrep pkill)")
"""Without iproute2 and procps, as slim images are."""
NO_BASH = Variant("no-bash", "rm /bin/bash")


VENV_BY_PROFILE = Variant(
    "venv-by-profile", IN_VENV + "echo 'PATH=/opt/venv/bin:$PATH' >/etc/profile.d/venv.sh\n"
)
"""Only a login shell has it on its PATH."""
VENV_BY_LINK = Variant("venv-by-link", IN_VENV + "ln -s /opt/venv/bin/ray /usr/local/bin/ray\n")
VENV_BY_WRAPPER = Variant(
    "venv-by-wrapper",
    IN_VENV + "printf '#!/bin/sh\\nexec /opt/venv/bin/ray \"$@\"\\n' >/usr/local/bin/ray\n"
    "chmod +x /usr/local/bin/ray\n",
)
"""Which Python it is cannot be told from `ray`."""


SETS_UP = r"""
cat >/setup.sh <<'END'
#!/bin/bash
echo "Welcome to the accelerator's image"
export ACCEL_HOME=/opt/accel "ACCEL_NOTE=a b
c" LD_LIBRARY_PATH=/opt/accel/lib
exec "$@"
END
chmod +x /setup.sh
printf '%s\n' 'export ACCEL_HOME=/opt/accel "ACCEL_NOTE=a b' 'c" LD_LIBRARY_PATH=/opt/accel/lib' >/setvars.sh
"""
ENTRYPOINT = Variant("entrypoint", SETS_UP, ('ENTRYPOINT ["/setup.sh"]',))
"""Sets a device's libraries up and runs what it is given, as the images of Intel and NVIDIA (NGC) do."""
DROPS = Variant(
    "drops",
    SETS_UP + f"useradd --uid {UID} --gid 0 --create-home vllm\n"
    f"sed -i 's/^exec /exec setpriv --reuid {UID} --regid 0 --clear-groups env HOME=\\/home\\/vllm /' /setup.sh\n",
    ('ENTRYPOINT ["/setup.sh"]',),
)
"""The same, which then goes on as another user, as with gosu."""
BASH_ENV = Variant("bash-env", SETS_UP, ("ENV BASH_ENV=/setvars.sh",))
DEAF = Variant(
    "deaf",
    "printf '#!/bin/sh\\necho I serve alone\\nexec sleep 600\\n' >/alone.sh; chmod +x /alone.sh",
    ('ENTRYPOINT ["/alone.sh"]',),
)
"""Runs no command that it is given, which its name does not tell."""
QUIET = Variant(
    "quiet",
    "printf '#!/bin/sh\\nexec \"$@\" >/tmp/said 2>&1\\n' >/quiet.sh; chmod +x /quiet.sh",
    ('ENTRYPOINT ["/quiet.sh"]',),
)
"""Keeps what is said from the container's log."""
SERVES_ITSELF = Variant("serves", "", ('ENTRYPOINT ["vllm", "serve"]',))


def of_ray(version: str) -> Variant:
    """The lab's image with another Ray; `pip install ray`, so that it has no dashboard."""
    return Variant(f"ray-{version}", image.LAYER_RECIPE.read_text(), packages=(f"ray=={version}",))


def of_hub(version: str) -> Variant:
    """The lab's image with Hugging Face's library; before 1.0 it needs `requests`, and does not always say so."""
    wanted = (f"huggingface_hub=={version}", *(("requests",) if version.startswith("0.") else ()))
    return Variant(f"hub-{version}", f"cp --archive --no-clobber /layer/. {SITE}", packages=wanted)


def make(lab: Lab, variant: Variant, *names: str) -> str:
    """The variant's tag, once those hosts, or all, have it: the very same image."""
    hosts = [lab.hosts[name] for name in names or lab.hosts]
    lacking = [host for host in hosts if not host.docker("images", "--quiet", variant.tag)]
    if lacking:
        with locked(variant.archive.with_suffix(".lock")):
            if not variant.archive.exists():
                _make(variant, lacking[0])
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(_load, variant.archive), lacking))
    return variant.tag


def _load(archive: Path, host: Host) -> None:
    with archive.open("rb") as file:
        load = host.command(("docker", "load", "--quiet"))
        subprocess.run(load, stdin=file, stdout=subprocess.DEVNULL, check=True, timeout=300)


def _make(variant: Variant, host: Host) -> None:
    """Made on a host, which forgets it: it is lent it as the others are."""
    work = host.folder / "tmp/variant"
    shutil.rmtree(work, ignore_errors=True)
    try:
        (work / "layer").mkdir(parents=True)
        _install(variant, host, work)
        host.variant(
            variant.tag,
            variant.script,
            *("--volume", "/tmp/variant/layer:/layer:ro"),
            changes=variant.changes,
        )
        host.docker("save", "--output", "/tmp/variant/whole.tar", variant.tag, timeout=300)
        host.docker("rmi", "--force", variant.tag)
        below = host.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image.TAG)
        _keep(work / "whole.tar", len(json.loads(below)), variant.archive)
    finally:
        shutil.rmtree(work)


def _install(variant: Variant, host: Host, work: Path) -> None:
    """Of what the image has, pip takes the same: its own versions of that would never be seen."""
    if not variant.packages:
        return
    has = host.docker("run", "--rm", "--network", "none", image.TAG, "python3", "-c", OURS).splitlines()
    (work / "has").write_text("\n".join(each for each in has if not each.startswith("ray==")))
    options = ("--quiet", "--no-compile", "--python-version", variant.python, "--only-binary=:all:")
    known = ("--constraint", work / "has") if variant.python == "3.11" else ()
    pip = (python_with_pip(work / "venv"), "-m", "pip", "install", *options, *known)
    run(*pip, "--target", work / "layer", *variant.packages, timeout=600)


def _keep(whole: Path, below: int, archive: Path) -> None:
    """The saved image without the files of the first layers; Docker asks for no file of a layer that it has."""
    half = archive.with_suffix(".new")
    with tarfile.open(whole) as source, tarfile.open(half, "w") as target:
        manifest = source.extractfile("manifest.json")
        assert manifest
        (told,) = json.load(manifest)
        left_out = set(told["Layers"][:below]) - set(told["Layers"][below:])
        for member in source:
            if member.name not in left_out:
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
    half.rename(archive)
