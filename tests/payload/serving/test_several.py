"""Several servers in one container: each by its name, and none knows of another."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.payload.serving.place import Place, free_port, lives, until
from tests.remote.fakes import SOON


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, name="one")
    place.furnish()
    yield place
    place.clear()


@pytest.fixture
def two(one: Place) -> Iterator[Place]:
    place = replace(one, name="two", port=free_port())
    yield place
    place.clear()


def looked(place: Place) -> dict[str, Any]:
    """What is told of all servers, by name."""
    told = [json.loads(line) for line in place.supervisor("inspect", "50").stdout.splitlines()]
    return {each["server"]: each for each in told}


def test_both_answer_each_by_its_own_name_port_and_log(one: Place, two: Place) -> None:
    one.serve("alphabet")
    two.serve("numbers")
    told = looked(one)
    assert {name: (each["name"], each["trouble"]) for name, each in told.items()} == {
        "one": ("alphabet", ""),
        "two": ("numbers", ""),
    }
    assert (f"pid {one.server}" in two.log(), f"pid {two.server}" in two.log()) == (False, True)
    assert json.loads(two.supervisor("ask", "two").stdout)["name"] == "numbers"


def test_one_that_is_stopped_killed_or_replaced_leaves_the_other_alone(one: Place, two: Place) -> None:
    one.serve("parent")
    two.serve("numbers")
    stays = two.server
    one.kill(one.server)
    one.becomes("answering", starts=2)
    one.serve("embeds")
    assert one.supervisor("stop", "one").returncode == 0
    assert not one.processes()
    assert (two.server, two.state()["starts"], two.look()["trouble"]) == (stays, 1, "")


def test_a_container_that_starts_again_serves_all_that_it_served(one: Place, two: Place) -> None:
    one.serve("alphabet")
    two.serve("numbers")
    one.kill(*one.processes())
    two.kill(*two.processes())
    one.begin("run")
    one.becomes("answering", starts=2)
    two.becomes("answering", starts=2)


def test_who_waits_for_several_is_told_when_one_changes_answers_or_is_given_up(
    one: Place, two: Place
) -> None:
    one.start("loads")
    one.becomes("starting")
    two.start("alphabet")
    told: dict[str, dict[str, Any]] = {"two": {"state": {"is": ""}}}
    while told["two"]["state"]["is"] != "answering":
        told = one.look_at("one", "two", seconds=SOON)
    assert told["one"]["state"]["is"] == "starting"
    began = time.monotonic()
    one.look_at("one", "two", seconds=SOON)
    assert time.monotonic() - began < SOON / 2, "an answer is told at once, also to who looks later"
    two.start("gated")
    while told["two"]["supervised"]:
        told = one.look_at("one", "two", seconds=SOON)
    assert (told["two"]["state"]["is"], told["one"]["state"]["is"]) == ("ended", "starting")
    assert list(one.look_at("one", seconds=0.1)) == ["one"]


def test_only_the_start_that_is_meant_is_ended(one: Place) -> None:
    first = one.start("loads")
    again = one.start("loads")
    assert first != again
    stale = one.supervisor("stop", "one", first)
    assert (stale.returncode, "another run has started it anew" in stale.stderr) == (1, True)
    assert one.supervisors()
    assert one.supervisor("stop", "one", again).returncode == 0
    assert not one.processes()
    assert one.supervisor("stop", "one", first).returncode == 0, "nothing of it is left"


def test_one_that_hangs_does_not_keep_the_others_from_being_told(one: Place, two: Place) -> None:
    one.serve("alphabet")
    two.serve("numbers")
    one.get("/hang")
    told = looked(one)
    assert (told["one"]["trouble"], told["two"]["trouble"]) == ("timed out", "")


def test_one_that_was_stopped_is_told_as_such_and_its_log_stays_until_it_is_served_anew(
    one: Place, two: Place
) -> None:
    one.serve("alphabet")
    two.serve("numbers")
    one.supervisor("stop", "one")
    told = looked(one)
    assert (told["one"]["spec"], told["one"]["stopped"]["model"]) == (None, "alphabet")
    assert "words " in one.log()
    one.serve("letters")
    assert looked(one)["one"]["spec"]["model"] == "letters"
    assert '"alphabet"' not in one.log()


def test_a_server_of_a_version_without_names_is_told_stopped_and_served_again(one: Place) -> None:
    """Its files are beside the programs, and there are no words for its name."""
    nameless = replace(one, name="", port=free_port())
    spec = json.loads(nameless.spec("numbers"))
    (one.folder / "spec.json").write_text(json.dumps(spec))
    one.begin("run")
    nameless.becomes("answering")
    one.serve("alphabet")
    told = looked(one)
    assert {name: each["name"] for name, each in told.items()} == {"": "numbers", "one": "alphabet"}
    assert json.loads(one.supervisor("ask").stdout)["name"] == "numbers"
    old = nameless.server
    one.serve("numbers")  # by its name now, and once
    until("the nameless one is gone", lambda: not lives(old))
    assert list(looked(one)) == ["one"]
