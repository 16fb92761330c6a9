"""Health of the model that is served: whether it answers, and if not, why."""

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable
from orchestrator.plan.serving import causes
from orchestrator.plan.serving.state import ABANDONED, Served, loading_stage

DEAD = " 503"
"""What vLLM's `/health` answers once its engine has died."""

NO_FACTS: Facts = {}


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


def assess(served: Served | None, facts: Facts = NO_FACTS) -> ModelHealth | None:
    """The health as the head reports it, and the hosts of further ranks; None where nothing is served."""
    if served is None:
        return None
    # Ranks that are not there: as the first one's supervisor knows, and as their own facts tell.
    hosts = served.hosts[1:] if served.supervised else ()
    alone = {host for host in hosts if _has_no_supervisor(facts.get(host))}
    missing = tuple(host for host in hosts if host in served.missing or host in alone)
    answers = served.answers and not missing
    trouble, fix = ("", "") if answers else _trouble(served)
    if missing:  # where there is a supervisor it comes back by itself
        trouble, fix = (
            f"it waits for {', '.join(missing)}",
            "`raycluster serve` starts it there" if alone else "",
        )
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


def _has_no_supervisor(here: HostFacts | Unreachable | None) -> bool:
    return isinstance(here, HostFacts) and not (here.served and here.served.supervised)


def _trouble(served: Served) -> tuple[str, str]:
    if served.abandoned:
        return ABANDONED, "`raycluster serve` brings it back"
    cause = causes.root_cause(served.lines)
    why = f": {cause.text or cause.detail}" if cause else ""
    fix = (cause.fix if cause else "") or "`raycluster serve logs` shows what it said"
    ended = served.why or f"vLLM ended with exit code {served.exit_code}"
    if not served.supervised:
        return f"{ended}{why}", fix
    match served.state:
        case "waiting":
            return f"it waits for {'its ranks' if served.hosts else 'Ray'}", ""
        case "starting":
            return f"it {loading_stage(served.lines)}", ""
        case "ended":
            return f"{ended} and will be started again{why}", fix
    return f"its engine has died ({served.trouble})" if served.trouble.endswith(DEAD) else served.trouble, fix
