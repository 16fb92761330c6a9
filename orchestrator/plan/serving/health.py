"""What the facts say of the model that is served: whether it answers, and if not, why."""

from dataclasses import dataclass

from orchestrator.plan.serving import causes, progress
from orchestrator.plan.serving.served import ABANDONED, Served

DEAD = " 503"
"""What vLLM's `/health` answers once its engine has died."""


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """A model's server. `since`: seconds in the state that it is in; `lives`: how often it was started."""

    model: str
    url: str
    answers: bool
    state: str
    since: float
    lives: int
    trouble: str = ""
    fix: str = ""


def assess(served: Served | None) -> ModelHealth | None:
    """Judges what was seen; None where nothing is served."""
    if served is None:
        return None
    trouble, fix = ("", "") if served.answers else _trouble(served)
    state = "answering" if served.answers else served.state
    return ModelHealth(
        served.model.name, served.url, served.answers, state, served.since, served.lives, trouble, fix
    )


def _trouble(served: Served) -> tuple[str, str]:
    if served.abandoned:
        return ABANDONED, "`raycluster serve` brings it back"
    cause = causes.root_cause(served.lines)
    why = f": {cause.why or cause.said}" if cause else ""
    fix = (cause.fix if cause else "") or "`raycluster serve logs` shows what it said"
    if not served.kept:
        return f"vLLM ended with exit code {served.exit_code}{why}", fix
    match served.state:
        case "waiting":
            return "it waits for Ray", ""
        case "starting":
            return f"it {progress.stage(served.lines)}", ""
        case "ended":
            return f"vLLM ended with exit code {served.exit_code} and will be started again{why}", fix
    return f"its engine has died ({served.trouble})" if served.trouble.endswith(DEAD) else served.trouble, fix
