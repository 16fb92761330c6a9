"""Whole runs of the program with every title and sentence of their plans in other words: they end alike."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.cli.run import operation
from orchestrator.plan.actions import restart
from orchestrator.plan.serving import plan as serving
from orchestrator.remote.transport import Output
from tests.cli import serving as serve_hosts
from tests.cli import test_image_copy, test_pull, test_status_and_down
from tests.cli.conftest import Raycluster, asks_state, sent
from tests.cli.serving import GATED, MODEL, supervisor
from tests.plan.rewording import BETWEEN, plain, reworded
from tests.plan.serving.worlds import ended, line, starting
from tests.remote.fakes import FakeFleet

one_has_it = test_image_copy.one_has_it
hosts_serve = serve_hosts.hosts_serve
third = test_status_and_down.third

RELAYED = "gets it through this machine: "
ENDED = '{"state": {"Status": "exited", "ExitCode": 1, "OOMKilled": false}, "restarts": 0}'


class Ran(NamedTuple):
    exit_code: int
    told: str
    sent: list[tuple[str, str]]


class Scenario(NamedTuple):
    """What is on the hosts, the command line, and what only those who know a step for what it is can say."""

    fixture: str
    words: tuple[str, ...]
    said: str
    make: Callable[[FakeFleet], None] = lambda _: None


def worker_ends(hosts: FakeFleet) -> None:
    hosts.on("gpu2", asks_state, Output(0, ENDED))
    hosts.on("gpu2", sent("last-words"), Output(0, "the log's last words\n"))


def head_does_not_start(hosts: FakeFleet) -> None:
    hosts.on("gpu1", sent("run"), Output(125, "", "docker: no"))


def clean_up_fails(hosts: FakeFleet) -> None:
    worker_ends(hosts)
    hosts.on("gpu2", sent("discard"), Output(1, "", "it does not go"))


def worker_does_not_stop(hosts: FakeFleet) -> None:
    hosts.on("gpu1", sent("remove"), Output(1, "", "it does not stop"))


def gated(hosts: FakeFleet) -> None:
    hosts.on("gpu1", supervisor("inspect"), Output(0, line(**ended(GATED))))


def comes_to_answer(hosts: FakeFleet) -> None:
    hosts.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), Output(0, line()))


def one_lacks_it(hosts: FakeFleet) -> None:
    hosts.on("gpu2", sent("held"), Output(0), test_pull.has("sha256:one"))


def unlike(hosts: FakeFleet) -> None:
    hosts.streams("*", sent("pull"), *test_pull.PULLED)
    hosts.on("gpu1", sent("held"), test_pull.has("sha256:new", "sha256:d1"))
    hosts.on("gpu2", sent("held"), test_pull.has("sha256:old", "sha256:d2"))


SCENARIOS = {
    "up": Scenario("hosts", ("up",), "cluster demo is up: Ray 2.56.0 lists all 2 hosts"),
    "last words": Scenario("hosts", ("up",), "| the log's last words", worker_ends),
    "removed again": Scenario(
        "hosts", ("up",), "What this run had started was removed again.", head_does_not_start
    ),
    "left": Scenario("hosts", ("up",), "remove its container: it does not go", clean_up_fails),
    "replaced": Scenario(
        "cluster_stands", ("up",), "The old container is gone from gpu1.", head_does_not_start
    ),
    "down": Scenario("cluster_stands", ("down",), "its containers are gone from 2 hosts"),
    "ray told": Scenario("third", ("down",), "10.0.0.3  raycluster-demo-gpu3 of this cluster is there"),
    "restart": Scenario("cluster_stands", ("restart", "-y"), "cluster demo is up: Ray"),
    "stopped": Scenario(
        "cluster_stands", ("restart", "-y"), "The old container is gone from gpu2.", worker_does_not_stop
    ),
    "serve": Scenario(
        "hosts_serve", ("serve", MODEL), f"{MODEL} answers at http://10.0.0.1:8000/v1", comes_to_answer
    ),
    "serve ends": Scenario("hosts_serve", ("serve", MODEL), "Nothing of it is left running", gated),
    "image proof": Scenario("one_has_it", ("image", "copy"), "sha256:one (copied to gpu2 in ", one_lacks_it),
    "images differ": Scenario("hosts", ("pull",), "gpu1  has sha256:d1", unlike),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_run_ends_alike_in_other_words(
    scenario: Scenario,
    request: pytest.FixtureRequest,
    raycluster: Raycluster,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    hosts: FakeFleet = request.getfixturevalue(scenario.fixture)
    first = ran(scenario, hosts, raycluster)
    assert scenario.said in first.told
    in_other_words(monkeypatch)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    again = ran(scenario, hosts, raycluster)
    assert BETWEEN in again.told
    assert again._replace(told=alike(plain(again.told))) == first._replace(told=alike(first.told))


def ran(scenario: Scenario, hosts: FakeFleet, raycluster: Raycluster) -> Ran:
    scenario.make(hosts)
    hosts.sent.clear()
    result = raycluster(*scenario.words)
    commands = sorted((each.host, each.command.line()) for each in hosts.sent)
    return Ran(result.exit_code, f"{result.stdout}\n{result.stderr}", commands)


def alike(told: str) -> str:
    """Without what differs from run to run: the order of hosts, times, and whose relay was the first to fail."""
    return "\n".join(sorted(re.sub(rf"\d+\.\d+ s|log: .*|(?<={RELAYED}).*", "", told).splitlines()))


def in_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every plan says what it says in other words."""

    def of(planner: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **more: reworded(planner(*given, **more))

    real = operation.execute

    def execute(command: Any, cluster: Any, look: Any, planner: Any, *given: Any, **more: Any) -> Any:
        more |= {"aftermath": of(more["aftermath"])} if "aftermath" in more else {}
        return real(command, cluster, look, of(planner), *given, **more)

    monkeypatch.setattr(operation, "execute", execute)
    monkeypatch.setattr(operation, "plan_prune", of(operation.plan_prune))
    monkeypatch.setattr(restart, "plan_up", of(restart.plan_up))
    monkeypatch.setattr(restart, "plan_down", of(restart.plan_down))
    monkeypatch.setattr(serving, "plan_serve", of(serving.plan_serve))
    monkeypatch.setattr(serving, "plan_unserve", of(serving.plan_unserve))
