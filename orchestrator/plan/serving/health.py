"""Health of the models that are served: whether each answers, and if not, why; and the wait for its answer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from types import MappingProxyType

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Accelerator
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import TIMED_OUT, format_duration
from orchestrator.plan.serving import arguments, causes, state
from orchestrator.plan.serving.known_causes import HELD
from orchestrator.plan.serving.servers import Server, again, for_model, title
from orchestrator.plan.serving.state import ABANDONED, Served
from orchestrator.plan.steps import NotYet, Ready, WaitResult
from orchestrator.plan.typed import ours

DEAD = " 503"
"""What vLLM's `/health` answers once its engine has died."""

NO_FACTS: Facts = {}
NO_RANKS: Mapping[str, Served] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """A model's server. `name`: the server's own; `hosts`: where it has GPUs or ranks, the one that answers first.

    `since`: seconds in the state that it is in; `lives`: how often it was started. `gpus`: how many it holds; null
    where nobody knows; `gpus_by_host`: how many on which, where that is known. `untried`: why nobody knows whether
    the model works, though its server answers; empty where it has. `ranks`: how many processes on hosts of their
    own there are to be, 0 where Ray sees to them; `missing`: the hosts whose one is not there.
    """

    name: str
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
    hosts: tuple[str, ...] = ()
    gpus: int | None = None
    gpus_by_host: Mapping[str, int] = field(default_factory=dict)
    accelerator: Accelerator = Accelerator.NVIDIA
    untried: str = ""

    @property
    def title(self) -> str:
        """What it is called, for people."""
        return title(self.name, self.model)

    @property
    def host(self) -> str:
        """Where it answers, or would."""
        return self.hosts[0]


def assess(
    server: Server, facts: Facts = NO_FACTS, accelerator: Accelerator = Accelerator.NVIDIA
) -> ModelHealth:
    """The health as its first rank's host reports it, and the hosts of further ranks.

    `accelerator`: of the first one.
    """
    served = server.served
    # Ranks that are not there: as the first one's supervisor knows, and as their own facts tell.
    hosts = served.hosts[1:] if server.first and served.supervised else ()
    alone = {host for host in hosts if _has_no_supervisor(server, facts, host)}
    missing = tuple(host for host in hosts if host in served.missing or host in alone)
    if not server.first:
        missing = (server.host,)
        alone = {host for host in missing if isinstance(facts.get(host), HostFacts)}
    answers = served.answers and not missing
    trouble, fix = ("", "") if answers else _trouble(server, accelerator)
    if missing:
        trouble = f"it waits for {', '.join(missing)}"
        fix = again(served.model) if alone else ""  # else it comes back by itself
    return ModelHealth(
        name=server.name,
        model=served.model.name,
        url=served.url,
        answers=answers,
        state="answering" if answers else "waiting" if served.answers else served.state,
        since=served.since,
        lives=served.starts,
        trouble=trouble,
        fix=for_model(fix, served.model),
        ranks=len(served.hosts),
        missing=missing,
        hosts=server.hosts,
        gpus=sum(served.share.gpus.values()) if served.share else None,
        gpus_by_host=served.share.gpus if served.share else {},
        accelerator=accelerator,
        untried=served.untried if answers else "",
    )


def _has_no_supervisor(server: Server, facts: Facts, host: str) -> bool:
    rank = server.ranks.get(host)
    return isinstance(facts.get(host), HostFacts) and not (rank and rank.supervised)


def _cause(server: Server, accelerator: Accelerator) -> Problem | None:
    """The best explanation that the logs of all ranks have, the first one's before others of the same weight."""
    sizes = _other_sizes(server.served)
    best = causes.weighed_cause(server.served.lines, accelerator, sizes)
    for host, rank in server.ranks.items():
        told = causes.weighed_cause(rank.lines, accelerator, sizes) if rank is not server.served else None
        if told and (best is None or told[0] < best[0]):
            weight, cause = told
            best = weight, replace(cause, text=f"{cause.text or cause.detail}, on {host}")
    return best and best[1]


def _trouble(server: Server, accelerator: Accelerator) -> tuple[str, str]:
    served = server.served
    if served.abandoned:
        return ABANDONED, again(served.model)
    cause = _cause(server, accelerator)
    why = f": {cause.text or cause.detail}" if cause else ""
    fix = (cause.fix if cause else "") or ours("serve logs", server.name)
    if not served.supervised:
        return f"{served.ending}{why}", fix
    match served.state:
        case "waiting":
            return f"it waits for {'its ranks' if served.hosts else 'Ray'}", ""
        case "starting":
            return _loading(server, accelerator)
        case "ended":
            return f"{served.ending} and will be started again{why}", fix
    died = f"its engine has died ({served.trouble})" if served.trouble.endswith(DEAD) else served.trouble
    return unresponsive(served) if served.state == "unresponsive" else died, fix


def _loading(server: Server, accelerator: Accelerator) -> tuple[str, str]:
    """How far it is, and what to do where that is not much."""
    served = server.served
    if served.why:
        return served.why, _elsewhere(served)
    fix = ours("serve logs", server.name) if served.still >= SILENCE else ""
    return f"it {_how_far(served, accelerator, server.ranks)}", fix


def unresponsive(served: Served) -> str:
    """Since when a server that runs has answered nothing, on this machine's clock."""
    clock = f"{datetime.fromtimestamp(served.began).astimezone():%H:%M}"
    who = f"its engine {served.engine}" if served.engine else "it"
    return f"{who} has answered nothing since {clock} ({format_duration(served.since)}) and will be started again"


LISTENS = re.compile(r"Starting vLLM (?:API )?server(?: \d+)? on https?://\[?([\w.:-]+)\]?:(\d+)")


def _elsewhere(served: Served) -> str:
    """What makes it be asked where it says that it listens."""
    said = [found for line in served.lines if (found := LISTENS.search(line))]
    host, port = said[-1].groups() if said else ("ADDRESS", "PORT")
    return f"give vLLM its address: {ours('serve', 'MODEL', '--', '--host', host, '--port', port)}"


def _other_sizes(served: Served) -> Mapping[str, str]:
    """Sizes for as many GPUs, where those that it has are known: all in one stage, half as wide in twice as many."""
    given = arguments.read((*served.words, *served.model.args))
    tensor, stages = given.number(arguments.TENSOR), given.number(arguments.PIPELINE)
    halved = {"half": str(tensor // 2), "twice": str(stages * 2)} if tensor % 2 == 0 else {}
    return {"all": str(tensor * stages), **halved} if tensor and stages else {}


SILENCE = 15 * 60
"""Seconds in which nothing has moved after which a load may be none."""
PAUSE = 120
"""Seconds in which nothing has moved that are told: between two stages there may be some."""


def _how_far(
    served: Served, accelerator: Accelerator, ranks: Mapping[str, Served] = NO_RANKS, step: int = 1
) -> str:
    """The stage it is in, who is behind, and that nothing has moved for long. `step`: seconds that this is told in."""
    stage = "is asked for its first token" if served.asked else state.loading_stage(served.lines)
    last = None if served.asked else state.behind(_lines_of(served, ranks))
    late = f"; {', '.join(last.ranks)} behind: {last.stage}" if last else ""
    still = int(served.still // step) * step
    pause = f"; nothing has moved for {format_duration(still)}" if still >= PAUSE else ""
    look = causes.CALLED[accelerator].get("monitor", "top -bn1")
    doubt = f": does `{look}` on its hosts show it at work?" if still >= SILENCE else ""
    return stage + late + pause + doubt


def _lines_of(served: Served, ranks: Mapping[str, Served]) -> Mapping[str, Sequence[str]]:
    """The lines of each rank, as far as they are known: from the hosts, or passed on by Ray."""
    if not served.hosts:
        by_ip = state.lines_of_ray(served.lines)
        return {ip or "the server's own host": lines for ip, lines in by_ip.items()}
    others = {host: ranks[host].lines for host in served.hosts[1:] if host in ranks}
    return {served.hosts[0]: served.lines, **others}


LAST_LINES = 12
KILLED = 137
GIVEN_UP = (TIMED_OUT, KILLED)
"""Inspections that were given up: a host that loads a model may be too busy for it, and the model is none the worse."""

STOPPED = Problem("another run has stopped it")
GONE = Problem("nothing of the server is there any more: has its container ended?")

PATIENCE = 60
"""Seconds. Ray gives GPUs that are free at once; vLLM waits half an hour for those that others hold."""

FAILURES = 3
"""Lives in a row without an answer after which nobody waits for the next."""

WAITING = 10 * 60
"""Seconds for Ray and the other ranks to be there: a container that starts again takes one or two minutes."""

WAITS_FOR_GPUS = re.compile(r"Waiting for creating a placement group of specs for (\d+) seconds")


@dataclass(frozen=True, slots=True)
class ServerAnswers:
    """Until the server is healthy; hopeless once it has ended without ever having been so.

    `accelerator`: of the host that is asked. `name`: the server's, where several may be told of. `has_ranks`: on
    other hosts, which end when they lose this one before it has ever answered.
    """

    accelerator: Accelerator = Accelerator.NVIDIA
    name: str = ""
    has_ranks: bool = False

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG002
        if exit_code in GIVEN_UP:
            return NotYet("its host is too busy to say how far it is")
        if exit_code:
            return GONE if self.has_ranks else NotYet("its host tells nothing of it", doubt=GONE)
        served = state.parse_served(stdout, self.name)
        if served is None:
            stopped = any(each.name == self.name for each in state.parse_servers(stdout))
            return STOPPED if stopped else GONE
        if served.answers:
            return Ready(f"answers at {served.url}", served.first)
        if why := self._hopeless(served) if served.supervised else _ended(served, self.accelerator):
            return _for_model(why, served)
        still = served.still if served.state == "starting" else None
        return NotYet(self._waits(served), still=still)

    def _hopeless(self, served: Served) -> Problem | None:
        """Why it will not answer though it runs."""
        if served.state == "starting" and served.why:
            return Problem(served.why, _elsewhere(served))
        if served.state == "ended" and served.failures >= FAILURES:
            known = _ended(served, self.accelerator)
            return replace(known, text=f"{known.text}, {served.failures} times in a row")
        if served.state == "waiting" and served.since >= WAITING:
            return Problem(f"{self._waits(served)}, for {format_duration(served.since)} now", ours("status"))
        waits = [found[1] for line in served.lines if (found := WAITS_FOR_GPUS.search(line))]
        if waits and int(waits[-1]) >= PATIENCE and state.waits_for_gpus(served.lines):
            device = causes.CALLED[self.accelerator]["device"]
            return Problem(f"Ray has had no {device}s for it for {waits[-1]} s", fix=HELD)
        return None

    def _waits(self, served: Served) -> str:
        if served.state == "unresponsive":
            return "answers nothing, and will be started again"
        if served.state == "answering":
            return f"does not answer now: {served.trouble}"
        if served.state != "waiting":
            return _how_far(served, self.accelerator, step=SILENCE)
        missing = ", ".join(served.missing)
        return f"waits for {missing}" if missing else served.why or "waits for Ray"


def _for_model(problem: Problem, served: Served) -> Problem:
    return replace(problem, fix=for_model(problem.fix, served.model))


def _ended(served: Served, accelerator: Accelerator) -> Problem:
    """The root cause, where it is known; else the last lines."""
    if served.abandoned:
        return Problem(ABANDONED)
    if cause := causes.root_cause(served.lines, accelerator, _other_sizes(served)):
        return replace(cause, text=cause.text or served.ending, exit_code=served.exit_code)
    if served.why:
        return Problem(served.why)
    return Problem(served.ending, exit_code=served.exit_code, detail="\n".join(served.lines[-LAST_LINES:]))
