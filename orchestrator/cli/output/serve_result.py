"""What `serve` says: that a model answers and how to ask it, or why it does not."""

import json

from rich.text import Text

from orchestrator.cli.output import failures
from orchestrator.cli.output.console import answer, explain
from orchestrator.cli.output.status_table import model_state
from orchestrator.cli.output.typed import line, shown
from orchestrator.cli.run.operation import RunResult
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Model
from orchestrator.plan.command import quoted
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.health import served_by
from orchestrator.plan.ssh_command import by_hand
from orchestrator.plan.status.health import ClusterHealth, Verdict
from orchestrator.plan.steps import StepKind
from orchestrator.plan.typed import ours

KEY = "VLLM_API_KEY"
OK = 200


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Where a model answers, without `/v1`, and what it is called there. `speaks`: whether it makes text."""

    url: str
    name: str
    speaks: bool = True


def conclude(model: Model, done: RunResult) -> None:
    """Prints how `serve` ended."""
    cluster, where = done.run.cluster, _where(model, done)
    seconds = f"({done.seconds:.1f} s)" if done.plan.phases else "already, nothing to do"
    good = f"{model.name} answers at {where.url}/v1 {seconds}"
    why = f": interrupted{done.lost and ': ' + done.lost}" if done.lost or done.interrupted else ""
    bad = f"{model.name} is not served{why}"
    if failures.conclude(done, bad if done.exit_code else good, _what_now(done)):
        answer().print(Text(good, "bold green"))
        # The server refuses who brings no key, as far as the inventory and the command line tell.
        keys = (*cluster.secrets, *dict(cluster.head.env))
        _show_use(cluster, where, needs_key=KEY in keys or arguments.API_KEY in arguments.read(model.args))
        answer().print("\nThen:")
        for command, words in (("serve status", ()), ("serve logs", ("-f",)), ("serve stop", ())):
            answer().print(Text(f"  {line(command, *words)}", "cyan"))


def conclude_stop(done: RunResult) -> None:
    """Prints how `serve stop` ended."""
    cluster = f"cluster {done.run.cluster.name}"
    good = f"{cluster} serves nothing{' any more' if done.plan.phases else ': nothing to do'}"
    bad = f"the model on {cluster} may still be served"
    what_now = shown(f"Once this is fixed: {ours('serve stop')}")
    if failures.conclude(done, bad if done.exit_code else good, what_now):
        answer().print(good)


def show_model(health: ClusterHealth) -> None:
    """Prints the state of what is served."""
    if health.model is None:
        head = health.hosts[0]
        answer().print(unserved(health))
        explain(head.detail, shown(head.fix, [head.name]))
        return
    answer().print(model_state(health.model))
    if health.model.trouble:
        explain("", shown(health.model.fix, [health.hosts[0].name]))


def unserved(health: ClusterHealth) -> str:
    """That nothing is served; or that nobody knows."""
    head = health.hosts[0]
    if head.verdict is Verdict.UNKNOWN:
        return f"what cluster {health.cluster} serves is not known: {head.name}: {head.trouble}"
    why = f": {head.name}: {head.trouble}" if head.verdict is Verdict.DOWN and head.trouble else ""
    return f"cluster {health.cluster} serves nothing{why}"


def _where(model: Model, done: RunResult) -> ModelAddress:
    for result in done.report.results:
        if result.step.kind is StepKind.ASK_MODEL and result.output:
            reply = json.loads(result.output.stdout)
            return ModelAddress(reply["url"], reply["name"] or model.name, reply["status"] == OK)
    served = served_by(done.facts.get(done.run.cluster.head.name))
    return ModelAddress(served.url, served.name or model.name) if served else ModelAddress("", model.name)


def _show_use(cluster: Cluster, where: ModelAddress, *, needs_key: bool) -> None:
    scheme, _, there = where.url.partition("://")
    port = there.rpartition(":")[2]
    answer().print("\nAsk it:")
    answer().print(Text(f"  {_request(where, needs_key=needs_key)}", "cyan"))
    if not cluster.head.is_local:
        answer().print(f"From elsewhere, through a tunnel to {scheme}://127.0.0.1:{port}:")
        answer().print(Text(f"  {by_hand(cluster.head, '-N', '-L', f'{port}:{there}').shown()}", "cyan"))


def _request(where: ModelAddress, *, needs_key: bool) -> str:
    """A line for bash; a shell variable in it stands for the key."""
    body = json.dumps({"model": where.name, "prompt": "Hello", "max_tokens": 16})
    key = [f'-H "Authorization: Bearer ${KEY}"'] if needs_key else []
    body_words = ["-H 'Content-Type: application/json'", f"-d {quoted(body)}"] if where.speaks else []
    ask = f"curl {quoted(where.url)}/v1/{'completions' if where.speaks else 'models'}"
    return " \\\n    ".join((ask, *key, *body_words))


def _what_now(done: RunResult) -> str:
    if done.lost or done.left:
        return shown(f"It may still run there: {ours('serve status')} tells, {ours('serve stop')} ends it.")
    if done.report.started:
        return shown(f"Nothing of it is left running; {ours('serve logs')} shows all that it said.")
    if any(step.kind is StepKind.START_SERVER for step in done.plan) or done.plan.refusals:
        return "Nothing was started."
    return shown(f"An earlier run has started it, and it is left as it is; {ours('serve stop')} ends it.")
