"""`raycluster serve` where something fails, is lost or is interrupted, and what it leaves."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from orchestrator.plan.command import Command
from orchestrator.plan.lock import HELD
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli import serving
from tests.cli.conftest import INVENTORY, Raycluster, seen, sent
from tests.cli.serving import GATED, MODEL, UNASKED, interrupts, ready, supervisor, told
from tests.plan.recordings import Said, ray_line, ray_row, standing
from tests.plan.serving.worlds import ended, line, starting
from tests.remote.fakes import Answer, FakeFleet, reached

hosts_serve = serving.hosts_serve


def test_a_failure_is_told_with_its_root_cause_and_what_was_started_is_ended(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    lines = [GATED, *["RuntimeError: Engine core initialization failed. See root cause above."] * 30]
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**ended(*lines))))
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert f"✗ {MODEL} is not served\n" in serve.stderr
    assert "gpu1  wait until it answers: the model is gated" in serve.stderr
    assert "\n      | OSError: You are trying to access a gated repo.\n      → accept its" in serve.stderr
    assert "See root cause above" not in serve.stderr
    assert "Nothing of it is left running; `raycluster serve logs` shows all that it said.\n" in serve.stderr
    (log,) = (folder / "state").rglob("*-serve.log")
    assert f"log: {log}" in serve.stderr
    assert told(hosts_serve) == ["start", "inspect", "stop"]


def test_an_unknown_cause_leaves_its_last_words(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    hosts_serve.on(
        "gpu1", supervisor("inspect"), Output(0, line(**ended("so long", "and thanks", exit_code=-9)))
    )
    serve = raycluster("serve", MODEL)
    assert "vLLM ended with exit code 137\n      | so long\n      | and thanks\n" in serve.stderr


def test_a_model_that_fails_at_its_first_word_is_not_served(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + UNASKED)
    hosts_serve.on("gpu1", supervisor("ask"), Output(1, "", "HTTP status 500: boom"))
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert "gpu1  send it a request: HTTP status 500: boom (exit code 1)\n" in serve.stderr
    assert told(hosts_serve)[-1] == "stop"


def test_what_could_not_be_ended_is_not_said_to_be_gone(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**ended())))
    hosts_serve.on("gpu1", supervisor("stop"), Output(1, "", "these processes do not end: 77"))
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 1
    assert "stop vLLM: these processes do not end: 77 (exit code 1)\n" in serve.stderr
    assert "Nothing of it is left" not in serve.stderr
    assert "`raycluster serve stop` ends it" in serve.stderr


def test_ctrl_c_ends_what_was_started(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), interrupts)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (130, "")
    assert f"✗ {MODEL} is not served: interrupted\n" in serve.stderr
    assert "Nothing of it is left running" in serve.stderr
    assert told(hosts_serve)[-1] == "stop"


def test_ctrl_c_leaves_what_an_earlier_run_has_started(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    ready(hosts_serve, line(**starting()))
    hosts_serve.on("gpu1", supervisor("inspect"), interrupts)
    serve = raycluster("serve", MODEL, "--", "--max-model-len", "4096")
    assert serve.exit_code == 130
    assert "An earlier run has started it, and this one has ended nothing" in serve.stderr
    assert " tells how it is, `raycluster serve stop` ends it.\n" in serve.stderr
    assert told(hosts_serve) == ["inspect"]


@pytest.mark.parametrize("now", [{"stopped": {"model": MODEL, "at": 0}}, {}], ids=["stopped", "gone"])
def test_what_another_run_has_ended_is_not_to_be_stopped_once_more(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch, now: dict[str, Any]
) -> None:
    monkeypatch.setattr(Fleet, "timeouts", Timeouts(doubt=0.0))
    ready(hosts_serve, line(**starting()))
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(spec=None, **now)))
    serve = raycluster("serve", MODEL, "--", "--max-model-len", "4096")
    assert serve.exit_code == 1
    assert "this one has ended nothing: `raycluster serve status` tells how it is.\n" in serve.stderr


def test_a_connection_that_is_lost_while_it_loads_leaves_it_there(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    gone = Failure(FailureKind.UNREACHABLE, "does not answer any more")
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), gone)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert f"✗ whether {MODEL} is served is not known: gpu1: does not answer any more\n" in serve.stderr
    assert "It may still run there: `raycluster serve status` tells" in serve.stderr
    assert told(hosts_serve) == ["start", "inspect", "inspect"]


def test_a_lock_that_is_lost_while_it_starts_leaves_it_there(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    """The step that meets the loss first may not undo what was begun: the lock goes the same way."""
    lost, stopped = Event(), Event()
    gone = Failure(FailureKind.UNREACHABLE, "gpu1 does not answer any more")

    def misses(_command: Command, _cancel: Event) -> Answer:
        lost.set()
        return gone

    def stops(_command: Command, _cancel: Event) -> Answer:
        stopped.set()
        return Output(0)

    def misses_a_little_later(_command: Command, _cancel: Event) -> Answer:
        stopped.wait(0.5)
        return gone

    hosts_serve.streams("gpu1", sent("hold-lock"), HELD, lost, misses_a_little_later)
    hosts_serve.on("gpu1", supervisor("start"), misses)
    hosts_serve.on("gpu1", supervisor("stop"), stops)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert "its lock on gpu1 was lost: gpu1 does not answer any more" in serve.stderr
    assert "It may still run there: `raycluster serve status` tells" in serve.stderr
    assert told(hosts_serve) == ["start"]


def test_while_it_loads_others_may_have_the_lock_which_is_taken_again_to_clean_up(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed, locks = Event(), list[str]()

    def frees(_command: Command, cancel: Event) -> Answer:
        assert reached(cancel)
        freed.set()
        return Failure(FailureKind.CANCELLED, "cancelled")

    def waits_without_it(_command: Command, _cancel: Event) -> Answer:
        assert reached(freed)
        return Output(0, line(**ended(GATED)))

    def first(command: Command) -> bool:
        is_one = sent("hold-lock")(command)
        locks.extend(["taken"] * is_one)
        return is_one and len(locks) == 1

    hosts_serve.on("gpu1", supervisor("inspect"), waits_without_it)
    hosts_serve.on("gpu1", supervisor("start"), Output(0, "17a\n"))
    hosts_serve.streams("gpu1", sent("hold-lock"), "4711", "1000", "ben@desk", "up", "1065", Output(75))
    hosts_serve.streams("gpu1", first, HELD, frees)
    monkeypatch.setattr("orchestrator.cli.run.session.LOCK_SECONDS", 1.0)
    monkeypatch.setattr("orchestrator.cli.run.session.LOCK_AGAIN", 0.02)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, len(locks) > 2) == (1, True)
    assert "! gpu1: waits for its turn: cluster demo is locked: ben@desk has run" in serve.stderr
    assert "the model is gated" in serve.stderr
    assert "It may still run there: `raycluster serve status` tells" in serve.stderr
    assert told(hosts_serve)[-1] == "inspect"
    locks.clear()
    assert "Nothing of it is left running" not in serve.stderr
    hosts_serve.streams("gpu1", sent("hold-lock"), HELD, frees)
    serve = raycluster("serve", MODEL)
    assert "Nothing of it is left running" in serve.stderr
    assert hosts_serve.sent[-1].command.argv[-3:] == ("stop", "qwen3-32b", "17a")


@pytest.mark.parametrize("now", [{}, standing("raycluster-demo-gpu1", Id="another")], ids=["down", "restart"])
def test_a_server_whose_container_is_gone_while_it_loads_is_not_said_to_run_on(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch, now: dict[str, Said]
) -> None:
    """As after a `down` or `restart` from another terminal."""
    monkeypatch.setattr(Fleet, "timeouts", Timeouts(doubt=0.0))
    gone = Event()

    def no_container(_command: Command, _cancel: Event) -> Answer:
        gone.set()
        return Output(1, "", "Error response from daemon: No such container: raycluster-demo-gpu1\n")

    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))
    standing_now = seen("10.0.0.1", **standing("raycluster-demo-gpu1"), ray=table)
    looks = lambda *_: seen("10.0.0.1", **now) if gone.is_set() else standing_now  # noqa: E731
    hosts_serve.on("gpu1", sent("observe"), looks)
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), no_container)
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 1
    assert f"✗ {MODEL} is not served\n" in serve.stderr
    assert "nothing of the server is there any more: has its container ended?" in serve.stderr
    assert "      | Error response from daemon: No such container: raycluster-demo-gpu1\n" in serve.stderr
    assert "Nothing of it is left: its container is gone.\n" in serve.stderr
    assert "may still run" not in serve.stderr
    assert told(hosts_serve) == ["start", "inspect", "inspect"]


@pytest.mark.parametrize("words", [(MODEL,), ("stop",)])
def test_a_cluster_that_another_run_works_on_is_left_alone(
    words: tuple[str], hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    hosts_serve.streams("gpu1", sent("hold-lock"), "4711", "1000", "ben@desk", "up", "1065", Output(75))
    serve = raycluster("serve", *words)
    assert (serve.exit_code, serve.stdout) == (4, "")
    assert "cluster demo is locked: ben@desk has run `raycluster up` for 65 s" in serve.stderr
    assert len(hosts_serve.sent) == 1


def test_another_serve_that_starts_something_is_waited_for(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = list[str]()

    def is_first(command: Command) -> bool:
        is_one = sent("hold-lock")(command)
        locks.extend(["asked"] * is_one)
        return is_one and len(locks) <= 2

    monkeypatch.setattr("orchestrator.cli.run.session.LOCK_AGAIN", 0.02)
    hosts_serve.streams("gpu1", is_first, "4711", "1000", "ben@desk", "serve", "1003", Output(75))
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, len(locks)) == (0, 3)
    waits = (
        "! gpu1: waits for its turn: cluster demo is locked: ben@desk has run `raycluster serve` for 3 s\n"
    )
    assert waits in serve.stderr
    assert f"{MODEL} answers at" in serve.stdout
