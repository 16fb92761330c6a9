"""What `serve` waits for: that the server answers; or it learns why it never will."""

from dataclasses import dataclass

from orchestrator.plan.serving import causes, progress, served
from orchestrator.plan.serving.served import Served
from orchestrator.plan.steps import Never, NotYet, Ready, Verdict

LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class Answers:
    """Until the server says that it is well; hopeless once it has ended without ever having been so."""

    def __call__(self, exit_code: int, stdout: str, watched: str) -> Verdict:  # noqa: ARG002
        seen = served.parse(stdout)
        if exit_code or seen is None:
            return Never("nothing of the server is there any more: has its container ended?")
        if seen.answers:
            return Ready(f"answers at {seen.url}")
        return NotYet(_how_far(seen)) if seen.kept else _ended(seen)


def _how_far(seen: Served) -> str:
    if seen.state == "waiting":
        return "waits for Ray"
    return progress.stage(seen.lines)


def _ended(seen: Served) -> Never:
    """Its root cause, where it is known; else its last lines."""
    if cause := causes.root_cause(seen.lines):
        return Never(cause.why, seen.exit_code, "\n".join(cause.said), cause.fix)
    last = "\n".join(seen.lines[-LAST_LINES:])
    return Never(f"vLLM ended with exit code {seen.exit_code}", seen.exit_code, last)
