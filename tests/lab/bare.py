"""An image without Ray, as vLLM's are, and the packages that pip puts Ray into it from."""

import hashlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from . import image, processes
from .host import Host
from .lab import Lab
from .network import LAPTOP

TAG = "raylab:bare"
PORT = 8000
INDEX = f"http://{LAPTOP}:{PORT}/"
PIP = {
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": INDEX,
    "PIP_TRUSTED_HOST": LAPTOP,
    "PIP_RETRIES": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
CHANGES = (*image.CHANGES, *(f"ENV {name}={value}" for name, value in PIP.items()), 'CMD ["bash"]')
# Flat, because what is deleted in a layer stays in the layers below it, and would be copied with them.
MAKE = """
docker rm --force bare >/dev/null 2>&1
docker run --name bare --network none --volume /tmp/pip:/mnt:ro "$1" sh -ec '
    rm -r /usr/local/lib/python3.11/dist-packages/* /usr/local/bin/ray
    python3 /mnt/pip.whl/pip install --quiet --ignore-installed --break-system-packages --no-index /mnt/pip-*.whl
    rm -r /usr/share/doc /usr/share/locale'
docker export bare | docker import "${@:3}" - "$2" >/dev/null
docker rm bare >/dev/null
"""


def packages() -> Path:
    """The folder of Ray, all it needs, and pip; downloaded once, and kept beside the template."""
    folder = image.cache() / f"wheels-{hashlib.sha256(image.RAY.encode()).hexdigest()[:12]}"
    with image.alone():
        if not folder.exists():
            _download(folder)
    return folder


def _download(folder: Path) -> None:
    made = folder.with_suffix(".new")
    shutil.rmtree(made, ignore_errors=True)
    processes.run(sys.executable, "-m", "venv", made / "venv")
    download = ("-m", "pip", "download", "--quiet", "--python-version", "3.11", "--only-binary=:all:")
    processes.run(made / "venv/bin/python", *download, "--dest", made, image.RAY, "pip", timeout=600)
    shutil.rmtree(made / "venv")
    for old in image.cache().glob("wheels-*[0-9a-f]"):
        shutil.rmtree(old)
    made.rename(folder)


def bring(lab: Lab) -> None:
    """Gives every host the image, the same one, where it is not there yet."""
    first, *others = lab.hosts.values()
    if not _has(first):
        _make(first)
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(_copy, first), (host for host in others if not _has(host))))


def _copy(first: Host, host: Host) -> None:
    save = subprocess.Popen(first.command(("docker", "save", TAG)), stdout=subprocess.PIPE)
    load = host.command(("docker", "load", "--quiet"))
    subprocess.run(load, stdin=save.stdout, stdout=subprocess.DEVNULL, check=True)
    assert save.wait() == 0


def serve(lab: Lab) -> None:
    """The packages by HTTP on the laptop, for as long as the test lasts."""
    server = ("-m", "http.server", "--bind", LAPTOP, "--directory", packages(), str(PORT))
    lab.laptop_popen([sys.executable, *server])
    knock = ("bash", "-c", f"</dev/tcp/{LAPTOP}/{PORT}")
    host = lab.hosts["gpu1"]
    processes.wait_until("the packages are served", lambda: host.run(*knock, check=False).returncode == 0)


def forget(lab: Lab) -> None:
    """Removes what was built from it."""
    for host in lab.hosts.values():
        for built in host.docker("images", "--quiet", "raycluster-ray").split():
            host.docker("rmi", "--force", built, check=False)


def _has(host: Host) -> bool:
    return bool(host.docker("images", "--quiet", TAG))


def _make(host: Host) -> None:
    given = host.folder / "tmp/pip"
    given.mkdir()
    (wheel,) = packages().glob("pip-*.whl")
    shutil.copy(wheel, given)
    shutil.copy(wheel, given / "pip.whl")
    changes = [word for change in CHANGES for word in ("--change", change)]
    host.run("bash", "-ec", MAKE, "make", image.TAG, TAG, *changes)
    shutil.rmtree(given)
