"""Record of the worlds in which tests have passed, and of what their hosts ran on: compatibility.json beside this.

`make test-worlds RECORD=1` writes it; `python -m tests.docs.compatibility` makes a page of it.
"""

import json
import os
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lab import image
from tests.lab.engines import Engine
from tests.lab.files import locked
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.worlds import World

FILE = Path(__file__).with_name("compatibility.json")
IS_WANTED = bool(os.environ.get("RAYCLUSTER_RECORD"))
SYSTEM = '. /etc/os-release; printf "%s" "$PRETTY_NAME"'
OF_IMAGE = (
    "import importlib.metadata as m, platform; print(platform.python_version());"
    "print(next((d.version for d in m.distributions(name='ray')), ''))"
)
_images: dict[tuple[str, str], dict[str, str]] = {}


def keep(lab: Lab, world: World, test: str) -> None:
    """Write down that this test has passed in this world, today."""
    hosts = [_host(host) for host in lab.hosts.values()]
    entry = {
        "tried": datetime.now(UTC).date().isoformat(),
        "hosts": [each for index, each in enumerate(hosts) if each not in hosts[:index]],
        "image": _image(lab.hosts["gpu1"], world),
    }
    with locked(image.cache() / "record.lock"):
        told = read()
        tests = set(told.get(world.name, {}).get("tests", ())) | {test}
        told[world.name] = {**entry, "tests": sorted(tests)}
        FILE.write_text(json.dumps(dict(sorted(told.items())), indent=1) + "\n")


def read() -> dict[str, Any]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def _host(host: Host) -> Mapping[str, str]:
    greeting = host.run("bash", "-c", f"exec 3<>/dev/tcp/{host.address}/22; head -n 1 <&3").stdout
    return {
        "system": host.run("sh", "-c", SYSTEM).stdout,
        "engine": host.engine.value,
        "version": _version(host),
        "ssh": greeting.split()[0].rpartition("_")[2],
    }


def _version(host: Host) -> str:
    if host.engine in (Engine.PODMAN, Engine.ROOTLESS):
        return host.docker("--version").rpartition(" ")[2]
    return host.docker("version", "--format", "{{.Server.Version}}")


def _image(host: Host, world: World) -> Mapping[str, str]:
    """What a container from the image of the world has, asked once for each image and engine."""
    tag = world.image.tag if world.image else image.TAG
    known = (tag, shlex.join(host.engine.command))
    if known not in _images:
        run = ("run", "--rm", "--network", "host", "--entrypoint", "python3", tag, "-c", OF_IMAGE)
        python, ray, *_ = *host.docker(*run, check=False).splitlines(), "", ""
        name = world.image.name if world.image else "the lab's"
        _images[known] = {"name": name, "python": python, "ray": ray}
    return _images[known]
