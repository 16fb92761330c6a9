"""Condition that `serve` waits for: the server answers; or the reason why it never will."""

import re
from dataclasses import replace

from orchestrator.frozen import dataclass
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import TIMED_OUT
from orchestrator.plan.serving import causes, state
from orchestrator.plan.serving.causes import HELD
from orchestrator.plan.serving.state import ABANDONED, Served
from orchestrator.plan.steps import NotYet, Ready, Verdict

LAST_LINES = 12
KILLED = 137
GIVEN_UP = (TIMED_OUT, KILLED)
"""Inspections that were given up: a host that loads a model may be too busy for it, and the model is none the worse."""

PATIENCE = 60
"""Seconds. Ray gives GPUs that are free at once; vLLM waits half an hour for those that others hold."""

WAITS_FOR_GPUS = re.compile(r"Waiting for creating a placement group of specs for (\d+) seconds")


@dataclass(frozen=True, slots=True)
class ServerAnswers:
    """Until the server is healthy; hopeless once it has ended without ever having been so."""

    def __call__(self, exit_code: int, stdout: str, watched: str) -> Verdict:  # noqa: ARG002
        if exit_code in GIVEN_UP:
            return NotYet("its host is too busy to say how far it is")
        seen = state.parse_served(stdout)
        if exit_code or seen is None:
            return Problem("nothing of the server is there any more: has its container ended?")
        if seen.answers:
            return Ready(f"answers at {seen.url}")
        if not seen.supervised:
            return _ended(seen)
        waits = [found[1] for line in seen.lines if (found := WAITS_FOR_GPUS.search(line))]
        if waits and int(waits[-1]) >= PATIENCE and state.waits_for_gpus(seen.lines):
            return Problem(f"Ray has had no GPUs for it for {waits[-1]} s", fix=HELD)
        waits_for = f"waits for {', '.join(seen.missing)}" if seen.missing else seen.why or "waits for Ray"
        return NotYet(waits_for if seen.state == "waiting" else state.loading_stage(seen.lines))


def _ended(seen: Served) -> Problem:
    """The root cause, where it is known; else the last lines."""
    ended = seen.why or f"vLLM ended with exit code {seen.exit_code}"
    if seen.abandoned:
        return Problem(ABANDONED)
    if cause := causes.root_cause(seen.lines):
        return replace(cause, text=cause.text or ended, exit_code=seen.exit_code)
    if seen.why:
        return Problem(ended)
    return Problem(ended, exit_code=seen.exit_code, detail="\n".join(seen.lines[-LAST_LINES:]))
