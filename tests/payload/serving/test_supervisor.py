"""The supervisor, run as it is run inside a container: real processes, and a server that stands in for vLLM."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.payload.serving.place import Place, free_port, lives, until
from tests.remote.fakes import SOON

STATES = ("waiting", "starting", "answering")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    place.furnish()
    yield place
    place.clear()


def test_a_server_that_answers_is_told_with_the_name_that_it_has(place: Place) -> None:
    place.serve("alphabet", "--served-model-name", "abc")
    told = place.look()
    assert (told["supervised"], told["trouble"], told["name"]) == (True, "", "abc")
    assert told["spec"]["model"] == "alphabet"
    assert told["spec"]["url"] == f"http://127.0.0.1:{place.port}"
    assert (told["state"]["is"], told["state"]["starts"]) == ("answering", 1)
    assert told["lines"] == []


def test_a_look_that_waits_is_told_of_each_change_and_of_an_answer_at_once(place: Place) -> None:
    place.start("alphabet")
    told = [place.look(SOON)["state"]["is"]]
    while told[-1] != "answering" and len(told) < len(STATES):
        told.append(place.look(SOON)["state"]["is"])
    assert told[-1] == "answering"
    assert told == [each for each in STATES if each in told]


def test_a_look_waits_no_longer_than_it_is_told(place: Place) -> None:
    place.start("loads")
    place.becomes("starting")
    assert place.look(0.1)["state"]["is"] == "starting"


def test_of_one_that_answers_and_is_not_well_a_look_waits_for_a_change(place: Place) -> None:
    place.serve()
    place.get("/sick")
    began = time.monotonic()
    assert place.look(1)["trouble"] == "HTTP status 503"
    assert time.monotonic() - began > 1


def test_of_one_that_nobody_supervises_a_look_waits_for_nothing(place: Place) -> None:
    place.start("gated")
    place.becomes("ended")
    until("nothing runs", lambda: not place.processes())
    began = time.monotonic()
    assert place.look(SOON)["state"]["is"] == "ended"
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_has_answered_is_started_again_whenever_it_ends(place: Place, how: signal.Signals) -> None:
    place.serve()
    before = place.server
    os.kill(before, how)
    place.becomes("answering", starts=2)
    assert place.server != before
    assert not lives(before)
    assert (place.state()["exit_code"], place.look()["trouble"]) == (-how, "")


def test_one_that_never_answered_is_not_and_its_keeper_leaves(place: Place) -> None:
    place.start("gated")
    place.becomes("ended")
    until("nothing runs", lambda: not place.processes())
    told = place.look()
    assert (told["supervised"], told["state"]["exit_code"], told["state"]["starts"]) == (False, 1, 1)
    assert any("Cannot access gated repo" in line for line in told["lines"])
    assert place.supervisor("run").returncode == 0
    assert place.state()["starts"] == 1


def test_what_it_was_given_reaches_the_server_word_for_word(place: Place) -> None:
    words = ("--x", "a b", "$HOME", "`id`; 'quoted' \"twice\"", "", "*", "\n", "ü\u202e")
    place.serve("some model; rm -rf /", *words)
    (told,) = (line for line in place.log().splitlines() if line.startswith("words "))
    assert json.loads(told.removeprefix("words "))[1] == "some model; rm -rf /"
    assert tuple(json.loads(told.removeprefix("words "))[-len(words) :]) == words


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("no-vllm-here", "serve"), "no-vllm-here: No such file or directory"),
        (("vllm\0", "serve"), "vllm\0: embedded null byte"),
    ],
)
def test_a_program_that_cannot_be_begun_is_an_end_with_a_reason(
    place: Place, argv: tuple[str, ...], said: str
) -> None:
    place.start("alphabet", argv=argv)
    place.becomes("ended")
    told = place.look()
    assert (told["state"]["exit_code"], told["lines"]) == (127, [said])


def test_it_waits_for_ray(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gcs:
        address = gcs.getsockname()
    place.start("alphabet", after=address)
    place.becomes("waiting", starts=0)
    assert not place.log()
    with socket.create_server(address):
        place.becomes("answering")


def test_a_server_does_not_begin_where_another_answers_that_would_be_taken_for_it(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        place.start("alphabet")
        place.becomes("ended")
    assert "Address already in use" in place.log()
    assert "pid " not in place.log()


def test_one_that_says_it_is_ready_and_does_not_answer_is_told_with_where_it_listens(place: Place) -> None:
    place.furnish(DEAF_SECONDS="0.2")
    elsewhere = f"http://127.0.0.1:{free_port()}"
    place.start("alphabet", url=elsewhere)
    until("it is told", lambda: "why" in place.state())
    listens = f"http://127.0.0.1:{place.port}"
    why = f"vLLM says that it listens at {listens}, and {elsewhere} does not answer: [Errno 111] Connection refused"
    told = place.look()
    assert (told["state"]["is"], told["state"]["why"], told["supervised"]) == ("starting", why, True)


def test_one_that_loads_is_not_said_to_be_deaf(place: Place) -> None:
    place.furnish(DEAF_SECONDS="0.1")
    place.start("loads")
    until("it has waited", lambda: place.look()["now"] > place.state()["since"] + 0.5)
    assert "why" not in place.state()


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("0.11.0", "the image's vLLM is 0.11.0, and --nnodes came with 0.11.1: set `image` to a newer one\n"),
        (
            "0.10.2.post1+cu12",
            "the image's vLLM is 0.10.2.post1+cu12, and --nnodes came with 0.11.1: set `image`",
        ),
        ("0.11.1", ""),
        ("0.33.0+cpu", ""),
        ("0.1.dev9+g1234567", ""),  # built without tags
        ("0.11.0rc3.dev1+gabc", ""),
    ],
)
def test_an_image_whose_vllm_is_too_old_is_told_before_it_starts(
    place: Place, version: str, why: str
) -> None:
    about = place.folder / "vllm-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    needs = {"--nnodes": "0.11.1"}
    started = place.supervisor("start", place.spec("alphabet", needs=needs))
    assert started.stderr.startswith(why)
    assert (started.returncode, bool(place.processes())) == (bool(why), not why)


def test_who_asks_one_that_has_just_ended_is_told_why(place: Place) -> None:
    place.serve()
    place.kill_keeper()
    place.kill(place.server)
    state = place.state() | {"is": "ended", "why": "vLLM on gpu2 ended with exit code 1"}
    (place.files / "state.json").write_text(json.dumps(state))
    asked = place.supervisor("ask", place.name)
    assert (asked.returncode, asked.stderr) == (1, "vLLM on gpu2 ended with exit code 1\n")


def test_what_speaks_no_http_does_not_answer(place: Place) -> None:
    place.start("mumbles")
    until("it is asked", lambda: "Application startup complete" in place.log())
    told = place.look()
    assert (told["supervised"], told["trouble"]) == (True, "it has not answered yet")


# --- the end ---


@pytest.mark.parametrize("model", ["alphabet", "parent", "deaf", "loads"])
def test_stop_leaves_nothing_of_the_server(place: Place, model: str) -> None:
    place.furnish(END_SECONDS="0.5")
    place.start(model)
    told = place.server if model != "parent" else place.said("child")
    place.becomes("starting" if model == "loads" else "answering")
    assert lives(told)
    stopped = place.supervisor("stop", place.name)
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert place.servers() == []  # its supervisor has let go, and may be on its way out
    until("it is gone too", lambda: not place.processes())
    assert place.look()["spec"] is None
    assert "pid " in place.log()


def test_stop_is_heard_while_it_waits_for_ray_and_when_there_is_nothing(place: Place) -> None:
    place.start("alphabet", after=["127.0.0.1", place.port])
    place.becomes("waiting", starts=0)
    assert place.supervisor("stop", place.name).returncode == 0
    assert place.supervisor("stop", place.name).returncode == 0
    assert not place.processes()


def test_what_a_server_leaves_that_ends_by_itself_is_ended_too(place: Place) -> None:
    place.serve("parent")
    child = place.said("child")
    place.kill(place.server)
    place.becomes("answering", starts=2)
    assert not lives(child)


def test_stop_leaves_nothing_though_the_keeper_was_killed(place: Place) -> None:
    place.serve("parent")
    place.kill_keeper()
    assert len(place.processes()) == 2
    assert not place.look()["supervised"]
    assert place.supervisor("stop", place.name).returncode == 0
    assert not place.processes()


def test_start_replaces_what_was_there(place: Place) -> None:
    place.serve("parent")
    before = {place.server, place.said("child"), *place.supervisors()}
    place.serve("embeds")
    assert not any(map(lives, before))
    assert len(place.supervisors()) == 1
    assert place.look()["name"] == "embeds"
    assert "child" not in place.log()


# --- a container that starts again, a supervisor that is killed ---


def test_what_was_served_when_the_container_ended_is_served_again(place: Place) -> None:
    place.serve()
    place.kill(*place.processes())
    place.begin("run")
    place.becomes("answering", starts=2)
    assert place.look()["trouble"] == ""


def test_one_that_still_loaded_when_the_container_ended_loads_again(place: Place) -> None:
    place.start("loads")
    place.becomes("starting")
    place.kill(*place.processes())
    place.begin("run")
    place.becomes("starting", starts=2)


def test_a_container_that_starts_again_serves_nothing_that_was_stopped(place: Place) -> None:
    place.serve()
    assert place.supervisor("stop", place.name).returncode == 0
    assert place.supervisor("run").returncode == 0
    assert not place.processes()


def test_a_keeper_that_comes_back_leaves_no_second_server(place: Place) -> None:
    place.serve()
    orphan = place.server
    place.kill_keeper()
    place.begin("run")
    place.becomes("answering", starts=2)
    assert not lives(orphan)


def test_of_many_keepers_one_stays_however_often_it_is_looked_at_meanwhile(place: Place) -> None:
    place.serve()
    place.kill(*place.processes())
    many = [place.begin(*words) for _ in range(4) for words in (("inspect", "1"), ("run", place.name))]
    place.becomes("answering", starts=2)
    until("the others leave", lambda: sum(each.poll() is None for each in many) == 1)
    assert len(place.supervisors()) == 1
    assert len(place.processes()) == 2


@pytest.mark.parametrize("left", ['{"is": "answeri', ""])
def test_a_state_that_was_cut_in_the_middle_of_a_write_does_no_harm(place: Place, left: str) -> None:
    place.serve()
    place.kill(*place.processes())
    (place.files / "state.json").write_text(left)
    (place.files / "state.json.new").write_text(left)
    assert place.look()["supervised"] is False
    place.begin("run")
    place.becomes("answering")


def test_an_order_that_was_cut_in_the_middle_of_a_write_is_none(place: Place) -> None:
    place.files.mkdir(parents=True)
    (place.files / "spec.json").write_text('{"model": "alpha')
    assert place.supervisor("run").returncode == 0
    assert place.look()["spec"] is None
    place.serve()


# --- looking ---


def test_one_that_accepts_no_request_any_more_is_told_of_within_seconds(place: Place) -> None:
    place.serve()
    before = place.server
    place.get("/hang")
    began = time.monotonic()
    told = place.look()
    assert time.monotonic() < began + 10
    assert (told["supervised"], told["trouble"]) == (True, "timed out")
    assert (place.server, place.state()["is"]) == (before, "answering")


def test_one_that_is_not_well_says_so(place: Place) -> None:
    place.serve()
    place.get("/sick")
    told = place.look()
    assert (told["trouble"], told["name"]) == ("HTTP status 503", "")
    assert told["lines"]


def test_where_nothing_was_ever_served_there_is_nothing_to_tell(place: Place) -> None:
    told = place.look()
    assert (told["spec"], told["supervised"], told["lines"]) == (None, False, [])


# --- asking for a word ---


@pytest.mark.parametrize(("model", "status"), [("alphabet", 200), ("embeds", 404), ("hears", 501)])
def test_a_model_is_asked_for_a_word_and_one_that_has_none_has_answered_too(
    place: Place, model: str, status: int
) -> None:
    place.serve(model)
    told = json.loads(place.supervisor("ask", place.name).stdout)
    assert (told["name"], told["status"]) == (model, status)


def test_a_model_that_fails_at_its_first_word_does_not_answer(place: Place) -> None:
    place.start("broken", liveness=False)
    place.becomes("answering")
    asked = place.supervisor("ask", place.name)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert asked.stderr.startswith("HTTP status 500: ")


@pytest.mark.parametrize("given", ["argument", "environment", "wrong"])
def test_it_has_the_servers_key_from_its_arguments_or_from_the_environment(place: Place, given: str) -> None:
    key = {"VLLM_API_KEY": "s3cret"} if given == "environment" else {}
    args = () if key else ("--api-key", "s3cret")
    spec = place.spec("alphabet", *args, key="s3cret" if given == "argument" else "", env=key)
    assert place.supervisor("start", spec).returncode == 0
    place.becomes("answering")
    told = json.loads(place.supervisor("ask", place.name, **key).stdout)
    assert told["status"] == (401 if given == "wrong" else 200)


# --- the log ---


def test_a_log_that_grows_beyond_its_limit_begins_anew_and_keeps_what_was_before(place: Place) -> None:
    place.furnish(LOG_BYTES="300_000")
    place.serve()
    for _ in range(3):
        place.get("/talk")
    until("it is all there", (place.files / "vllm.log.1").exists)
    until("it is small again", lambda: (place.files / "vllm.log").stat().st_size < 400_000)
    assert (place.files / "vllm.log.1").stat().st_size < 400_000


def test_a_full_disk_neither_ends_a_server_nor_makes_it_stand_still(place: Place) -> None:
    place.serve()
    (place.files / "vllm.log").unlink()
    (place.files / "vllm.log").symlink_to("/dev/full")
    assert place.get("/talk").startswith(b"HTTP/1.0 200")
    assert place.look()["trouble"] == ""
    assert len(place.supervisors()) == 1
