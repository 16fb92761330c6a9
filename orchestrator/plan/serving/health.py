"""What the facts say of the model that is served: whether it answers, and if not, why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.plan.facts.host import HostFacts, Unreachable
from orchestrator.plan.serving import causes
from orchestrator.plan.serving import state as progress
from orchestrator.plan.serving.state import ABANDONED, Served

DEAD = " 503"
"""What vLLM's `/health` answers once its engine has died."""

NOBODY: Mapping[str, HostFacts | Unreachable] = {}


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """A model's server. `since`: seconds in the state that it is in; `lives`: how often it was started.

    `ranks`: how many processes on hosts of their own there are to be, 0 where Ray sees to them; `missing`: the
    hosts whose one is not there.
    """

    model: str
    url: str
    answers: bool
    state: str
    since: float
    lives: int
    trouble: str = ""
    fix: str = ""
    ranks: int = 0
    missing: tuple[str, ...] = ()


def assess(
    served: Served | None, facts: Mapping[str, HostFacts | Unreachable] = NOBODY
) -> ModelHealth | None:
    """Judges what was seen: on the head, and on the hosts of further ranks; None where nothing is served."""
    if served is None:
        return None
    missing = tuple(_missing(facts, served))
    answers = served.answers and not missing
    trouble, fix = ("", "") if answers else _without(facts, missing) if missing else _trouble(served)
    state = "answering" if answers else "waiting" if served.answers else served.state
    return ModelHealth(
        model=served.model.name,
        url=served.url,
        answers=answers,
        state=state,
        since=served.since,
        lives=served.starts,
        trouble=trouble,
        fix=fix,
        ranks=len(served.hosts),
        missing=missing,
    )


def _missing(facts: Mapping[str, HostFacts | Unreachable], served: Served) -> Iterator[str]:
    """The hosts whose rank is not there: as the first one's supervisor knows, and as their own facts tell."""
    for host in served.hosts[1:] if served.supervised else ():
        here = facts.get(host)
        if host in served.missing or (isinstance(here, HostFacts) and not _keeps(here)):
            yield host


def _keeps(here: HostFacts) -> bool:
    return bool(here.served and here.served.supervised)


def _without(facts: Mapping[str, HostFacts | Unreachable], missing: tuple[str, ...]) -> tuple[str, str]:
    """Where there is a supervisor it comes back by itself."""
    alone = [host for host in missing if isinstance(here := facts.get(host), HostFacts) and not _keeps(here)]
    return f"it waits for {', '.join(missing)}", "`raycluster serve` starts it there" if alone else ""


def _trouble(served: Served) -> tuple[str, str]:
    if served.abandoned:
        return ABANDONED, "`raycluster serve` brings it back"
    cause = causes.root_cause(served.lines)
    why = f": {cause.why or cause.said}" if cause else ""
    fix = (cause.fix if cause else "") or "`raycluster serve logs` shows what it said"
    ended = served.why or f"vLLM ended with exit code {served.exit_code}"
    if not served.supervised:
        return f"{ended}{why}", fix
    match served.state:
        case "waiting":
            return f"it waits for {'its ranks' if served.hosts else 'Ray'}", ""
        case "starting":
            return f"it {progress.loading_stage(served.lines)}", ""
        case "ended":
            return f"{ended} and will be started again{why}", fix
    return f"its engine has died ({served.trouble})" if served.trouble.endswith(DEAD) else served.trouble, fix
