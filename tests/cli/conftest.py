"""The program as a person runs it, on hosts that are not there: every answer is scripted."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.app import app
from orchestrator.cli.output.typed import called
from orchestrator.model.cluster import Ssh
from orchestrator.plan.command import Command
from orchestrator.plan.lock import HELD
from orchestrator.remote.transport import Output
from tests.plan.recordings import (
    IMAGE,
    INSPECTED,
    ORDERLY,
    Said,
    addresses,
    answer,
    links_told,
    ray_line,
    ray_row,
    standing,
    told,
    trial_line,
)
from tests.remote.fakes import FakeFleet, FakeHost
from tests.typed_lines import assert_typeable

INVENTORY = """\
cluster: demo
image: vllm/vllm-openai:v0.17.1
accelerator: none
ray: {num_gpus: 8}
head: {host: gpu1, ip: 10.0.0.1}
workers:
  - {host: gpu2, ip: 10.0.0.2}
"""
RUNNING = json.dumps({"state": {"Status": "running", "StartedAt": "2026-03-01T12:00:00Z"}, "restarts": 0})

Raycluster = Callable[..., Result]


HEAD_LINKS = ("10.0.0.1:6379", "10.0.0.1:60999", "10.0.0.1:19999")
WORKER_LINKS = ("10.0.0.2:60999", "10.0.0.2:19999")


def asks_state(command: Command) -> bool:
    return command.script == "started" or "inspect" in command.argv


def sent(name: str) -> Callable[[Command], bool]:
    """Whether a command is the fixed script of that name."""
    return lambda command: name in command.argv


LOOKS = ("observe", "hold-lock", "fit-models")


def only_looked(fleet: FakeFleet) -> bool:
    """Whether nothing was sent but looks at hosts, their vLLM and their models, and what holds the lock meanwhile."""
    others = (each.command for each in fleet.sent if each.command.script not in LOOKS)
    return all("sources" in each.argv for each in others)


def seen(ip: str, **said: Said) -> Output:
    return Output(0, *answer(**{"image": IMAGE, "addresses": addresses(("eth0", ip)), **said}))


def script(name: str) -> Callable[[Command], bool]:
    """Whether a command is the fixed script of that name, whatever its arguments are."""
    return lambda command: command.script == name


def two_hosts(monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    """Two hosts on which nothing runs yet and everything works."""
    fleet = FakeFleet()
    fleet.on("gpu1", sent("observe"), seen("10.0.0.1"))
    fleet.on("gpu2", sent("observe"), seen("10.0.0.2"))
    for name in (
        "keep-token",
        "forget-token",
        "listening",
        "reach",
        "discard",
        "remove",
        "absent",
        "last-words",
    ):
        fleet.on("*", sent(name), Output(0))
    fleet.on("*", sent("run"), Output(0, "a-container-id\n"))
    fleet.on("*", asks_state, Output(0, RUNNING))
    fleet.on("*", sent("look-models"), Output(1))  # nothing is known of models
    fleet.on("*", sent("fit-models"), Output(1))
    fleet.streams("gpu1", sent("hold-lock"), HELD)
    fleet.streams("gpu1", sent("exec"), ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))

    def open_(host: str, _ssh: Ssh, **_: object) -> FakeHost:
        return fleet[host]

    monkeypatch.setattr("orchestrator.remote.ssh.transport.SshTransport", open_)
    return fleet


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFleet]:
    fleet = two_hosts(monkeypatch)
    yield fleet
    fleet.check()


@pytest.fixture
def cluster_stands(hosts: FakeFleet) -> FakeFleet:
    """The same hosts with the cluster on them, though not as this inventory would start it."""
    return with_cluster(hosts)


def with_cluster(hosts: FakeFleet) -> FakeFleet:
    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))
    hosts.on("gpu1", sent("observe"), seen("10.0.0.1", **standing("raycluster-demo-gpu1"), ray=table))
    hosts.on("gpu2", sent("observe"), seen("10.0.0.2", **standing("raycluster-demo-gpu2")))
    return hosts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program runs: an inventory, and a place for its log."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("RAYCLUSTER_INVENTORY", raising=False)
    return tmp_path


@pytest.fixture
def raycluster(folder: Path) -> Raycluster:  # noqa: ARG001 - it runs there
    def run(*words: str, stdin: str = "") -> Result:
        called()  # as in a process of its own
        ran = CliRunner().invoke(app, words, input=stdin)
        assert_typeable(ran.output, words)
        return ran

    return run


@pytest.fixture
def good(hosts: FakeFleet) -> FakeFleet:
    """Two hosts that nothing is wrong with."""
    for name, ip, others in (("gpu1", "10.0.0.1", WORKER_LINKS), ("gpu2", "10.0.0.2", HEAD_LINKS)):
        hosts.on(name, sent("observe"), seen(ip, **ORDERLY))
        hosts.on(name, sent("exec"), Output(0, links_told(*others)))
    hosts.on("*", sent("date"), Output(0, "1772366461.5\n"))
    hosts.on("*", script("inspect"), Output(0, *told(INSPECTED)))
    hosts.streams("*", script("trial"), trial_line())
    return hosts
