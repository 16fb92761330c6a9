"""A model that is well by its own word and answers nothing: told, started again. By the clock, so it takes minutes."""

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab import living
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import URL, brought_up, health, is_served, two_hosts

ENGINES = ["ray", "mp"]
TOLD = 90
"""Seconds after it went deaf."""


def get(lab: Lab, path: str) -> str:
    """What the laptop gets from the server."""
    line = f"import urllib.request as u; print(u.urlopen('{URL}{path}', timeout=5).read().decode())"
    return lab.laptop([sys.executable, "-c", line]).stdout


def served(lab: Lab, engine: str, **keys: Any) -> Path:
    """The inventory of a cluster that serves."""
    living.lend_vllm(lab)
    inventory = brought_up(lab, two_hosts(lab, engine=engine, **living.SERVING, **keys))
    serve = lab.raycluster("serve", "-y", "-i", inventory, "alphabet")
    assert serve.returncode == 0, serve.stderr
    return inventory


def model(lab: Lab, inventory: Path) -> dict[str, Any]:
    told: dict[str, Any] = health(lab, inventory)["models"][0]
    return told


@pytest.mark.parametrize("engine", ENGINES)
def test_a_deaf_one_is_told_within_a_minute_and_a_half_and_comes_back_by_itself(
    lab: Lab, engine: str
) -> None:
    inventory = served(lab, engine)
    get(lab, "/deaf")
    began = time.monotonic()
    assert is_served(lab)  # by its own word
    wait_until("it is told", lambda: not model(lab, inventory)["answers"], TOLD)

    told, status = lab.raycluster("serve", "status", "-i", inventory), lab.raycluster("status", inventory)
    since = r"it has answered nothing since \d\d:\d\d \(\d+ s\) and will be started again"
    for shown in (told, status):
        assert shown.returncode == 3
        assert re.search(f"model alphabet does not answer: {since}", shown.stdout), shown.stdout
    assert "cluster lab is degraded" in status.stdout
    assert model(lab, inventory)["state"] == "unresponsive"
    up = lab.raycluster("up", inventory)
    assert "model alphabet does not answer: it has answered nothing since" in up.stdout
    assert f"raycluster serve -i {inventory} alphabet" in up.stdout

    wait_until("it answers again", lambda: model(lab, inventory)["answers"], 240)
    assert model(lab, inventory)["lives"] == 2
    logs = lab.raycluster("serve", "logs", "-i", inventory).stdout
    assert time.monotonic() > began + 150  # though not sooner than it may be sure
    assert re.search(r"raycluster: vLLM had answered nothing for 3 min.*: it is ended", logs)


@pytest.mark.parametrize("engine", ENGINES)
def test_serve_starts_a_deaf_one_again_at_once(lab: Lab, engine: str) -> None:
    inventory = served(lab, engine)
    get(lab, "/deaf")
    wait_until("it is told", lambda: not model(lab, inventory)["answers"], TOLD)
    serve = lab.raycluster("serve", "-y", "-i", inventory, "alphabet")
    assert serve.returncode == 0, serve.stderr
    assert f"alphabet answers at {URL}/v1 (" in serve.stdout
    assert model(lab, inventory)["answers"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_busy_one_is_left_alone(lab: Lab, engine: str) -> None:
    inventory = served(lab, engine)
    get(lab, "/busy")
    looked = json.loads(get(lab, "/asked"))["looked"]
    began = time.monotonic()
    wait_until(
        "it would have been started again",
        lambda: time.monotonic() > began + 200 and json.loads(get(lab, "/asked"))["looked"] > looked + 10,
        300,
    )
    assert model(lab, inventory) | {"since": 0} == model(lab, inventory) | {
        "since": 0,
        "lives": 1,
        "answers": True,
    }
