"""Whether a server works is seen in its counters, or it is asked: one that is well by its own word may be deaf."""

import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import payload
from tests.payload.serving.place import Place, until
from tests.remote.fakes import SOON

HURRIED = {
    "LOOK_SECONDS": "0.2",
    "HURRY_SECONDS": "0.1",
    "ASK_SECONDS": "0.6",
    "PATIENCE": "0.5",
    "LOST_SECONDS": "1.5",
}
"""A second of these is a minute."""
SERVING = Path(payload.__file__).parent / "serving"
RECORDED = Path(__file__).with_name("metrics")
FOR_GOOD = {"LOST_SECONDS": "600", "UNCOUNTED_SECONDS": "600"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    place.furnish(**HURRIED)
    yield place
    place.clear()


def counts(place: Place) -> dict[str, int]:
    """How often the model was asked, and its metrics looked at."""
    with urllib.request.urlopen(f"http://127.0.0.1:{place.port}/asked", timeout=SOON) as answer:
        told: dict[str, int] = json.load(answer)
    return told


def looked_again(place: Place, times: int = 10) -> None:
    """Waits until the metrics were looked at so often."""
    before = counts(place)["looked"]
    until("its metrics are looked at", lambda: counts(place)["looked"] >= before + times)


def test_it_answers_once_it_has_given_a_token(place: Place) -> None:
    place.serve()
    assert counts(place)["asked"] == 1


def test_an_answer_is_told_at_once_however_seldom_one_that_answers_is_looked_at(place: Place) -> None:
    place.furnish(**HURRIED, TICK="600", HEALTH_SECONDS="600")
    place.serve()
    assert place.state()["first"]["path"] == "/v1/completions"


def test_one_that_is_asked_for_its_first_token_does_not_answer_yet(place: Place) -> None:
    place.start("mute")
    until("it is asked", lambda: place.state().get("asked"))
    assert place.look()["trouble"] == "it has not answered yet"


def test_one_whose_first_token_does_not_come_is_ended_and_says_so(place: Place) -> None:
    place.furnish(**HURRIED, FIRST_SECONDS="0.5")
    place.start("mute")
    place.becomes("ended")
    why = "vLLM is ready, and its first answer did not come: timed out"
    assert (place.state()["why"], place.state()["starts"]) == (why, 1)
    assert f"raycluster: {why}: it is ended\n" in place.log()
    until("nothing runs", lambda: not place.processes())


def test_one_that_fails_at_its_first_token_is_ended_at_once(place: Place) -> None:
    place.start("broken")
    place.becomes("ended")
    assert place.state()["why"].startswith(
        "vLLM is ready, and its first answer did not come: HTTP status 500: "
    )


@pytest.mark.parametrize("model", ["alphabet", "embeds", "hears", "uncounted"])
def test_one_that_nobody_uses_is_asked_now_and_then_and_a_refusal_is_an_answer(
    place: Place, model: str
) -> None:
    place.serve(model)
    before = counts(place)["asked"]
    until("it is asked again", lambda: counts(place)["asked"] >= before + 2)
    assert (place.state()["is"], place.look()["trouble"], place.state()["starts"]) == ("answering", "", 1)


def test_one_whose_tokens_grow_is_not_asked(place: Place) -> None:
    place.serve()
    place.get("/used")
    looked_again(place, 2)
    before = counts(place)["asked"]
    looked_again(place, 10)  # two seconds: three times as long as it takes to be asked
    assert counts(place)["asked"] == before
    assert place.state()["is"] == "answering"


def test_one_that_nobody_uses_is_asked_once_a_minute_and_no_more(place: Place) -> None:
    place.furnish(**HURRIED | {"ASK_SECONDS": "600"})
    place.serve()
    looked_again(place)
    assert counts(place)["asked"] == 1


def test_a_deaf_one_is_told_with_since_when(place: Place) -> None:
    place.furnish(**HURRIED | FOR_GOOD)
    began = time.time()
    place.serve()
    place.get("/deaf")
    place.becomes("unresponsive")
    told = place.look()
    assert began < told["state"]["since"] < told["now"] - 0.5  # as long as it has time for an answer
    assert told["trouble"]


@pytest.mark.parametrize("model", ["alphabet", "nameless"])
def test_a_deaf_one_is_started_again_and_the_log_says_why(place: Place, model: str) -> None:
    place.serve(model)
    before = place.server
    place.get("/deaf")
    place.becomes("answering", starts=2)
    assert place.server != before
    assert "raycluster: vLLM has answered nothing for " in place.log()
    assert "raycluster: vLLM had answered nothing for " in place.log()
    assert place.look()["trouble"] == ""


def test_one_that_answers_in_the_end_goes_on(place: Place) -> None:
    place.furnish(**HURRIED | FOR_GOOD)
    place.serve()
    first = place.state()["first"]
    place.get("/deaf")
    place.becomes("unresponsive")
    place.get("/idle")
    place.becomes("answering")
    assert "raycluster: vLLM answers again\n" in place.log()
    assert place.state()["first"] == first, "whoever has waited meanwhile is told it"


def test_a_busy_one_is_alive_however_long_a_question_waits(place: Place) -> None:
    place.serve()
    place.get("/busy")
    looked_again(place, 40)  # four seconds at least, of which one and a half would end a deaf one
    assert (place.state()["is"], place.state()["starts"]) == ("answering", 1)
    assert "answered nothing" not in place.log()


def test_one_that_is_asleep_is_left_alone(place: Place) -> None:
    place.serve()
    place.get("/asleep")
    looked_again(place)  # and the first request would have ended it
    assert (place.state()["is"], place.state()["starts"]) == ("answering", 1)


def test_it_is_looked_at_right_before_it_is_asked_for_it_may_have_gone_to_sleep(place: Place) -> None:
    place.furnish(**HURRIED | {"LOOK_SECONDS": "600", "ASK_SECONDS": "2"})
    place.serve()
    place.get("/asleep")
    until("it is looked at", lambda: counts(place)["looked"] > 0)
    assert counts(place)["asked"] == 1


def test_one_without_counters_may_be_busy_and_is_told_long_before_it_is_started_again(place: Place) -> None:
    place.furnish(**HURRIED | {"LOST_SECONDS": "0.5", "UNCOUNTED_SECONDS": "3"})
    place.serve("uncounted")
    place.get("/deaf")
    place.becomes("unresponsive")
    began = place.state()["since"]
    place.becomes("answering", starts=2)
    assert place.state()["since"] > began + 3


def test_one_that_fails_all_requests_is_told(place: Place) -> None:
    place.furnish(**HURRIED | FOR_GOOD)
    place.serve()
    place.get("/fails")
    place.becomes("unresponsive")
    assert place.look()["trouble"].startswith("HTTP status 500: ")


def test_an_engine_that_hangs_while_another_works_is_told_and_all_is_started_again(place: Place) -> None:
    place.serve("parallel")
    place.get("/stuck")
    place.becomes("unresponsive")
    assert place.state()["engine"] == "1"
    place.becomes("answering", starts=2)
    assert "raycluster: engine 1 of vLLM has answered nothing for " in place.log()
    assert "raycluster: engine 1 of vLLM had answered nothing for " in place.log()


def test_an_engine_that_hangs_and_tells_of_no_requests_is_found_in_turn(place: Place) -> None:
    place.serve("parallel")
    place.get("/hidden")
    place.becomes("unresponsive")
    assert place.state()["engine"] == "1"
    place.becomes("answering", starts=2)


def test_of_engines_that_have_nothing_to_do_while_another_works_each_is_asked_in_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = imported(monkeypatch)
    liveness = module.Liveness({})
    answer = module.server.Answer(module.server.QUESTIONS[0], "m", 200, "", 0.1)
    liveness.hear(answer)

    tokens = itertools.count()

    def next_to_ask() -> str:
        for _ in range(2):  # since an answer it knows no numbers
            liveness.clock += 30
            at_work = (next(tokens), 1, 1)
            lines = (
                f'vllm:generation_tokens_total{{engine="{at}"}} {each}.0\n' for at, each in enumerate(at_work)
            )
            liveness.see(200, "".join(lines))
        liveness.whom = str(liveness.stuck)
        liveness.hear(answer)
        return str(liveness.whom)

    assert [next_to_ask() for _ in range(4)] == ["1", "2", "1", "2"]


def test_an_engine_that_hangs_is_told_of_until_it_has_answered_also_once_no_other_works(place: Place) -> None:
    place.furnish(**HURRIED | FOR_GOOD)
    place.serve("parallel")
    place.get("/stuck")
    place.becomes("unresponsive")
    place.get("/deaf")  # both hang
    asked = counts(place)["asked"]
    until("it is asked again, and again", lambda: counts(place)["asked"] >= asked + 2)
    looked_again(place)
    assert (place.state()["is"], place.state()["engine"]) == ("unresponsive", "1")
    assert "answers again" not in place.log()
    place.get("/stale")  # it alone answers, asked by itself
    place.becomes("answering")


def test_where_no_engine_can_be_asked_by_itself_none_is_accused(place: Place) -> None:
    place.serve("parallel")
    place.get("/unruly")
    until("it is asked by itself", lambda: counts(place)["by"])
    looked_again(place)
    asked = counts(place)["by"]
    looked_again(place, 15)  # three seconds, of which one and a half would end a deaf one
    assert (place.state()["is"], place.state()["starts"], counts(place)["by"]) == ("answering", 1, asked)
    assert "answered nothing" not in place.log()
    place.get("/fails")
    place.becomes("unresponsive")


def test_an_engine_whose_counters_stand_still_and_that_answers_is_left_alone(place: Place) -> None:
    place.serve("parallel")
    place.get("/stale")
    until("it is asked by itself, again and again", lambda: counts(place)["by"] >= 3)
    assert (place.state()["is"], place.state()["starts"]) == ("answering", 1)
    assert "answered nothing" not in place.log()


def imported(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program, in this process."""
    monkeypatch.syspath_prepend(str(SERVING))
    for module in ("server", "liveness"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return importlib.import_module("liveness")


def test_of_several_that_stand_still_the_one_is_asked_that_was_heard_of_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = imported(monkeypatch)
    liveness = module.Liveness({})

    def sees(*tokens: int) -> str:
        liveness.clock += 20
        counters = (
            f'vllm:generation_tokens_total{{engine="{at}"}} {count}.0\nvllm:num_requests_running{{engine="{at}"}} 1.0\n'
            for at, count in enumerate(tokens)
        )
        liveness.see(200, "".join(counters))
        return str(liveness.stuck)

    assert [sees(1, 1, 1), sees(2, 2, 2), sees(2, 3, 2)] == ["", "", "0"]
    liveness.whom = "0"
    liveness.hear(module.server.Answer(module.server.QUESTIONS[0], "m", 200, "", 0.1))
    assert [sees(2, 3, 2), sees(2, 4, 2)] == ["", "2"]


def test_an_engine_that_has_let_a_question_wait_is_not_excused_by_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = imported(monkeypatch)
    liveness = module.Liveness({})
    question = module.server.QUESTIONS[0]
    liveness.hear(module.server.Answer(question, "m", 200, "", 0.1))
    liveness.whom, liveness.signs["1"], liveness.clock = "1", 0.0, 100.0
    for status in (0, 500):
        liveness.signs[""] = liveness.clock  # others work
        liveness.hear(module.server.Answer(question, "m", status, "", 60))
        assert (liveness.deaf, liveness.whom) == (True, "1")


def test_the_engine_that_hangs_is_found_in_what_vllm_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded of vLLM 0.32.0 with two data-parallel ranks, one of them stopped (SIGSTOP) under load."""
    liveness = imported(monkeypatch).Liveness({})

    def sees(name: str) -> str:
        liveness.clock += 20
        liveness.see(200, (RECORDED / f"{name}.txt").read_text())
        return str(liveness.stuck)

    names = ("idle", "busy", "hangs", "hangs-later", "hangs-alone")
    assert [sees(each) for each in names] == ["", "", "", "1", "1"]
    assert liveness.signs == {"": 100, "0": 100, "1": 60}
    assert sees("goes-on") == ""
    assert liveness.signs["1"] == 120


def test_who_wants_no_questions_has_none(place: Place) -> None:
    place.serve(liveness=False)
    place.get("/deaf")
    until("it would have been told", lambda: place.look()["now"] > place.state()["since"] + 2)
    assert {key: counts(place)[key] for key in ("asked", "looked")} == {"asked": 0, "looked": 0}
    assert place.state()["is"] == "answering"


def test_while_a_container_is_paused_nobody_is_deaf(place: Place) -> None:
    place.furnish(**HURRIED | {"STEP": "0.2"})
    place.serve()
    paused = (*place.supervisors(), place.server)
    for pid in paused:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)  # longer than a deaf one is left alone
    for pid in reversed(paused):
        os.kill(pid, signal.SIGCONT)
    looked_again(place)
    assert (place.state()["is"], place.state()["starts"]) == ("answering", 1)
    assert "answered nothing" not in place.log()


# --- while it loads ---


def test_of_rays_workers_those_of_another_model_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the names that Ray 2.60 gives their logs, and the first line of one that it started beforehand."""
    monkeypatch.syspath_prepend(str(SERVING))
    monkeypatch.delitem(sys.modules, "movement", raising=False)
    module = importlib.import_module("movement")

    def writes(name: str, title: str = "ray::RayWorkerProc", first: str = "") -> "subprocess.Popen[bytes]":
        with (tmp_path / name).open("w") as log:
            log.write(first)
            log.flush()
            return subprocess.Popen((title, "600"), executable="/bin/sleep", stdout=log)

    running = [
        writes(f"python-core-driver-01000000{'f' * 48}_295.log", "VLLM::EngineCore"),
        writes("worker-4cb2-01000000-1.out"),
        writes("worker-4cb3-ffffffff-2.out", first=":job_id:01000000\n:actor_name:RayWorkerProc\n"),
        writes("worker-4cb4-02000000-3.out"),
        writes("worker-4cb5-ffffffff-4.out", first=":job_id:02000000\n"),
        writes("worker-4cb6-ffffffff-5.out"),
    ]
    driver, *workers = [each.pid for each in running]
    own, beforehand, _, _, unknown = workers
    try:
        # A program that was just started has no command line for a moment.
        until("all are called so", lambda: all(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in workers))
        assert set(module.of_ray([driver])).intersection(workers) == {own, beforehand, unknown}
        assert set(module.of_ray([])) >= set(workers), "whose driver is not known"
    finally:
        for each in running:
            each.kill()
            each.wait()


@pytest.mark.parametrize("model", ["creeps", "reads"])
def test_a_load_goes_on_while_anything_moves(place: Place, model: str) -> None:
    place.furnish(COUNT_SECONDS="0.2")
    place.start(model, stalled_after=3)
    until(
        "longer than one that is still may take",
        lambda: place.state().get("moved", 0) > place.state()["since"] + 4,
    )
    assert place.state()["is"] == "starting"


@pytest.mark.parametrize("model", ["loads", "waits"])
def test_a_load_in_which_nothing_moves_is_ended_and_not_begun_again(place: Place, model: str) -> None:
    place.furnish(COUNT_SECONDS="0.2")
    place.start(model, stalled_after=1)
    place.becomes("ended")
    until("nothing runs", lambda: not place.processes())
    assert place.state()["why"] == "nothing had moved for 0 min while it loaded (serve.stalled_after)"
    assert place.state()["starts"] == 1
