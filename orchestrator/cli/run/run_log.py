"""The full log of a run that changes things, kept where the platform keeps state; secrets are masked."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TextIO

from orchestrator.cli.output.console import gathered, notice, printable
from orchestrator.cli.output.how_far import in_words
from orchestrator.cli.output.typed import shown
from orchestrator.model.secret import Secret
from orchestrator.plan.steps import Plan, Step, Wait
from orchestrator.remote.execute import events
from orchestrator.remote.execute.events import Happening

FIELD = re.compile(r"# ([a-z ]+): (.*)")
"""What a log begins and ends with: what was run on what, and how it ended."""


class Mask:
    """Puts a secret's name wherever its value stands in a text."""

    def __init__(self, secrets: tuple[Secret, ...] = ()) -> None:
        self._secrets = {secret for secret in secrets if secret.value}

    def add(self, secret: Secret) -> None:
        if secret.value:
            self._secrets.add(secret)

    def __call__(self, text: str) -> str:
        for secret in sorted(self._secrets, key=lambda each: -len(each.value)):
            text = text.replace(secret.value, str(secret))
        return text


class RunLog:
    """A listener that writes everything down. Times are seconds since the run began."""

    def __init__(self, path: Path, mask: Mask) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.path = path
        self._file: TextIO = os.fdopen(
            descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1
        )
        self._mask, self._began, self._lock = mask, time.monotonic(), Lock()

    def __call__(self, happening: Happening) -> None:
        self.write(_told(happening))

    def write(self, text: str) -> None:
        if not text:
            return
        with self._lock, suppress(OSError):  # a full disk is no reason to stop half way
            self._file.write(f"{time.monotonic() - self._began:8.2f}  {printable(self._mask(text))}\n")

    def fields(self, **fields: str) -> None:
        """Lines that programs read, too."""
        with self._lock, suppress(OSError):
            self._file.writelines(_field(name, self._mask(value)) for name, value in fields.items())

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()


def keep_run_log(command: str, mask: Mask) -> RunLog | None:
    """The run's log; a notice and None where it cannot be kept, which is no reason not to act."""
    name = f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{os.getpid()}-{command.replace(' ', '-')}"
    try:
        for again in count():  # a command may make several runs in a second
            with suppress(FileExistsError):
                return RunLog(folder() / f"{name}{f'-{again}' if again else ''}.log", mask)
    except OSError as error:
        notice().print(f"this run keeps no log: {error}", style="yellow")
    return None


def folder() -> Path:
    """Where the logs are."""
    from platformdirs import user_state_path

    return user_state_path("raycluster") / "log"


def append_end(path: Path | None, mask: Mask, text: str, exit_code: int | None) -> None:
    """Writes down how a run ended: what its person was told, and its exit code, unless more is to come."""
    if path:
        with suppress(OSError), path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(f"{printable(mask(line))}\n" for line in text.splitlines()))
            file.write("" if exit_code is None else _field("exit code", str(exit_code)))


def _field(name: str, value: str) -> str:
    return f"# {name}: {printable(' '.join(value.split()))}\n"


def command_of(step: Step) -> str:
    """The line that a step sends."""
    return step.probe.shown() if isinstance(step, Wait) else step.command.shown()


def changes(plan: Plan) -> Iterator[str]:
    """What changes and why, the same on several hosts said once."""
    hosts = gathered((change.host, change.what) for change in plan.changes)
    return (f"{', '.join(names)}: {what}" for what, names in hosts.items())


def warnings(plan: Plan) -> Iterator[str]:
    """What was noticed of the hosts and does not stop the plan, the same of several said once."""
    hosts = gathered((each.host, (each.problem.text, each.problem.fix)) for each in plan.warnings)
    for (why, fix), names in hosts.items():
        yield f"! {', '.join(names)}: {why}{fix and ' → ' + shown(fix, names)}"


def note(noted: events.Noted) -> str:
    return f"! {noted.host}: {noted.what}{noted.fix and ' → ' + shown(noted.fix, [noted.at or noted.host])}"


def refusals(plan: Plan) -> Iterator[str]:
    """What the plan goes on without, where it goes on: its end tells all of it, which may be minutes away."""
    hosts = gathered((each.host, each.problem.text) for each in plan.refusals if plan.phases)
    return (f"✗ {', '.join(names)}: {why}" for why, names in hosts.items())


def _told(happening: Happening) -> str:  # noqa: C901, PLR0911 - one for each kind
    match happening:
        case events.LookBegan(hosts):
            return f"look at {', '.join(hosts)}"
        case events.HostSeen(host, trouble, what):
            return f"{host}: {trouble or what}"
        case events.LockHeld(who):
            return who
        case events.Planned(plan):
            refused = (f"{each.host}: cannot: {each.problem.text}" for each in plan.refusals)
            return "\n          ".join((f"plan: {plan.title}", *changes(plan), *warnings(plan), *refused))
        case events.PhaseBegan(phase):
            return f"== {phase.title}"
        case events.StepBegan(step):
            return f"{_named(step)}\n          $ {command_of(step)}"
        case events.StepWaits(step, why, still):
            return "" if still else f"{_named(step)}: {why}"
        case events.StepAdvanced(step, far):
            return f"{_named(step)}: {in_words(far)}"
        case events.Noted():
            return note(happening)
        case events.StepEnded():
            return _ended(happening)


def _named(step: Step) -> str:
    return f"{step.host}: {f'{step.of}: ' if step.of else ''}{step.title}"


def _ended(ended: events.StepEnded) -> str:
    head = f"{_named(ended.step)}: {ended.status} after {ended.seconds:.2f} s"
    output = (ended.output.stdout, ended.output.stderr) if ended.output else ()
    failure = (ended.failure.message, ended.failure.detail) if ended.failure else ()
    return "\n          ".join((head, *filter(None, (text.strip() for text in (*output, *failure)))))
