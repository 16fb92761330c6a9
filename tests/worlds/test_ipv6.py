"""Hosts that reach each other by IPv6: the cluster, and a model's server, which by itself would not listen there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, failed
from tests.payload.serving.place import VLLM

PLACE = "/root/vllm"
ADDRESSES = {"gpu1": "fd00:2::11", "gpu2": "fd00:2::12"}
HEALTH = "import urllib.request as u; print(u.urlopen('http://[fd00:2::11]:8000/health', timeout=5).status)"


@pytest.fixture(params=["ray", "mp"])
def inventory(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Of two hosts by their IPv6 addresses, each with a `vllm`, and the cluster up."""
    for name, ip in ADDRESSES.items():
        lab.hosts[name].run("ip", "-6", "address", "replace", f"{ip}/64", "dev", "eth0", "nodad")
        lab.hosts[name].run("sh", "-c", 'cat >"$0" && chmod +x "$0"', PLACE, stdin=VLLM.read_text())
    head, worker = ({**lab.hosts[name].entry, "ip": ip} for name, ip in ADDRESSES.items())
    mounted = {"args": ["-v", f"{PLACE}:/usr/local/bin/vllm:ro"]}
    yield brought_up(lab, lab.inventory(engine=request.param, head=head, workers=[worker], docker=mounted))
    lab.end_commands()
    for name, ip in ADDRESSES.items():
        lab.hosts[name].run("ip", "-6", "address", "delete", f"{ip}/64", "dev", "eth0")


def test_a_model_answers_at_the_heads_ipv6_address_and_nowhere_else_is_asked(
    lab: Lab, inventory: Path
) -> None:
    served = lab.raycluster("serve", "-i", inventory, "-y", "alphabet")
    assert served.returncode == 0, served.stderr
    assert "alphabet answers at http://[fd00:2::11]:8000/v1 (" in served.stdout
    assert lab.hosts["gpu2"].run("python3", "-c", HEALTH).stdout == "200\n"
    status = lab.raycluster("serve", "status", "-i", inventory)
    assert (status.returncode, status.stdout[:48]) == (
        0,
        "model alphabet answers at http://[fd00:2::11]:8000/v1"[:48],
    )
    stop = lab.raycluster("serve", "stop", "-i", inventory)
    assert stop.returncode == 0, stop.stderr

    alone = lab.raycluster("serve", "-i", inventory, "-y", "alphabet", "--", "--host", "0.0.0.0")
    failed(
        alone,
        "gpu1  --host 0.0.0.0: vLLM would listen at IPv4 addresses alone",
        "→ leave it out, or `-- --host ::`",
    )
