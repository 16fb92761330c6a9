"""A failed run as people read it: what, where, the last words, what to do, what was not attempted."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from rich.text import Text

from orchestrator.cli.output.console import explain, for_people, gathered, notice, printable
from orchestrator.cli.output.jsonl import Failed, Member, Result, ServeEnded, emit, failed
from orchestrator.cli.run.operation import RunResult
from orchestrator.cli.run.run_log import Mask, append_end
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import HANGS, hint
from orchestrator.plan.steps import Run, Step
from orchestrator.remote.execute.events import Status, StepEnded
from orchestrator.remote.transport import Failure, FailureKind

LAST_LINES = 12
FRAME = re.compile(r'  File ".*", line \d+')
AROUND_FRAMES = re.compile(r"Traceback \(most recent call last\):|  \[Previous line repeated")


def conclude(
    done: RunResult,
    message: str,
    what_now: str,
    unlike: Sequence[Failed] = (),
    members: Sequence[Member] = (),
    *,
    part: ServeEnded | None = None,
) -> bool:
    """Prints the end of a run as an event, or what has failed; True where people are still to be told of a success.

    `message`: the end in a sentence; `unlike`: what is wrong though no step has failed; `members`: who is in it now.
    `part`: what is told for programs where only a part of the run is over.
    """
    code = None if part else _code(done, unlike)
    append_end(done.run.log, done.run.mask, _for_the_log(message, done, unlike), code)
    if done.run.pace.events:
        event = replace(part, failures=problems_of(done)) if part else _result(done, message, unlike, members)
        emit(event, done.run.mask)
    elif done.exit_code or unlike:
        _show_failures(message, done, what_now, unlike, None if part else done.run.log)
    else:
        return True
    return False


def _code(done: RunResult, unlike: Sequence[Failed]) -> int:
    return done.exit_code or (1 if unlike else 0)


def _for_the_log(message: str, done: RunResult, unlike: Sequence[Failed]) -> str:
    """How it ended, as people are told it."""
    lines = [message]
    for each in (*problems_of(done), *unlike):
        lines += [
            f"  {', '.join(each.hosts)}  {each.what}",
            *(f"      | {line}" for line in each.detail.splitlines()),
        ]
        lines += [f"      → {each.fix}"] if each.fix else []
    return "\n".join(lines)


def _result(done: RunResult, message: str, unlike: Sequence[Failed], members: Sequence[Member]) -> Result:
    code = _code(done, unlike)
    return Result(
        command=done.run.command,
        cluster=done.run.cluster.name,
        exit_code=code,
        verdict="interrupted" if done.interrupted else "failed" if code else "done",
        message=message,
        seconds=round(done.seconds, 3),
        failures=(*problems_of(done), *unlike),
        members=tuple(members),
        log=str(done.run.log or ""),
    )


def _show_failures(
    message: str, done: RunResult, what_now: str, unlike: Sequence[Failed], log: Path | None
) -> None:
    notice().print(Text(f"✗ {message}", "bold red"))
    for failure in (*problems_of(done), *unlike):
        _show(failure, done.run.mask)
    if untouched := _untouched(done):
        notice().print(f"  Nothing was done on {', '.join(untouched)}.")
    if what_now:
        notice().print(what_now)
    show_log(log)


def show_log(log: Path | None) -> None:
    """Says where the run's log is, if it has one."""
    if log:
        notice().print(f"log: {for_people(log)}", style="dim")


def problems_of(done: RunResult) -> tuple[Failed, ...]:
    """What failed, the same of several hosts once."""
    return tuple(failed(hosts, problem) for problem, hosts in gathered(_problems(done)).items())


def _problems(done: RunResult) -> Iterator[tuple[str, Problem]]:
    for refusal in done.plan.refusals:
        yield refusal.host, refusal.problem
    for result in done.report.failed:
        yield result.step.host, _problem(result, done.last_words.get(result.step.host, ""))
    for result in done.left:
        yield result.step.host, _problem(result, fix=result.step.fix if isinstance(result.step, Run) else "")


def _problem(result: StepEnded, last_words: str = "", fix: str = "") -> Problem:
    failure, step = result.failure, result.step
    assert failure  # noqa: S101 - a failed step has one
    words = "\n".join(filter(None, (failure.detail.strip(), last_words.strip())))
    fix = fix or failure.fix or _remedy(failure, step) or hint(f"{failure.message}\n{words}") or step.fix
    return Problem(f"{step.title}: {failure.message}", fix, words)


def _remedy(failure: Failure, step: Step) -> str:
    """What to do about a command that was run and failed, by what it was for."""
    if failure.exit_code is None or not isinstance(step, Run):
        return ""
    hung = failure.kind is FailureKind.TIMEOUT and any("docker" in word.split() for word in step.command.argv)
    return step.fix or (HANGS if hung else "")


def _show(failure: Failed, mask: Mask) -> None:
    notice().print(Text.assemble("  ", (", ".join(failure.hosts), "bold"), f"  {_clean(failure.what, mask)}"))
    more = _clean(Problem(failure.what, detail=failure.detail).more, mask)
    last = _told_once(_untraced(more.splitlines()))[-LAST_LINES:]
    explain("\n".join(last), _clean(failure.fix, mask))


def _untraced(lines: list[str]) -> list[str]:
    """Without the frames of Python's tracebacks, of which the last line says all; the run's log has them."""
    left, in_frame = list[str](), False
    for line in lines:
        if FRAME.match(line):
            in_frame = True
        elif not (in_frame and line[:4].isspace()):  # the frame's own code, and marks under it
            in_frame = False
            left.append(line)
    return [line for line in left if not AROUND_FRAMES.match(line)] or lines


def _told_once(lines: list[str]) -> list[str]:
    """A container that is started again and again says the same each time."""
    return [
        f"{line} ({count} times)" if (count := len([*same])) > 1 else line for line, same in groupby(lines)
    ]


def _clean(text: str, mask: Mask) -> str:
    return printable(mask(text)).strip()  # before Rich's Text, which drops some of what it does not like


def _untouched(done: RunResult) -> list[str]:
    """The hosts of the plan on which no step has begun to change something."""
    begun = (result.step for result in done.report.results if result.status is not Status.NOT_RUN)
    tried = {step.host for step in begun if not (isinstance(step, Run) and step.changes_nothing)}
    return [change.host for change in done.plan.changes if change.host not in tried]
