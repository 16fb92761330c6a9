"""A registry of images on the laptop, which hosts can pull from."""

import json

from .host import Host
from .lab import Lab
from .network import LAPTOP
from .processes import wait_until

ADDRESS = f"{LAPTOP}:5000"
CONFIG = """\
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: %s}}
http: {addr: "%s"}
"""


def registry(lab: Lab) -> str:
    """Starts it, for as long as the test lasts, and lets the hosts speak HTTP to it; its address."""
    config = lab.folder / "registry.yml"
    config.write_text(CONFIG % (lab.folder / "registry", ADDRESS))
    lab.laptop_popen(["docker-registry", "serve", config])
    host = lab.hosts["gpu1"]
    wait_until("the registry answers", lambda: _answers(host))
    for each in lab.hosts.values():
        _trust(each)
    return ADDRESS


def small_image(host: Host, name: str, *contents: str) -> None:
    """Makes an image of so many layers, each a file with that content."""
    copies = "".join(f"COPY {number} /\n" for number, _ in enumerate(contents))
    files = "; ".join(f"echo {content} >{number}" for number, content in enumerate(contents))
    script = 'cd "$(mktemp -d)"; printf "FROM scratch\n$1" >Dockerfile; eval "$2"; tag=$3; shift 3; "$@" --tag "$tag" .'
    build = (*host.engine.command, "build", "--quiet")
    host.run("sh", "-ec", script, "small-image", copies, files, name, *build)


def _answers(host: Host) -> bool:
    return host.run("bash", "-c", f"</dev/tcp/{ADDRESS.replace(':', '/')}", check=False).returncode == 0


def _trust(host: Host) -> None:
    """Docker reads this setting anew when it is told to, Podman each time."""
    if host.engine.is_podman:
        with (host.folder / "etc/containers/registries.conf").open("a") as registries:
            registries.write(f'[[registry]]\nlocation = "{ADDRESS}"\ninsecure = true\n')
        return
    file = host.folder / "etc/docker/daemon.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"insecure-registries": [ADDRESS]}))
    host.run("sh", "-c", "kill -HUP $(cat /run/docker.pid)")
    wait_until("Docker trusts the registry", lambda: ADDRESS in host.docker("info"))
