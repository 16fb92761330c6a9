"""Several servers in one container: each by its name, and none knows of another."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.payload.serving.place import Place, free_port, lives, until


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
