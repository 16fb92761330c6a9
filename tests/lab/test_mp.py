"""`engine: mp` on three real hosts, with a server that only stands in for vLLM."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.payload.serving.place import VLLM

from .lab import Lab
from .processes import wait_until
from .seeing import brought_up, failed, health, is_served, stands

HOSTS = ("gpu1", "gpu2", "gpu3")
PLACE = "/root/vllm"
OURS = "/usr/local/bin/vllm serv[e]|^[^ ]*python3[^ ]* [^ ]*supervisor.p[y]"  # not the shell that would resume it


def inventory(lab: Lab) -> Path:
    return lab.inventory(engine="mp", docker={"args": ["-v", f"{PLACE}:/usr/local/bin/vllm:ro"]})


def model(lab: Lab) -> dict[str, Any]:
    told: list[dict[str, Any]] = health(lab, inventory(lab))["models"]
    return told[0] if told else {}


def answers(lab: Lab) -> bool:
    return bool(model(lab).get("answers"))


def serving(lab: Lab) -> list[str]:
    """The hosts on which anything of it runs."""
    return [name for name, host in lab.hosts.items() if host.runs(OURS)]


@pytest.fixture
def cluster(lab_with_cluster: Lab) -> Iterator[Lab]:
    """Brought up for the first test, and for others if it is not whole."""
    lab = lab_with_cluster
    for host in lab.hosts.values():
        host.run("sh", "-c", 'cat >"$0" && chmod +x "$0"', PLACE, stdin=VLLM.read_text())
    stands(lab, inventory(lab))
    yield lab
    lab.end_commands()
    lab.mend()
    lab.raycluster("serve", "stop", "--all", "-i", inventory(lab))


@pytest.fixture
def served(cluster: Lab) -> Lab:
    serve = cluster.raycluster("serve", "-y", "-i", inventory(cluster), "alphabet")
    assert serve.returncode == 0, serve.stderr
    return cluster


def test_a_model_is_served_by_a_rank_on_each_host_and_ended_without_a_trace(served: Lab) -> None:
    told = health(served, inventory(served))
    (one,) = told["models"]
    assert (told["verdict"], one["ranks"], one["answers"]) == ("healthy", 3, True)
    get = f"import urllib.request as u; print(u.urlopen('{one['url']}/v1/models').read().decode())"
    assert json.loads(served.laptop([sys.executable, "-c", get]).stdout)["data"][0]["id"] == "alphabet"
    logs = served.raycluster("serve", "logs", "-i", inventory(served)).stdout
    for rank, host in enumerate(HOSTS):
        (said,) = (line for line in logs.splitlines() if line.startswith(f"{host} | words "))
        assert '"--nnodes", "3", "--master-addr", "192.0.2.11"' in said
        assert f'"--node-rank", "{rank}"' in said
    stop = served.raycluster("serve", "stop", "-i", inventory(served))
    assert (stop.returncode, stop.stdout) == (0, "cluster lab serves nothing any more\n")
    assert serving(served) == []
    assert health(served, inventory(served))["verdict"] == "healthy"


def test_a_workers_container_that_is_killed_is_told_within_seconds_and_up_mends_it(served: Lab) -> None:
    served.hosts["gpu3"].docker("kill", "raycluster-lab-gpu3")
    status = partial(served.raycluster, "status", inventory(served))
    missing = "model alphabet does not answer: it waits for gpu3, 8 GPUs"  # for gpu2 as well, until its rank has ended
    wait_until("it is told who is missing", lambda: missing in status().stdout, 10)
    told = status()
    assert told.returncode == 3
    assert "gpu3: its container exited with code 137" in told.stdout
    assert "containers run on 2 of 3 hosts" in told.stdout
    brought_up(served, inventory(served))
    wait_until("it answers again", lambda: is_served(served) and answers(served), 30)
    assert model(served)["lives"] == 2


@pytest.mark.long
def test_a_worker_that_comes_back_by_itself_needs_nobody(served: Lab) -> None:
    before = model(served)["lives"]
    served.hosts["gpu2"].docker("restart", "--time", "1", "raycluster-lab-gpu2")
    wait_until("all live anew", lambda: model(served).get("lives", 0) > before, 30)
    wait_until("it answers again", lambda: is_served(served) and answers(served), 30)


def test_a_rank_that_fails_is_told_with_its_cause_and_nothing_stays(cluster: Lab) -> None:
    short = cluster.raycluster("serve", "-y", "-i", inventory(cluster), "short-2")
    failed(
        short,
        "gpu3  wait for its part: a device has not enough memory",
        "vLLM on gpu3 ended with exit code 1",
    )
    assert serving(cluster) == []


@pytest.mark.long
def test_a_host_that_is_cut_off_is_missed_within_half_a_minute_and_comes_back_by_itself(served: Lab) -> None:
    served.hosts["gpu3"].cut()
    wait_until("it is missed", lambda: not is_served(served) and not answers(served), 40)
    assert "it waits for gpu3" in served.raycluster("status", inventory(served)).stdout
    failed(served.raycluster("serve", "-y", "-i", inventory(served), "alphabet"), "gpu3")
    served.hosts["gpu3"].mend()
    wait_until("it answers again", lambda: is_served(served) and answers(served), 60)
