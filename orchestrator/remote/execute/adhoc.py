"""`exec`: a person's own command on hosts, side by side. What it has started ends with us."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import BoundedSemaphore, Event
from typing import NoReturn

from orchestrator.frozen import dataclass
from orchestrator.plan.actions.adhoc import Exec, refusal
from orchestrator.plan.command import Command
from orchestrator.remote.execute.events import HostSeen, Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.timeouts import DEFAULT
from orchestrator.remote.transport import Failure, FailureKind, Output, Receive, Transport


def become(command: Command) -> NoReturn:
    """Ends us and runs the program, which gets our terminal and whose exit code is ours. OSError: it is not there."""
    os.execvp(command.argv[0], command.argv)  # noqa: S606 - it is what was asked for


NOT_BEGUN = 125
"""Docker's own code for what it could not begin: https://docs.docker.com/engine/containers/run/#exit-status"""
NOT_REACHED = 255
"""OpenSSH's own code for a host that it did not reach: https://man.openbsd.org/ssh#EXIT_STATUS"""

LOOK = "look at that host: ps aux"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the command on one host. After a failure, what was heard may not be all."""

    host: str
    ended: Output | Failure
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def failure(self) -> Failure | None:
        return self.ended if isinstance(self.ended, Failure) else None

    @property
    def exit_code(self) -> int:
        """The command's own; NOT_BEGUN where no container runs, NOT_REACHED where SSH failed."""
        return NOT_REACHED if self.ended.exit_code is None else self.ended.exit_code


def execute_all(
    jobs: tuple[Exec, ...], fleet: Fleet, stdin: int, tell: Tell, cancel: Event
) -> tuple[Result, ...]:
    """All of them side by side, each reading the file descriptor `stdin`; what they say is gathered.

    All hosts are connected to at once: one that does not answer keeps no other waiting. `fleet.jobs` commands run
    at a time. They take no places of the fleet's: a look, which is one of them, takes one itself.
    """
    places = BoundedSemaphore(fleet.jobs)

    def on_one(job: Exec) -> Result:
        result = _connected(job, fleet[job.host], stdin, places, cancel)
        tell(HostSeen(job.host, _trouble(result), "done"))
        return result

    with ThreadPoolExecutor(len(jobs)) as pool:
        return tuple(pool.map(on_one, jobs))


def _connected(job: Exec, via: Transport, stdin: int, places: BoundedSemaphore, cancel: Event) -> Result:
    if failure := via.open(cancel=cancel):
        return Result(job.host, failure)
    stdout, stderr = bytearray(), bytearray()
    with places:
        result = execute(job, via, stdin, stdout.extend, stderr.extend, cancel)
    return replace(result, stdout=bytes(stdout), stderr=bytes(stderr))


def execute(
    job: Exec, via: Transport, stdin: int, on_stdout: Receive, on_stderr: Receive, cancel: Event
) -> Result:
    """One of them, its bytes handed on as they come. Left before its end, it is ended there too."""
    unfit = _look(job, via, cancel)
    if unfit:
        return Result(job.host, unfit)
    try:
        ended = via.pipe(
            job.command, stdin, on_stdout, on_stderr, timeout=math.inf, cancel=cancel, to_the_end=job.on_host
        )
    except OSError:  # nobody hears it any more
        _end(job, via)
        raise
    if isinstance(ended, Failure) and ended.kind is FailureKind.CANCELLED and via.login:
        return Result(job.host, _end(job, via))
    return Result(job.host, ended)


def _look(job: Exec, via: Transport, cancel: Event) -> Failure | None:
    """Why it cannot run there."""
    if job.look is None:
        return None
    seen = via.run(job.look, timeout=DEFAULT.exec_look, cancel=cancel)
    if isinstance(seen, Failure):
        return seen
    refused = refusal(seen.exit_code, seen.stdout, seen.stderr)
    return Failure.of(replace(refused, exit_code=NOT_BEGUN)) if refused else None


def _end(job: Exec, via: Transport) -> Failure:
    """Ends what was started, also after Ctrl-C; whether that is so."""
    ended = via.run(job.end, timeout=DEFAULT.exec_end, cancel=Event())
    if isinstance(ended, Output) and ended.exit_code == 0:
        return Failure(FailureKind.CANCELLED, "interrupted, and ended there")
    why = ended.message if isinstance(ended, Failure) else ended.stderr.strip()
    return Failure(FailureKind.CANCELLED, "interrupted, but it may still run there", detail=why, fix=LOOK)


def _trouble(result: Result) -> str:
    if result.failure:
        return result.failure.message
    return f"exit code {result.exit_code}" if result.exit_code else ""
