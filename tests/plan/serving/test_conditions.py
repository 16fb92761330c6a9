"""What `serve` waits for: an answer, or the certainty that none will come."""

import json
from typing import Any

import pytest

from orchestrator.model.cluster import Accelerator
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving import known_causes
from orchestrator.plan.serving.health import LAST_LINES, ServerAnswers
from orchestrator.plan.steps import NotYet, Ready
from orchestrator.plan.typed import ours
from tests.plan.serving.worlds import FIRST, QWEN, URL, ended, line, starting, told, unresponsive
from tests.plan.worlds import NOW
from tests.typed_lines import plainly

GATED = "(EngineCore_0 pid=7) OSError: You are trying to access a gated repo."


def judged(text: str, exit_code: int = 0) -> Ready | NotYet | Problem:
    return ServerAnswers()(exit_code, text, "")


def test_it_answers() -> None:
    assert judged(line()) == Ready(f"answers at {URL}", json.dumps(FIRST))


def test_of_several_only_its_own_line_counts() -> None:
    both = f"{line(server='one')}\n{line(server='two', **starting('Starting to load model x'))}"
    assert ServerAnswers(name="one")(0, both, "") == Ready(f"answers at {URL}", json.dumps(FIRST))
    assert ServerAnswers(name="two")(0, both, "") == NotYet("loads the model", still=0)
    gone = ServerAnswers(name="three")(0, both, "")
    assert gone == Problem("nothing of the server is there any more: has its container ended?")


def test_one_that_somebody_has_stopped_is_told_as_that() -> None:
    stopped = line(server="one", spec=None, stopped={"model": "org/one", "at": NOW})
    assert ServerAnswers(name="one")(0, stopped, "") == Problem("another run has stopped it")


def test_one_that_waits_for_ray_or_loads_says_how_far_it_is() -> None:
    waiting = {"state": {"is": "waiting", "since": NOW}, "trouble": "Connection refused"}
    assert judged(line(**waiting)) == NotYet("waits for Ray")
    assert judged(line(**starting("Starting to load model x"))) == NotYet("loads the model", still=0)
    asked = starting("Application startup complete", asked=True)
    assert judged(line(**asked)) == NotYet("is asked for its first token", still=0)


def test_one_that_has_answered_and_is_not_well_is_not_said_to_load() -> None:
    assert judged(line(trouble="HTTP status 503")) == NotYet("does not answer now: HTTP status 503")


ELSEWHERE = "give vLLM its address: " + ours(
    "serve", QWEN.name, "--", *QWEN.args, "--host", "ADDRESS", "--port", "PORT"
)


def test_one_that_is_ready_and_answers_elsewhere_is_hopeless() -> None:
    why = f"vLLM says that it listens at http://0.0.0.0:9000, and {URL} does not answer: Connection refused"
    assert judged(line(**starting("INFO: Application startup complete.", why=why))) == Problem(why, ELSEWHERE)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://0.0.0.0:9000", ("--host", "0.0.0.0", "--port", "9000")),
        ("https://[fd00::1]:8000", ("--host", "fd00::1", "--port", "8000")),
    ],
)
def test_where_it_says_that_it_listens_is_what_it_is_to_be_told(address: str, words: tuple[str, ...]) -> None:
    says = f"(APIServer pid=1) INFO 11-24 12:00:09 [api_server.py:580] Starting vLLM server on {address}"
    found = judged(line(**starting(says, "INFO: Application startup complete.", why="it answers elsewhere")))
    assert isinstance(found, Problem)
    assert found.fix == f"give vLLM its address: {ours('serve', QWEN.name, '--', *QWEN.args, *words)}"


SIZES = {"spec": told()["spec"] | {"words": ["--tensor-parallel-size", "8", "--pipeline-parallel-size", "2"]}}


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            "NotImplementedError: Pipeline parallelism is not supported for this model. Supported models",
            "--pipeline-parallel-size 1 --tensor-parallel-size 16",
        ),
        (
            "ValueError: The input size is not aligned with the quantized weight shape.",
            "--tensor-parallel-size 4 --pipeline-parallel-size 4",
        ),
    ],
)
def test_a_cause_that_wants_other_sizes_names_them_where_those_that_it_has_are_known(
    log: str, words: str
) -> None:
    found = judged(line(**ended(log), **SIZES))
    assert isinstance(found, Problem)
    assert ours("serve", QWEN.name, "--", *QWEN.args, *words.split()) in found.fix


@pytest.mark.parametrize(
    ("accelerator", "look"),
    [
        (Accelerator.NVIDIA, "nvidia-smi"),
        (Accelerator.ASCEND, "npu-smi info"),
        (Accelerator.NONE, "top -bn1"),
    ],
)
def test_a_load_in_which_nothing_moves_for_a_quarter_of_an_hour_says_so_and_where_to_look(
    accelerator: Accelerator, look: str
) -> None:
    def looked(still: float) -> Ready | NotYet | Problem:
        loads = starting("Starting to load model x", moved=NOW - still)
        return ServerAnswers(accelerator)(0, line(**loads), "")

    assert looked(899) == NotYet("loads the model", still=899)
    silent = "loads the model; nothing has moved for {} min: does `{}` on its hosts show it at work?"
    for still, minutes in ((900, 15), (1799, 15), (1800, 30)):  # told anew each quarter, and not each second
        assert looked(still) == NotYet(silent.format(minutes, look), still=still)


@pytest.mark.parametrize(
    "now",
    [unresponsive(), {"trouble": "timed out"}, ended() | {"supervised": True}],
    ids=["deaf", "hangs", "ended"],
)
def test_only_a_load_that_moves_gives_a_wait_more_time(now: dict[str, Any]) -> None:
    waits = judged(line(**now))
    assert isinstance(waits, NotYet)
    assert waits.still is None


def test_one_that_ends_again_and_again_is_not_waited_for() -> None:
    again = ended(failures=2) | {"supervised": True}
    assert isinstance(judged(line(**again)), NotYet)
    never = judged(line(**ended(GATED, failures=3) | {"supervised": True}))
    assert isinstance(never, Problem)
    assert never.text == "the model is gated, and its host gave no token that may read it, 3 times in a row"


def test_ranks_that_do_not_come_are_not_waited_for_without_end() -> None:
    def told(seconds: float) -> Ready | NotYet | Problem:
        state = {"is": "waiting", "since": NOW - seconds, "missing": ["gpu3"]}
        return judged(line(state=state, trouble="waiting"))

    assert told(599) == NotYet("waits for gpu3")
    assert told(600) == Problem("waits for gpu3, for 10 min now", ours("status"))


def test_one_that_hangs_after_it_has_answered_is_waited_for() -> None:
    assert isinstance(judged(line(trouble="timed out")), NotYet)


def test_one_that_ended_and_is_started_again_is_waited_for() -> None:
    assert isinstance(judged(line(**ended() | {"supervised": True})), NotYet)


def test_one_that_ended_without_an_answer_is_hopeless_and_its_cause_told() -> None:
    never = judged(line(**ended("INFO all is well", GATED, "RuntimeError: See root cause above")))
    assert isinstance(never, Problem)
    assert never.text == "the model is gated, and its host gave no token that may read it"
    assert (never.exit_code, never.detail) == (1, GATED.partition(") ")[2])
    assert "HF_TOKEN" in never.fix


def test_one_whose_cause_nobody_knows_is_told_with_its_last_lines() -> None:
    lines = [f"line {number}" for number in range(40)]
    never = judged(line(**ended(*lines)))
    assert isinstance(never, Problem)
    assert never.text == "vLLM ended with exit code 1"
    assert never.detail.splitlines() == lines[-LAST_LINES:]


def test_one_whose_keeper_was_killed_is_hopeless_and_no_exit_code_invented() -> None:
    never = judged(line(**starting() | {"supervised": False}))
    assert isinstance(never, Problem)
    assert never.text == "what kept vLLM running in the container is gone"
    assert never.exit_code is None


@pytest.mark.parametrize("exit_code", [124, 137])
def test_a_look_that_takes_too_long_says_nothing_of_the_model(exit_code: int) -> None:
    assert isinstance(judged("", exit_code), NotYet)


@pytest.mark.parametrize("text", ["", "garbage"])
def test_where_nothing_is_there_any_more_nothing_is_waited_for(text: str) -> None:
    never = judged(text)
    assert isinstance(never, Problem)
    assert never.text.startswith("nothing of the server is there any more")


@pytest.mark.parametrize("text", ["", line()])
def test_a_look_that_fails_may_be_dockers_own_and_is_believed_after_a_while(text: str) -> None:
    once = judged(text, 1)
    assert isinstance(once, NotYet)
    assert once.doubt == judged("")


def test_one_with_ranks_on_other_hosts_is_gone_at_once_because_they_end_with_it() -> None:
    assert ServerAnswers(has_ranks=True)(1, "", "") == judged("")


MEMORY = "ValueError: Free memory on device npu:0 (1.0/60.0 GiB) on startup is less than desired GPU memory utilization"
HELD = (
    "(EngineCore pid=7) INFO [ray_utils.py:1] Waiting for creating a placement group of specs for 70 seconds."
)


def test_what_is_told_fits_the_accelerator_of_the_host() -> None:
    waits = ServerAnswers(Accelerator.ASCEND)
    never = waits(0, line(**ended(MEMORY)), "")
    assert isinstance(never, Problem)
    assert "npu-smi info" in plainly(never.fix)
    assert waits(0, line(**starting(HELD)), "") == Problem(
        "Ray has had no NPUs for it for 70 s", fix=known_causes.HELD
    )
