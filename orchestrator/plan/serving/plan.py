"""The plans of `serve` and `serve stop`."""

from collections.abc import Iterator

from orchestrator.model.cluster import Cluster, Model
from orchestrator.model.discreet import arguments as discreet
from orchestrator.plan import docker
from orchestrator.plan.aftermath import Wreck
from orchestrator.plan.facts import DockerTrouble, Facts, HostFacts, RayTable, Silent
from orchestrator.plan.found import ip_of, own, ray_table
from orchestrator.plan.hints import docker_fix
from orchestrator.plan.serving import sizes
from orchestrator.plan.serving.served import Served
from orchestrator.plan.serving.spec import Server, spec
from orchestrator.plan.serving.waits import Answers
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Refusal, Run, Wait

UP_FIRST = "`raycluster up` brings it up"
STOP_FIRST = "`raycluster serve stop` ends that"
START = "start vLLM"
ASK = "ask it for a word"
LINES = 400
"""Enough of the log for the root cause of a failure, which vLLM follows with the traces of all that it ends."""

LOAD_SECONDS = 4 * 3600.0
"""The largest models take an hour and more to download; one that will never answer ends by itself."""

ASK_SECONDS = 330.0
STOP_SECONDS = 60.0


def plan_serve(cluster: Cluster, facts: Facts, model: Model) -> Plan:
    """What makes the model answer, on a cluster that is up."""
    title, head = f"serve {model.name}", cluster.head.name
    if why := _not_ready(cluster, facts):
        return Plan(title, refusals=(why,))
    here = facts[head]
    now = here.served if isinstance(here, HostFacts) else None
    if now and now.kept and now.model != model:
        return Plan(title, refusals=(Refusal(head, f"{now.model.name} is served there", STOP_FIRST),))
    if now and now.answers:
        return Plan(title)
    if too_many := sizes.too_many(_gpus(cluster, facts), model.args):
        return Plan(title, refusals=(Refusal(head, too_many, "ask for fewer, or leave the sizes out"),))
    server, why_so = _server(cluster, facts, model)
    change = Change(head, f"serves {' '.join((model.name, *discreet(model.args)))}{why_so and f': {why_so}'}")
    return Plan(title, tuple(_phases(cluster, server, now)), (change,))


def plan_stop(cluster: Cluster, facts: Facts) -> Plan:
    """What ends the server, if there is one."""
    title, head = "stop serving", cluster.head
    here = facts[head.name]
    if isinstance(here, Silent):
        return Plan(title, refusals=(Refusal(head.name, here.why, here.fix, here.detail),))
    if not here.served:
        return Plan(title)
    return Plan(title, (_stop(cluster),), (Change(head.name, f"serves {here.served.model.name} no more"),))


def plan_unserve(cluster: Cluster, wreck: Wreck) -> Plan:
    """The end of a server that did not come to answer; its log stays."""
    failed = wreck.failed or wreck.interrupted
    return Plan("clean up", (_stop(cluster),) if failed and wreck.started else ())


def _stop(cluster: Cluster) -> Phase:
    stop = docker.stop_server(cluster, cluster.head)
    run = Run(cluster.head.name, "stop vLLM", stop, timeout=STOP_SECONDS)
    return Phase("Stop the server", (run,), OnFailure.KEEP_GOING)


def _not_ready(cluster: Cluster, facts: Facts) -> Refusal | None:
    """Why there is no cluster to serve on."""
    head, here = cluster.head.name, facts[cluster.head.name]
    if isinstance(here, Silent):
        return Refusal(head, here.why, here.fix, here.detail)
    if isinstance(here.docker, DockerTrouble):
        return Refusal(head, here.docker.text, docker_fix(here.docker))
    container = own(cluster, cluster.head, here)
    if container is None or not container.running:
        return Refusal(head, "the cluster is not up: no container of its head runs", UP_FIRST)
    if not isinstance(ray_table(cluster, facts), RayTable):
        return Refusal(head, "the cluster is not up: Ray on its head gives no answer", UP_FIRST)
    return None


def _server(cluster: Cluster, facts: Facts, model: Model) -> tuple[Server, str]:
    chosen = sizes.choose(_gpus(cluster, facts), model.args)
    return Server(model, chosen.args, ip_of(cluster.head, facts[cluster.head.name]) or ""), chosen.why


def _gpus(cluster: Cluster, facts: Facts) -> dict[str, int]:
    """The GPUs that Ray reports, by the node's address."""
    table = ray_table(cluster, facts)
    return {node.ip: node.gpus for node in table.nodes if node.alive} if isinstance(table, RayTable) else {}


def _phases(cluster: Cluster, server: Server, now: Served | None) -> Iterator[Phase]:
    head = cluster.head
    if not (now and now.kept):
        start = docker.start_server(cluster, head, spec(cluster, head, server))
        run = Run(head.name, START, start, timeout=STOP_SECONDS, starts=cluster.container(head))
        yield Phase("Start the server", (run,), OnFailure.STOP)
    wait = Wait(
        head.name,
        "wait until it answers",
        docker.look_at_server(cluster, head, LINES),
        Answers(),
        LOAD_SECONDS,
    )
    ask = Run(head.name, ASK, docker.ask_server(cluster, head), timeout=ASK_SECONDS)
    yield Phase("Wait for the model", (wait, ask), OnFailure.STOP)
