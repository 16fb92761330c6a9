"""Options of the image's vLLM, asked in the head's container: by its sources, and in doubt by its own parser."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event

from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.plan import docker
from orchestrator.plan.command import Command
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.vllm_options import VllmOptions, parse_options
from orchestrator.plan.serving.completion import file_of, is_doubtful
from orchestrator.remote.execute.command import with_timeout
from orchestrator.remote.execute.events import Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.hosts import ask_all, unreachable
from orchestrator.remote.transport import Failure

Ask = Callable[[Node], VllmOptions | Unreachable]


def look_at_options(cluster: Cluster, ask: Ask, tell: Tell) -> VllmOptions | Unreachable:
    """What a model's words can be judged by. `ask`: as `options_asker` makes it."""
    return ask_all((cluster.head,), ask, tell, "Read vLLM's options", "reading")[cluster.head.name]


def options_asker(cluster: Cluster, model: Model, fleet: Fleet, cancel: Event) -> Ask:
    """Asks a node for them; where the parser does not tell in time, vLLM itself will judge."""
    file = file_of(model.args)

    def ask(node: Node) -> VllmOptions | Unreachable:
        seconds = fleet.timeouts.options_look
        found = _ask(docker.vllm_options(cluster, node, file, by="sources"), node, seconds)
        if isinstance(found, Unreachable) or not is_doubtful(model, found):
            return found
        seconds = fleet.timeouts.options_parser
        parsed = _ask(docker.vllm_options(cluster, node, file, by="parser"), node, seconds)
        return replace(found, names=()) if isinstance(parsed, Unreachable) else parsed

    def _ask(command: Command, node: Node, seconds: float) -> VllmOptions | Unreachable:
        got = fleet[node.name].run(with_timeout(command, seconds), timeout=seconds + 10, cancel=cancel)
        return unreachable(got) if isinstance(got, Failure) else parse_options(got.stdout, got.stderr)

    return ask
