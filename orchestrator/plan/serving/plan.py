"""The plans of `serve` and `serve stop`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from orchestrator.model.cluster import Cluster, Liveness, Model, Node
from orchestrator.model.redact import arguments as redacted
from orchestrator.plan import docker, engine
from orchestrator.plan.actions.rollback import FailedRun
from orchestrator.plan.facts.containers import untold_hosts, why_not_ready, why_unknown
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving import sizing
from orchestrator.plan.serving.health import ServerAnswers
from orchestrator.plan.serving.presence import NOT_LOOKED_AT, Presence
from orchestrator.plan.serving.servers import Server, again, at, meant, nearest, servers
from orchestrator.plan.serving.shares import chosen_hosts
from orchestrator.plan.serving.spec import OFFLINE, Part, Serving, spec
from orchestrator.plan.serving.spread import spread, unsure
from orchestrator.plan.status.health import assess
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Run, Step, StepKind, Wait
from orchestrator.plan.typed import ours

LINES = 400
"""Enough of the log for the root cause of a failure, which vLLM follows with the traces of all that it ends."""

GRACE_SECONDS = 300.0
"""For the supervisor to end a load in which nothing moves, and say why; and for a host that is too busy to be asked."""

WATCH_SECONDS, LOOK_EVERY = 5.0, 0.1
"""For how long a look waits for something to change, and what comes between two: an answer is told when it is there.

A look is 0.15 s of its host's CPU, most of them Docker's.
"""
ASK_SECONDS = 330.0
STOP_SECONDS = 60.0


def plan_serve(
    cluster: Cluster, facts: Facts, model: Model, there: Presence = NOT_LOOKED_AT, *, force: bool = False
) -> Plan:
    """Steps that make the model answer, on a cluster that is up. `there`: what the hosts have of it.

    `force`: although it does not fit, or hosts lack what they cannot download.
    """
    title, now = f"serve {model.name}", servers(facts).get(model.server)
    if now and now.supervised and not _is_same(now.model, model):
        return Plan(title, refusals=(HostProblem(now.host, _taken(now, model)),))
    kept = engine.of(cluster).again(cluster, facts, now) if now and _is_kept(now) else None
    if kept and now and (_is_deaf(now) or (not now.served.share and _missing(facts, kept))):
        kept = None  # it begins anew; of one without a share nobody knows how it was started
    serving = kept or spread(cluster, facts, model, there)
    if not isinstance(serving, Serving):
        return Plan(title, refusals=serving)
    nodes = tuple(part.node for part in serving.parts)
    if absent := _rejected(cluster, nodes, facts, why_not_ready):
        return Plan(title, refusals=absent)
    missing = _missing(facts, kept) if kept else serving.parts
    if now and now.first and now.first.answers and not missing:
        return Plan(title)
    sized, first = serving.sizing, serving.first.name
    if refusals := (() if force else there.refusals) or sizing.refusals(
        first, model, None if force else sized
    ):
        return Plan(title, refusals=refusals)
    anew = serving.parts if serving.parts[0] in missing else missing
    changes = tuple(Change(part.node.name, _change(serving, part)) for part in anew or serving.parts[:1])
    left_out = tuple(_left_out(cluster, facts, serving)) if anew else ()
    lacking = (*there.lacking, *there.refusals) if anew else ()  # of these, none is left unless it is forced
    doubts = (*sizing.doubts(first, model, sized), *unsure(cluster, facts, serving, there))
    if there.offline or (kept and now and now.served.offline):
        serving, anew = _offline(serving), tuple(map(_without_hub, anew))
    return Plan(
        title, tuple(_phases(cluster, serving, anew)), changes, warnings=(*left_out, *lacking, *doubts)
    )


def in_two(plan: Plan) -> tuple[Plan, Plan]:
    """What starts a server, and what waits until it answers: others can be started in between."""
    starting = tuple(phase for phase in plan.phases if any(_starts(step) for step in phase.steps))
    waiting = tuple(phase for phase in plan.phases if phase not in starting)
    return replace(plan, phases=starting), Plan(plan.title, waiting)


def _starts(step: Step) -> bool:
    return isinstance(step, Run) and step.starts


def hosts_for(cluster: Cluster, facts: Facts, model: Model) -> tuple[Node, ...]:
    """The hosts that are to have some of it, as it would be started now; none where it cannot be."""
    serving = spread(cluster, facts, model, NOT_LOOKED_AT)
    if not isinstance(serving, Serving):
        return ()
    names = {*serving.share.gpus, *(part.node.name for part in serving.parts)}
    return tuple(node for node in cluster.nodes if node.name in names)


def _missing(facts: Facts, kept: Serving) -> tuple[Part, ...]:
    """The parts that nobody keeps running."""
    return tuple(part for part in kept.parts if not _is_supervised(facts, kept, part))


def _is_same(now: Model, wanted: Model) -> bool:
    """Whether a server is as it is asked for."""
    return now == replace(wanted, named=now.named, pull=False)


def _taken(now: Server, model: Model) -> Problem:
    """That another has the name, or that the model is served otherwise."""
    stop, other = ours("serve stop", now.name), again(replace(model, named=f"{now.name}-2"))
    if now.model.name == model.name:
        text = f"{now.name} is served there with other arguments"
        return Problem(text, f"{stop} ends that; {other} serves both")
    text = f"{now.name} is the name of {now.model.name}, which is served there"
    return Problem(text, f"{other} gives this one another; {stop} ends the other")


def _is_kept(now: Server) -> bool:
    """Whether its first rank is kept running, and so what it is to be."""
    return now.first is not None and now.first.supervised


def _is_deaf(now: Server) -> bool:
    return now.served.state == "unresponsive"


def _offline(serving: Serving) -> Serving:
    return replace(serving, parts=tuple(map(_without_hub, serving.parts)))


def _without_hub(part: Part) -> Part:
    """With the hub out of reach, vLLM would retry for two minutes and end, though all that it needs is there.

    The user's own setting wins.
    """
    given = dict(part.node.env)
    return part if OFFLINE in given else replace(part, env={**part.env, OFFLINE: "1"})


def _left_out(cluster: Cluster, facts: Facts, serving: Serving) -> Iterator[HostProblem]:
    """The hosts that a model is spread without, and will be until it is served anew."""
    taking_part = {part.node.name for part in serving.parts}
    wanted = set() if serving.model.gpus else {node.name for node in chosen_hosts(cluster, serving.model)}
    for host in assess(cluster, facts).hosts:
        if not host.joined and host.name in wanted - taking_part:
            fix = f"{ours('up')} completes the cluster; to use that host, serve after that"
            yield HostProblem(host.name, Problem(f"left out of the model: {host.verdict}", fix))


def plan_stop(cluster: Cluster, facts: Facts, name: str = "", *, everything: bool = False) -> Plan:
    """Steps that end a server, the only one where none is named, or all of them."""
    title, there = "stop serving", servers(facts)
    if there and name and not meant(name, there):
        if hidden := untold_hosts(cluster, facts):  # it may be where nobody could look
            return Plan(title, refusals=hidden)
        return Plan(title, refusals=(HostProblem(cluster.head.name, unknown(name, there)),))
    names = meant(name, there) if name else tuple(there)
    if len(names) > 1 and not everything:
        return Plan(title, refusals=(HostProblem(cluster.head.name, several(names)),))
    ended = [there[each] for each in names]
    asked = {cluster.head.name, *(host for each in ended for host in each.hosts)}
    nodes = engine.of(cluster).supervisors(cluster)
    every = everything or not ended or not cluster.engine.has_ray
    refusals = _rejected(
        cluster, tuple(node for node in nodes if every or node.name in asked), facts, why_unknown
    )
    stops = tuple((node, each) for each in ended for node in nodes if at(each, facts, node.name))
    changes = tuple(Change(node.name, f"stop serving {each.name}") for node, each in stops)
    steps = tuple(_stop(cluster, node, each.name, _folder(each, facts, node)) for node, each in stops)
    return Plan(title, (Phase(STOPS, steps, OnFailure.KEEP_GOING),) if stops else (), changes, refusals)


def _folder(server: Server, facts: Facts, node: Node) -> str:
    found = at(server, facts, node.name)
    return found.folder if found else server.name


def unknown(word: str, there: Mapping[str, Server]) -> Problem:
    """That nothing of that name is served, and what is."""
    near = nearest(word, there)
    fix = ours("serve stop", near) if near else ours("serve status")
    served = f"served {'is' if len(there) == 1 else 'are'} {', '.join(there)}"
    return Problem(f"nothing called {word} is served; {served}", fix)


def several(names: tuple[str, ...]) -> Problem:
    """That a name is missing, or stands for several."""
    text = f"{len(names)} models are served: {', '.join(names)}"
    return Problem(
        text, f"name one, as in {ours('serve stop', names[0])}; all: {ours('serve stop', '--all')}"
    )


def _rejected(
    cluster: Cluster,
    nodes: tuple[Node, ...],
    facts: Facts,
    why: Callable[[Cluster, Node, HostFacts | Unreachable], Problem | None],
) -> tuple[HostProblem, ...]:
    each = ((node.name, why(cluster, node, facts[node.name])) for node in nodes)
    return tuple(HostProblem(name, problem) for name, problem in each if problem)


def plan_unserve(
    cluster: Cluster, name: str, wreck: FailedRun, starts: Mapping[str, str] = MappingProxyType({})
) -> Plan:
    """The end of a server that did not come to answer; its log stays.

    `starts`: what its starts have printed, by host: what was started anew since is another's.
    """
    failed = wreck.failed or wreck.interrupted
    ended = tuple(node for node in cluster.nodes if node.name in wreck.started)
    stops = tuple(_stop(cluster, node, name, name, starts.get(node.name, "")) for node in ended)
    return Plan("clean up", (Phase(STOPS, stops, OnFailure.KEEP_GOING),) if failed and ended else ())


def resumed(cluster: Cluster, facts: Facts, hosts: frozenset[str]) -> dict[str, tuple[Run, ...]]:
    """Steps that give those hosts, whose containers are new, their parts of what is still served from others."""
    found: dict[str, tuple[Run, ...]] = {}
    for server in servers(facts).values():
        if server.host in hosts or not (_is_kept(server) and server.served.share):
            continue
        serving = engine.of(cluster).again(cluster, facts, server)
        if serving and server.served.offline:
            serving = _offline(serving)
        for part in serving.parts if serving else ():
            if serving and part.node.name in hosts:
                starts = found.get(part.node.name, ())
                found[part.node.name] = (*starts, _start(cluster, serving, part))
    return found


STOPS = "Stop the server"


def _stop(cluster: Cluster, node: Node, name: str, folder: str, start: str = "") -> Run:
    stop = docker.stop_server(cluster, node, folder, start)
    return Run(node.name, "stop vLLM", stop, timeout=STOP_SECONDS, of=name)


def _is_supervised(facts: Facts, serving: Serving, part: Part) -> bool:
    """Whether its supervisor is there, and of the group that is to be."""
    here = facts[part.node.name]
    reports = here.served if isinstance(here, HostFacts) else ()
    return any(each.supervised and (each.name, each.run) == (serving.name, part.run) for each in reports)


def _change(serving: Serving, part: Part) -> str:
    if part is not serving.parts[0]:
        return f"rank {serving.parts.index(part)} of it"
    why = serving.why and f": {serving.why}"
    return f"serve {' '.join((serving.model.name, *redacted(serving.model.args)))}{why}"


def _phases(cluster: Cluster, serving: Serving, anew: tuple[Part, ...]) -> Iterator[Phase]:
    if anew:
        starts = tuple(_start(cluster, serving, part) for part in anew)
        yield Phase("Start the server", starts, OnFailure.STOP)
    waits, first = tuple(_wait(cluster, serving, part) for part in serving.parts), serving.first
    # A supervisor that asks by itself tells the answer; one that runs already may be older, and have asked nothing.
    told = serving.parts[0] in anew and serving.model.liveness is Liveness.ON
    asking = docker.ask_server(cluster, first, serving.folder)
    kind, name = StepKind.ASK_MODEL, serving.name
    ask = Run(first.name, "send it a request", asking, timeout=ASK_SECONDS, kind=kind, of=name)
    yield Phase(f"Wait for {name}", (waits[0], *(() if told else (ask,)), *waits[1:]), OnFailure.STOP)


def _start(cluster: Cluster, serving: Serving, part: Part) -> Run:
    start, kind = docker.start_server(cluster, part.node, spec(serving, part)), StepKind.START_SERVER
    return Run(part.node.name, "start vLLM", start, timeout=STOP_SECONDS, kind=kind, of=serving.name)


def _wait(cluster: Cluster, serving: Serving, part: Part) -> Wait:
    title = "wait for its part" if part.group and part.group.rank else "wait until it answers"
    look = partial(docker.inspect_servers, cluster, part.node, LINES)
    until, within = (
        ServerAnswers(part.node.accelerator, serving.name, has_ranks=part.group is not None),
        serving.model.stalled_after * 60 + GRACE_SECONDS,
    )
    if not serving.folder:  # programs that are older than names take none, and wait for no change
        return Wait(part.node.name, title, look(), until, within, WATCH_SECONDS, of=serving.name)
    one, several = look(WATCH_SECONDS, serving.folder), look(WATCH_SECONDS)
    return Wait(part.node.name, title, one, until, within, LOOK_EVERY, of=serving.name, of_several=several)
