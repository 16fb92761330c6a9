"""`-o jsonl` of real runs."""

import json
from typing import Any

from pydantic import TypeAdapter

from orchestrator.cli.events import Event

from .lab import Lab
from .seeing import Answer, containers, two_hosts

ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def lines(answer: Answer) -> list[dict[str, Any]]:
    told = answer.stdout.splitlines()
    for line in told:
        ADAPTER.validate_json(line)
    return [json.loads(line) for line in told]


def test_down_and_up_tell_each_step_and_the_end(cluster: Lab) -> None:
    inventory = two_hosts(cluster)
    down = cluster.raycluster("down", inventory, "-o", "jsonl")
    assert (down.returncode, down.stderr) == (0, "")
    told = lines(down)
    assert told[-1]["message"].startswith("cluster lab is down: its containers are gone from 2 hosts")
    stopped = [(line["step"], line["status"]) for line in told if line["event"] == "step-ended"]
    assert ("stop and remove its container", "ok") in stopped
    assert containers(cluster) == {}

    up = cluster.raycluster("up", inventory, "-o", "jsonl")
    assert (up.returncode, up.stderr) == (0, "")
    told = lines(up)
    assert told[-1]["message"].startswith("cluster lab is up: Ray 2.60.0 lists all 2 hosts, 16 GPUs")
    assert (told[-1]["exit_code"], told[-1]["verdict"], told[-1]["failures"]) == (0, "done", [])
    assert [line["time"] for line in told] == sorted(line["time"] for line in told)
