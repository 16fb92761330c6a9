"""What hosts answer to `docker.observe`, as recorded, changed one section at a time."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from tests.plan.checks.samples import TRIAL

NEVER = "0001-01-01T00:00:00Z"
STARTED = "2026-03-01T12:00:00.123456789Z"


@dataclass(frozen=True, slots=True)
class Said:
    """What one probe printed, its complaints and its exit code."""

    text: str = ""
    complaint: str = ""
    exit_code: int = 0


def addresses(*pairs: tuple[str, str]) -> Said:
    """What `ip -json address` tells of a host with these interfaces and addresses, besides loopback."""
    loopback = {"ifname": "lo", "addr_info": [_address("127.0.0.1", "host"), _address("::1", "host")]}
    others = [
        {"ifindex": 2, "ifname": name, "operstate": "UP", "addr_info": [_address(ip, "global"), LINK_LOCAL]}
        for name, ip in pairs
    ]
    return Said(json.dumps([loopback, *others, {"ifname": "eth9", "operstate": "DOWN", "addr_info": []}]))


def _address(ip: str, scope: str) -> dict[str, object]:
    family, length = ("inet6", 64) if ":" in ip else ("inet", 24)
    return {"family": family, "local": ip, "prefixlen": length, "scope": scope, "label": "eth0"}


LINK_LOCAL = _address("fe80::42:acff:fe11:2", "link")

ORDERLY = {
    "machine": Said(
        "hostname gpu1\nresolves_to 10.0.0.1\nmemory 527942656\n"
        "path /data/hf\nexists yes\nwritable yes\nfree 493022904\n"
    ),
    "listeners": Said('LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=812,fd=3))\n'),
}
"""What such a host tells of itself and of who listens there."""

BARE = {
    "host": Said("1772366460.987654321\n/home/ana\nnone\n0\n"),
    "addresses": addresses(("eth0", "10.0.0.1")),
    "containers": Said("[]\n"),
    "image": Said("", "Error response from daemon: No such image: vllm/vllm-openai:v0.17.1\n", 1),
    "processes": Said("", "", 1),
    "token": Said("", "cat: /home/ana/.raycluster/demo/gpu1.token: No such file or directory\n", 1),
}
"""A host in good order on which the cluster has never been."""


def answer(**changed: Said) -> tuple[str, str]:
    """Standard output and standard error of a bare host, with other answers in these sections."""
    return told(BARE | changed)


def told(said: dict[str, Said]) -> tuple[str, str]:
    """The answer of a script with these sections, as standard output and standard error."""
    each = (f"\036{name}\n{part.text}\037{part.exit_code}\n{part.complaint}\n" for name, part in said.items())
    return "".join(each), ""


def inspected(name: str = "raycluster-demo-gpu1", **changes: Any) -> dict[str, Any]:
    """What `docker container inspect` tells of a container that runs as `up` starts it."""
    role = "head" if name.endswith("gpu1") else "worker"
    labels = {"raycluster.cluster": "demo", "raycluster.role": role, "raycluster.spec": "0123456789ab"}
    told: dict[str, Any] = {
        "Id": f"id-of-{name}",
        "Created": "2026-03-01T11:59:59.9Z",
        "Path": "/bin/bash",
        "Args": ["-c", "exec ray start --block"],
        "State": state(),
        "Image": "sha256:one",
        "Name": f"/{name}",
        "RestartCount": 0,
        "Config": {"Env": ["VLLM_HOST_IP=10.0.0.1", "PATH=/usr/bin"], "Image": "vllm/vllm-openai:v0.17.1"},
    }
    told["Config"]["Labels"] = changes.pop("labels", labels)
    return told | changes


def state(**changes: Any) -> dict[str, Any]:
    """The `State` of a container that runs."""
    told = {
        "Status": "running",
        "Running": True,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "Pid": 4711,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": STARTED,
        "FinishedAt": NEVER,
    }
    return told | changes


def containers(*found: dict[str, Any]) -> Said:
    return Said(json.dumps(found))


IMAGE = Said('{"Id":"sha256:one","RootFS":{"Type":"layers","Layers":["sha256:a"]}}\n')


def standing(name: str = "raycluster-demo-gpu1", **changes: Any) -> dict[str, Said]:
    """The sections of a host on which the cluster runs."""
    return {
        "containers": containers(inspected(name, **changes)),
        "image": IMAGE,
        "processes": Said(
            "PID                 COMMAND\n4711                ray\n4760                raylet\n"
        ),
        "token": Said("c0ffee"),
    }


def ray_row(ip: str = "10.0.0.1", **changes: Any) -> dict[str, Any]:
    """A row of Ray's node table, as the program in the head's container tells it."""
    told: dict[str, Any] = {"ip": ip, "alive": True, "head": ip.endswith(".1"), "accelerators": {"GPU": 8}}
    return (
        told
        | {
            "started": 1772366405.0,
            "hostname": "gpu1",
            "death": "",
            "port": 33169,
            "metrics": 44707,
            "reached": True,
        }
        | changes
    )


def ray_line(*rows: dict[str, Any], **services: Any) -> str:
    return json.dumps({"ray": "2.56.0", "nodes": rows} | services)


def ray_told(*ips: str) -> str:
    """The answer of Ray, asked by itself."""
    return told({"ray": Said(ray_line(*map(ray_row, ips)))})[0]


BOOT, NETWORK = "5b0c9c9c-7a7e-4a0a-9a3a-0d7a2f1c6d11", "net:[4026531840]"
"""By which a container that is on its host, in its network, is known."""

INSPECTED = {
    "engine": Said(
        '{"ServerVersion": "27.3.1", "Architecture": "x86_64", "DockerRootDir": "/var/lib/docker"}\n'
    ),
    "room": Said("493022904\n"),
    "place": Said(f"boot {BOOT}\nnetwork {NETWORK}\n"),
    "hardware": Said(
        "nvidia_cards 0\nnvidia_driver \nnvidia_usable 0\nnvidia_toolkit \namd 0\nintel 0\nascend 0\ninfiniband\n"
    ),
    "neighbours": Said(""),
    "sudo": Said("", "sudo: a password is required\n", 1),
}
"""What `docker.inspect` tells of a host in good order without an accelerator."""


def trial_line(**changes: Any) -> str:
    """The first line of a trial's program in an image with Ray."""
    told: dict[str, Any] = {"python": "3.12.3", "ray": "2.56.0", "has_command": True}
    told |= {"gpus": [], "gpu_trouble": "", "shm": 10 << 30, "memlock": -1, "nofile": 1048576}
    told |= {"most_files": 1048576, "tasks": -1}
    told |= {"boot": BOOT, "network": NETWORK, "ray_folder": "", "vllm_folder": ""}
    told |= {
        "executable": "/usr/bin/python3",
        "python3": "/usr/bin/python3",
        "path": "/usr/bin:/bin",
        "variables": {},
        "bash_env": "",
    }
    told |= {"user": asdict(TRIAL.user), "models": asdict(TRIAL.models), "read_only": []}
    return json.dumps(told | {"listens": [6379, 60999, 19999]} | changes)


def links_told(*addresses: str, outcome: str = "open", alive: bool = True) -> str:
    """What comes of trying these addresses from inside a trial."""
    told = ({"address": each, "outcome": outcome, "alive": alive} for each in addresses)
    return "".join(f"{json.dumps(each)}\n" for each in told)
