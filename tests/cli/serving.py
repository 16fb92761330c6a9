"""Hosts on which a model is served, as `raycluster serve` meets them: they answer as a supervisor does."""

import json
import os
import signal
from threading import Event
from typing import Any

import pytest

from orchestrator import payload
from orchestrator.plan.command import Command
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import seen, sent
from tests.plan.recordings import Said, ray_line, ray_row, standing
from tests.plan.serving.worlds import FIRST, line, starting
from tests.remote.fakes import Answer, FakeFleet, reached

MODEL = "Qwen/Qwen3-32B"
SERVED = "serve: {model: Qwen/Qwen3-32B, args: [--max-model-len, '4096']}\n"
GATED = "(EngineCore_0 pid=7) OSError: You are trying to access a gated repo."
COMMANDS = {"start": payload.FOLDER, "inspect": "400", "ask": "ask", "stop": "stop"}
OPTIONS = {
    "version": "0.32.0",
    "names": [
        ["--max-model-len"],
        ["--tensor-parallel-size", "-tp"],
        ["--config"],
        ["--port"],
        ["--api-key"],
        ["--served-model-name"],
    ],
    "all": True,
}
UNASKED = "serve: {model: Qwen/Qwen3-32B, liveness: off}\n"


def supervisor(what: str) -> Any:
    """Whether a command is for the supervisor, and which."""
    return lambda command: "exec" in command.argv and COMMANDS[what] in command.argv


def told(fleet: FakeFleet) -> list[str]:
    """What the supervisor was told, in order."""
    return [what for each in fleet.sent for what in COMMANDS if supervisor(what)(each.command)]


def asked(by: str) -> Any:
    """Whether a command asks for vLLM's options in this way."""
    return lambda command: "exec" in command.argv and by in command.argv


def options(fleet: FakeFleet, by: str = "sources", **changes: Any) -> None:
    """The image's vLLM has these options."""
    fleet.on("gpu1", asked(by), Output(0, f"\x1e{json.dumps(OPTIONS | changes)}\n"))


def ready(fleet: FakeFleet, served: str = "") -> None:
    """The cluster stands, and its supervisor tells this of what is served."""
    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))
    now = {"ray": table, "served": Said(served)}
    fleet.on("gpu1", sent("observe"), seen("10.0.0.1", **standing("raycluster-demo-gpu1"), **now))


@pytest.fixture
def hosts_serve(cluster_stands: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    """A cluster that stands, on which all that is told to serve comes to answer at the second look."""
    monkeypatch.setattr("orchestrator.plan.serving.plan.LOOK_EVERY", 0.02)
    ready(cluster_stands)
    cluster_stands.on("gpu1", supervisor("start"), Output(0))
    cluster_stands.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), Output(0, line()))
    cluster_stands.on("gpu1", supervisor("ask"), Output(0, json.dumps(FIRST)))
    cluster_stands.on("gpu1", supervisor("stop"), Output(0))
    options(cluster_stands)
    return cluster_stands


def spec(fleet: FakeFleet) -> dict[str, Any]:
    """What the supervisor was to serve."""
    (start,) = (each.command for each in fleet.sent if supervisor("start")(each.command))
    told: dict[str, Any] = json.loads(json.loads(start.input())["spec"])
    return told


def has_model(fleet: FakeFleet, host: str, *lacks: str) -> None:
    """A host with the model's files, but for some."""
    revision = {
        "commit": "a" * 40,
        "names": ["main"],
        "state": "whole",
        "files": 30,
        "of": 30,
        "bytes": 9,
        "missing": 0,
        "bad": {},
        "lacks": lacks,
        "offline": not lacks,
    }
    model = {"name": MODEL, "bytes": 9, "unfinished": 0, "unused": 0, "astray": [], "revisions": [revision]}
    cache = {"hub": "/hub", "free": 9, "unused": 0, "models": [model]}
    for look in ("look-models", "fit-models"):
        fleet.on(host, sent(look), Output(0, f"\x1e{json.dumps(cache)}"))


def interrupts(_command: Command, cancel: Event) -> Answer:
    os.kill(os.getpid(), signal.SIGINT)
    assert reached(cancel)
    return Failure(FailureKind.CANCELLED, "cancelled")
