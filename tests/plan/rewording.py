"""Every title and sentence of a plan in other words: what a program does must not depend on them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from typing import Any, TypeVar

from orchestrator.plan.progress import Progress
from orchestrator.plan.steps import Feed, HowFar, Phase, Plan, Run, Step, Until, Wait, WaitResult, Watch
from orchestrator.plan.typed import MARKED

BETWEEN = "\N{MIDDLE DOT}"
SENTENCES = ("title", "fix", "what", "why", "detail", "note")

Said = TypeVar("Said")


def other(text: str) -> str:
    """No word of it can be found again, but `plain` can read it; lines to type are no words, and stay."""
    lines = [found[0] for found in MARKED.finditer(text)]
    words = re.split(MARKED.pattern.replace("(", "(?:"), text)
    return "".join(BETWEEN.join(each) + line for each, line in zip_longest(words, lines, fillvalue=""))


def plain(text: str) -> str:
    return text.replace(BETWEEN, "")


def reworded(plan: Plan) -> Plan:
    """The plan, and in it all that its steps will say."""
    return replace(
        _said(plan),
        phases=tuple(_phase(phase) for phase in plan.phases),
        changes=tuple(map(_said, plan.changes)),
        refusals=tuple(map(_said, plan.refusals)),
        warnings=tuple(map(_said, plan.warnings)),
    )


def _said(told: Said) -> Said:
    names = {field.name for field in fields(told)} & set(SENTENCES)  # type: ignore[arg-type]
    words: dict[str, Any] = {name: other(getattr(told, name)) for name in names}
    return replace(told, **words)  # type: ignore[type-var]


def _phase(phase: Phase) -> Phase:
    watch: Watch | None = _said(phase.watch) if phase.watch else None
    feed: Feed | None = _said(phase.feed) if phase.feed else None
    return replace(_said(phase), steps=tuple(map(_step, phase.steps)), watch=watch, feed=feed)


def _step(step: Step) -> Step:
    match step:
        case Wait(until=until):
            return replace(_said(step), until=_Until(until))
        case Run(how_far=how_far):
            return replace(_said(step), how_far=_HowFar(how_far) if how_far else None)


@dataclass(frozen=True, slots=True)
class _Until:
    until: Until

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:
        return _said(self.until(exit_code, stdout, watched))


@dataclass(frozen=True, slots=True)
class _HowFar:
    how_far: HowFar

    def __call__(self, lines: Sequence[str]) -> Progress | None:
        far = self.how_far(lines)
        return _said(far) if far else None
