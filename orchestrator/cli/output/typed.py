"""The lines of a text that a person is to type, as they are for whoever has called the program."""

from collections.abc import Iterable

from orchestrator.plan import typed
from orchestrator.plan.typed import Caller, ours

_callers = [Caller()]
"""The last is who has called: a process is one call, and what shows texts is in many places of it."""


def called(caller: Caller = Caller()) -> None:  # noqa: B008 - a frozen value
    """Says who has called, once that is known."""
    _callers[:] = [caller]


def shown(text: str, hosts: Iterable[str] = ()) -> str:
    """A text about these hosts with its lines as they are to be typed."""
    return typed.shown(text, tuple(hosts), _callers[-1])


def limited(limit: str | None) -> tuple[str, ...]:
    """The words that limit a command to the same hosts."""
    return given("-l", limit)


def given(option: str, value: str | None) -> tuple[str, ...]:
    """An option's words in a line that repeats what was typed; none where it was not given."""
    return (option, value) if value else ()


def line(command: str, *words: str) -> str:
    """A line of raycluster's own, bare."""
    return shown(ours(command, *words))
