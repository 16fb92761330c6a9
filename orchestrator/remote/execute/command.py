"""One command on one host: bounded in time, and judged by its exit code."""

from threading import Event

from orchestrator.plan.command import Command
from orchestrator.plan.problem import exited
from orchestrator.plan.remedies import TIMED_OUT
from orchestrator.plan.steps import HowFar, Run
from orchestrator.remote.execute.events import StepAdvanced, Tell
from orchestrator.remote.transport import Failure, FailureKind, Output, Transport


def run(step: Run, via: Transport, cancel: Event) -> Output | Failure:
    """The command's output when it has ended well."""
    got = via.run(with_timeout(step.command, step.timeout), timeout=step.timeout + 10, cancel=cancel)
    return check_exit_code(got, step.timeout)


def follow(step: Run, how_far: HowFar, via: Transport, tell: Tell, cancel: Event) -> Output | Failure:
    """The same, telling of its progress."""
    lines, told = list[str](), how_far(())

    def hear(line: str) -> None:
        nonlocal told
        lines.append(line)
        if (now := how_far(lines)) and now != told:
            tell(StepAdvanced(step, now))
            told = now

    command = with_timeout(step.command, step.timeout)
    got = via.stream(command, hear, timeout=step.timeout + 10, cancel=cancel)
    return check_exit_code(got, step.timeout)


def check_exit_code(got: Output | Failure, seconds: float) -> Output | Failure:
    """What the end of a command that had so many seconds means: any exit code but 0 is a failure."""
    if isinstance(got, Failure) or got.exit_code == 0:
        return got
    if got.exit_code == TIMED_OUT:
        return Failure(FailureKind.TIMEOUT, f"did not end within {seconds:g} s", TIMED_OUT, _words(got))
    return Failure.of(exited(got.exit_code, _words(got)))


def with_timeout(command: Command, seconds: float) -> Command:
    """A closed connection does not end a remote process, so each ends itself."""
    return Command(("timeout", "-k", "5", f"{seconds:g}", *command.argv), command.stdin)


def _words(output: Output) -> str:
    return (output.stderr.strip() or output.stdout.strip()).removesuffix("\n")
