"""The plans of `serve` and `serve stop`."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.model.redact import arguments as redacted
from orchestrator.plan import docker, engine
from orchestrator.plan.actions.rollback import FailedRun
from orchestrator.plan.facts.containers import why_not_ready, why_unknown
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving.health import ServerAnswers, served_by
from orchestrator.plan.serving.presence import NOT_LOOKED_AT, Presence
from orchestrator.plan.serving.spec import Part, Serving, spec
from orchestrator.plan.status.health import assess
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Run, StepKind, Wait
from orchestrator.plan.typed import ours

STOP_FIRST = f"{ours('serve stop')} ends that; both at once need a second cluster, with GPUs of its own"
LINES = 400
"""Enough of the log for the root cause of a failure, which vLLM follows with the traces of all that it ends."""

STALLED_SECONDS = 3600.0
"""Seconds in which nothing moves: a load ends. The largest models take hours, in which something does."""
GRACE_SECONDS = 300.0
"""For the supervisor to end it, which says why; and for a host that is too busy to be asked."""

LOOK_EVERY = 2.0
OFFLINE = "HF_HUB_OFFLINE"
ASK_SECONDS = 330.0
STOP_SECONDS = 60.0


def plan_serve(cluster: Cluster, facts: Facts, model: Model, there: Presence = NOT_LOOKED_AT) -> Plan:
    """Steps that make the model answer, on a cluster that is up. `there`: what the hosts have of it."""
    title, head = f"serve {model.name}", cluster.head.name
    serving = engine.of(cluster).serving(cluster, facts, model)
    if not isinstance(serving, Serving):
        return Plan(title, refusals=serving)
    nodes = tuple(part.node for part in serving.parts)
    if absent := _rejected(cluster, nodes, facts, why_not_ready):
        return Plan(title, refusals=absent)
    now = served_by(facts[head])
    if now and now.supervised and now.model != model:
        how = " with other arguments" if now.model.name == model.name else ""
        other = Problem(f"{now.model.name} is served there{how}", STOP_FIRST)
        return Plan(title, refusals=(HostProblem(head, other),))
    missing = tuple(part for part in serving.parts if not _is_supervised(facts, part))
    if now and now.answers and not missing:
        return Plan(title)
    if now and now.state == "unresponsive":
        missing = serving.parts
    if there.refusals:
        return Plan(title, refusals=there.refusals)
    anew = serving.parts if serving.parts[0] in missing else missing
    changes = tuple(Change(part.node.name, _change(serving, part)) for part in anew or serving.parts[:1])
    left_out = tuple(_left_out(cluster, facts, serving)) if anew else ()
    lacking = there.lacking if anew else ()
    if there.offline:
        serving, anew = _offline(serving), tuple(map(_without_hub, anew))
    return Plan(title, tuple(_phases(cluster, serving, anew)), changes, warnings=(*left_out, *lacking))


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
    for host in assess(cluster, facts).hosts:
        if not host.joined and host.name not in taking_part:
            fix = f"{ours('up')} completes the cluster; to use its GPUs, serve after that"
            yield HostProblem(host.name, Problem(f"left out of the model: {host.verdict}", fix))


def plan_stop(cluster: Cluster, facts: Facts) -> Plan:
    """Steps that end the server, if there is one."""
    title, nodes = "stop serving", engine.of(cluster).supervisors(cluster)
    refusals = _rejected(cluster, nodes, facts, why_unknown)
    serving = {node.name: now for node in nodes if (now := served_by(facts[node.name]))}
    changes = tuple(Change(name, f"stop serving {now.model.name}") for name, now in serving.items())
    phases = (_stop(cluster, frozenset(serving)),) if serving else ()
    return Plan(title, phases, changes, refusals)


def _rejected(
    cluster: Cluster,
    nodes: tuple[Node, ...],
    facts: Facts,
    why: Callable[[Cluster, Node, HostFacts | Unreachable], Problem | None],
) -> tuple[HostProblem, ...]:
    each = ((node.name, why(cluster, node, facts[node.name])) for node in nodes)
    return tuple(HostProblem(name, problem) for name, problem in each if problem)


def plan_unserve(cluster: Cluster, wreck: FailedRun) -> Plan:
    """The end of a server that did not come to answer; its log stays."""
    failed = wreck.failed or wreck.interrupted
    return Plan("clean up", (_stop(cluster, wreck.started),) if failed and wreck.started else ())


def resumed(cluster: Cluster, facts: Facts, hosts: frozenset[str]) -> dict[str, Run]:
    """Steps that give those hosts, whose containers are new, their parts of the model that the head still serves."""
    now = served_by(facts[cluster.head.name])
    serving = engine.of(cluster).serving(cluster, facts, now.model) if now and now.supervised else ()
    if not now or not isinstance(serving, Serving) or serving.run != now.run:
        return {}
    parts = (part for part in serving.parts if part.node.name in hosts)
    return {part.node.name: _start(cluster, serving, part) for part in parts}


def _stop(cluster: Cluster, hosts: frozenset[str]) -> Phase:
    nodes = (node for node in cluster.nodes if node.name in hosts)
    stops = ((node.name, docker.stop_server(cluster, node)) for node in nodes)
    runs = tuple(Run(name, "stop vLLM", stop, timeout=STOP_SECONDS) for name, stop in stops)
    return Phase("Stop the server", runs, OnFailure.KEEP_GOING)


def _is_supervised(facts: Facts, part: Part) -> bool:
    """Whether its supervisor is there, and of the group that is to be."""
    now = served_by(facts[part.node.name])
    return bool(now and now.supervised and now.run == part.run)


def _change(serving: Serving, part: Part) -> str:
    if part is not serving.parts[0]:
        return f"rank {serving.parts.index(part)} of it"
    why = serving.why and f": {serving.why}"
    return f"serve {' '.join((serving.model.name, *redacted(serving.model.args)))}{why}"


def _phases(cluster: Cluster, serving: Serving, anew: tuple[Part, ...]) -> Iterator[Phase]:
    if anew:
        starts = tuple(_start(cluster, serving, part) for part in anew)
        yield Phase("Start the server", starts, OnFailure.STOP)
    waits, head = tuple(_wait(cluster, part) for part in serving.parts), cluster.head
    asking = docker.ask_server(cluster, head)
    ask = Run(head.name, "send it a request", asking, timeout=ASK_SECONDS, kind=StepKind.ASK_MODEL)
    yield Phase("Wait for the model", (waits[0], ask, *waits[1:]), OnFailure.STOP)


def _start(cluster: Cluster, serving: Serving, part: Part) -> Run:
    start = docker.start_server(cluster, part.node, spec(serving, part))
    return Run(part.node.name, "start vLLM", start, timeout=STOP_SECONDS, kind=StepKind.START_SERVER)


def _wait(cluster: Cluster, part: Part) -> Wait:
    title = "wait for its part" if part.group and part.group.rank else "wait until it answers"
    look = docker.inspect_server(cluster, part.node, LINES)
    return Wait(
        part.node.name,
        title,
        look,
        ServerAnswers(part.node.accelerator),
        STALLED_SECONDS + GRACE_SECONDS,
        LOOK_EVERY,
    )
