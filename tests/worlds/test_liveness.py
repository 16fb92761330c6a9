"""A model that is well by its own word and answers nothing: told, started again. By the clock, so it takes minutes."""

import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab import living
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import URL, brought_up, failed, health, is_served, two_hosts

ENGINES = ["ray", "mp"]
TOLD = 90
"""Seconds after it went deaf."""


def get(lab: Lab, path: str) -> str:
    """What the laptop gets from the server."""
    line = f"import urllib.request as u; print(u.urlopen('{URL}{path}', timeout=5).read().decode())"
    return lab.laptop([sys.executable, "-c", line]).stdout


def stands(lab: Lab, engine: str, **keys: Any) -> Path:
    """The inventory of a cluster that stands, and can serve."""
    living.lend_vllm(lab)
    return brought_up(lab, two_hosts(lab, engine=engine, **living.SERVING, **keys))


def served(lab: Lab, engine: str, **keys: Any) -> Path:
    """The same, and a model is served."""
    inventory = stands(lab, engine, **keys)
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


def test_one_that_is_not_to_be_asked_is_believed(lab: Lab) -> None:
    inventory = served(lab, "mp", serve={"model": "alphabet", "liveness": "off"})
    get(lab, "/deaf")
    began = time.monotonic()
    wait_until("it would have been told", lambda: time.monotonic() > began + TOLD, TOLD + 10)
    assert model(lab, inventory)["answers"]
    assert json.loads(get(lab, "/asked"))["looked"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_load_in_which_nothing_moves_is_ended_with_the_key_for_more_time(lab: Lab, engine: str) -> None:
    inventory = stands(lab, engine, serve={"model": "loads", "stalled_after": 1})
    serve = lab.raycluster("serve", "-y", "-i", inventory, "loads")
    why = "nothing had moved for 1 min while it loaded (serve.stalled_after)"
    failed(serve, f"gpu1  wait until it answers: {why}", "Nothing of it is left running")
    for host in lab.hosts.values():
        assert not host.runs("/usr/local/bin/vllm serv[e]")


def test_a_docker_that_starts_again_while_a_model_loads_ends_neither_the_load_nor_the_wait(lab: Lab) -> None:
    """Its containers end with it and are started again, with what they served."""
    inventory = stands(lab, "ray")
    running = lab.raycluster_popen("serve", "-y", "-i", inventory, "loads")

    def loads() -> bool:
        told = health(lab, inventory)["models"]
        return bool(told) and "the weights: 25%" in told[0]["trouble"]

    try:
        wait_until("it loads", loads, 60)
        lab.hosts["gpu1"].stop_docker()
        lab.hosts["gpu1"].start_docker()
        wait_until("it loads again", loads, 90)
        assert running.poll() is None
        assert model(lab, inventory)["lives"] == 2
    finally:
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert "Nothing of it is left running" in stderr, stderr


def test_while_it_loads_the_stage_the_rank_behind_and_the_pause_are_told(lab: Lab) -> None:
    inventory = stands(lab, "mp")
    running = lab.raycluster_popen("serve", "-y", "-i", inventory, "late-1")

    def told() -> str:
        return "".join(str(each["trouble"]) for each in health(lab, inventory)["models"])

    try:
        wait_until("who is behind", lambda: "gpu2 behind: loads the model" in told(), 30)
        paused = "it has loaded the weights; gpu2 behind: loads the model; nothing has moved for 2 min"
        wait_until("that nothing moves", lambda: told() == paused, 150)
        status = lab.raycluster("serve", "status", "-i", inventory)
        assert (status.returncode, paused in status.stdout) == (3, True)
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
