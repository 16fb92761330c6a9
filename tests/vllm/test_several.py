"""Two models at once on one cluster, with real vLLM: one is killed, loses a rank, its host is booted anew, or it ends.

The other one is asked all the time, and never silent.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import Answer, brought_up

from .asking import ask, completion
from .inventory import EAGER, FOLDER, for_vllm
from .load import answers, never_silent
from .test_serve import BACK_SECONDS

PORTS = {"wide": 8000, "small": 8001}
"""Of the model that is on two hosts, and of the one that is on the head."""
SIZES = {"wide": 2, "small": 1}


class Place(NamedTuple):
    """Where a model is asked."""

    host: str
    port: int


class Several(NamedTuple):
    """A cluster with both."""

    lab: Lab
    inventory: Path

    def serve(self, *words: str | Path, timeout: float = 600) -> Answer:
        return self.lab.raycluster("serve", *words, timeout=timeout)

    def start(self, name: str, *words: str) -> None:
        named = ("--name", name, "--port", str(PORTS[name]), "-i", self.inventory)
        sizes = ("--tensor-parallel-size", str(SIZES[name]), "--pipeline-parallel-size", "1")
        done = self.serve(FOLDER, *named, *words, "--", *EAGER, *sizes)
        assert done.returncode == 0, done.stderr

    def models(self) -> dict[str, Any]:
        told = json.loads(self.serve("status", "-i", self.inventory, "-o", "json").stdout)["models"]
        return {each["name"]: each for each in told}

    def at(self, name: str) -> Place:
        there = urlsplit(self.models()[name]["url"])
        (host,) = (each.name for each in self.lab.hosts.values() if each.address == there.hostname)
        return Place(host, int(there.port or 0))

    def is_back(self, name: str, before: int) -> bool:
        now = self.models().get(name)
        return now is not None and bool(now["answers"]) and now["lives"] > before

    def goes_on(self, name: str) -> bool:
        """Whether it goes on rightly."""
        return completion(self.lab, "abc", "alphabet", 8, *self.at(name)) == "defghijk"


@pytest.fixture(scope="module", params=["ray", "mp"])
def cluster(lab: Lab, request: pytest.FixtureRequest) -> Several:
    lab.restore()
    several = Several(lab, brought_up(lab, lab.inventory(engine=request.param, **for_vllm())))
    several.start("small", "--gpus", "1", "-l", "gpu1")
    several.start("wide", *(("-l", "gpu2,gpu3") if request.param == "mp" else ("--gpus", "2")))
    return several


def test_both_answer_two_hundred_requests_at_sixteen_at_a_time(cluster: Several) -> None:
    assert set(cluster.models()) == set(PORTS)
    with ThreadPoolExecutor() as pool:
        told = list(pool.map(lambda name: answers(cluster.lab, 200, 16, *cluster.at(name)), PORTS))
    assert told == [{"200": 200}, {"200": 200}]


@pytest.mark.parametrize(("name", "other"), [("small", "wide"), ("wide", "small")])
def test_a_server_that_is_killed_comes_back_and_the_other_is_never_silent(
    cluster: Several, name: str, other: str
) -> None:
    before, there = cluster.models()[name]["lives"], cluster.at(name)
    with never_silent(cluster.lab, *cluster.at(other)):
        cluster.lab.hosts[there.host].run(
            "pkill", "-KILL", "-f", f"vllm serve .*tensor-parallel-size {SIZES[name]}"
        )
        wait_until("it answers again", lambda: cluster.is_back(name, before), BACK_SECONDS)
    assert cluster.goes_on(name)


def test_a_rank_that_is_killed_comes_back_and_the_other_is_never_silent(cluster: Several) -> None:
    before, there = cluster.models()["wide"]["lives"], cluster.at("wide")
    body = {"model": "alphabet", "prompt": "abc", "max_tokens": 1}
    with never_silent(cluster.lab, *cluster.at("small")):
        cluster.lab.hosts["gpu3"].run("pkill", "-KILL", "-f", "VLLM::Worker|RayWorker")
        # A rank is missed when somebody asks, at the latest.
        wait_until("it is missed", lambda: ask(cluster.lab, "/v1/completions", body, *there)[0] != 200, 120)
        wait_until("it answers again", lambda: cluster.is_back("wide", before), BACK_SECONDS)
    assert cluster.goes_on("wide")


def test_a_host_that_is_booted_anew_comes_back_with_its_rank_and_the_other_is_never_silent(
    cluster: Several,
) -> None:
    with never_silent(cluster.lab, *cluster.at("small")):
        cluster.lab.hosts["gpu3"].reboot()
        wait_until("it is missed", lambda: not cluster.is_back("wide", 0), 120)
        wait_until("it answers again", lambda: cluster.is_back("wide", 0), BACK_SECONDS)
    assert cluster.goes_on("wide")


def test_one_that_is_stopped_leaves_the_other(cluster: Several) -> None:
    small = cluster.at("small")
    with never_silent(cluster.lab, *cluster.at("wide")):
        assert cluster.serve("stop", "small", "-i", cluster.inventory).returncode == 0
        assert ask(cluster.lab, "/health", None, *small)[0] == 0
    assert set(cluster.models()) == {"wide"}
    assert cluster.serve("stop", "--all", "-i", cluster.inventory).returncode == 0
