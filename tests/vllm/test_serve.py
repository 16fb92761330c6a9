"""`serve`, with real vLLM cut in two for two hosts: by Ray, and by vLLM's own multi-node mode."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.lab.host import VLLM_RELEASE
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import Answer, brought_up, two_hosts

from .asking import ask, completion
from .inventory import EAGER, FOLDER, for_vllm
from .load import answers, streamed, under_load

OVER_BOTH = ("--tensor-parallel-size", "2", "--pipeline-parallel-size", "1")
BACK_SECONDS = 400
BROKEN = "0.17.1"


class Served(NamedTuple):
    """A cluster on which the model answers."""

    lab: Lab
    inventory: Path

    def serve(self, *words: str, timeout: float = 300) -> Answer:
        return self.lab.raycluster("serve", *words, "-i", self.inventory, timeout=timeout)

    def start(self) -> Answer:
        words = ("serve", FOLDER, "-i", self.inventory, "--", *EAGER, *OVER_BOTH)
        return self.lab.raycluster(*words, timeout=600)

    def model(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.serve("status", "-o", "json").stdout)
        return told["models"][0] if told["models"] else {}


@pytest.fixture(scope="module", params=["ray", "mp"])
def cluster(lab: Lab, request: pytest.FixtureRequest) -> Served:
    if (request.param, VLLM_RELEASE) == ("mp", BROKEN):
        pytest.skip(f"{BROKEN} cannot cut a model over hosts without Ray")
    lab.restore()
    return Served(lab, two_hosts(lab, engine=request.param, **for_vllm()))


@pytest.fixture
def served(cluster: Served) -> Served:
    """Brought up and served for the first test, and only looked at for the others."""
    brought_up(cluster.lab, cluster.inventory)
    served = cluster.start()
    assert served.returncode == 0, served.stderr
    assert f"{FOLDER} answers" in served.stdout
    return cluster


def test_a_completion_asked_from_the_laptop(served: Served) -> None:
    assert completion(served.lab, "abc", "alphabet") == "defghijk"
    assert served.model()["answers"] is True
    assert all(served.lab.hosts[host].runs("RayWorke[r]|VLLM::Worke[r]") for host in ("gpu1", "gpu2"))


def test_a_streamed_completion_comes_in_pieces(served: Served) -> None:
    pieces = streamed(served.lab)
    assert len(pieces) > 1
    assert "".join(pieces) == "defghijk"


def test_two_hundred_requests_at_sixteen_at_a_time_are_all_answered(served: Served) -> None:
    assert answers(served.lab, 200, at_once=16) == {"200": 200}


def test_a_worker_killed_under_load_is_told_within_seconds_and_repaired_by_up(served: Served) -> None:
    lab, inventory = served.lab, served.inventory
    with under_load(lab, at_once=16):
        lab.hosts["gpu2"].docker("kill", "raycluster-lab-gpu2")
        wait_until("the model is said not to answer", lambda: served.serve("status").returncode == 3, 20)
    status = lab.raycluster("status", inventory)
    assert status.returncode == 3
    assert "gpu2: its container exited with code 137" in status.stdout
    assert "does not answer" in status.stdout
    brought_up(lab, inventory)
    wait_until("the model answers again", lambda: served.model()["answers"], BACK_SECONDS)
    assert completion(lab, "abc", "alphabet") == "defghijk"


def test_a_server_whose_process_is_killed_comes_back_by_itself(served: Served) -> None:
    before = served.model()["lives"]
    served.lab.hosts["gpu1"].run("pkill", "--signal", "KILL", "--full", "vllm serve")
    wait_until("the model answers again", lambda: _again(served, before), BACK_SECONDS)
    assert completion(served.lab, "abc", "alphabet") == "defghijk"


def test_after_a_restart_of_the_heads_container_the_model_comes_back_by_itself(served: Served) -> None:
    before = served.model()["lives"]
    served.lab.hosts["gpu1"].docker("restart", "raycluster-lab-gpu1")
    wait_until("the model answers again", lambda: _again(served, before), BACK_SECONDS)
    assert completion(served.lab, "abc", "alphabet") == "defghijk"


def _again(served: Served, lives: int) -> bool:
    model = served.model()
    return bool(model) and model["answers"] and model["lives"] > lives


def test_serve_stop_ends_it_on_every_host_and_the_cluster_stays(served: Served) -> None:
    assert served.serve("stop").returncode == 0
    assert ask(served.lab, "/health")[0] == 0
    hosts = served.lab.hosts.values()  # Ray ends the actors of a driver that is gone, a moment later
    wait_until("vLLM has ended everywhere", lambda: not any(host.runs("vllm serve|VLLM::") for host in hosts))
    assert served.serve("status").returncode == 3
    assert served.lab.raycluster("status", served.inventory).returncode == 0


@pytest.mark.skipif(VLLM_RELEASE != BROKEN, reason=f"only {BROKEN} is broken so")
def test_a_release_that_cannot_cut_a_model_over_hosts_without_ray_is_told_as_such(lab: Lab) -> None:
    lab.restore()
    done = Served(lab, brought_up(lab, two_hosts(lab, engine="mp", **for_vllm()))).start()
    assert done.returncode == 1
    assert "vLLM 0.17.0 and 0.17.1 cannot cut a model over several hosts without Ray" in done.stderr
    assert "engine: ray" in done.stderr
