"""What `serve` says: that a model answers and how to ask it, or why it does not."""

import json
import shlex

from rich.text import Text

from orchestrator.cli.acting import Done
from orchestrator.cli.failures import show_failures
from orchestrator.cli.model_line import told
from orchestrator.cli.result_line import show_result
from orchestrator.cli.screen import answer, notice
from orchestrator.model.cluster import Cluster, Model
from orchestrator.plan.facts import HostFacts
from orchestrator.plan.health import ClusterHealth
from orchestrator.plan.login import by_hand
from orchestrator.plan.serving.plan import ASK
from orchestrator.plan.serving.served import Served

KEY = "VLLM_API_KEY"


def conclude(cluster: Cluster, model: Model, done: Done, *, events: bool) -> None:
    """Prints how `serve` ended."""
    url, name = _where(cluster, done)
    already = "" if done.plan.phases else " already, nothing to do"
    good = f"{model.name} answers{already}: {url}/v1 ({done.seconds:.1f} s)"
    bad = f"{model.name} is not served: " + ("interrupted" if done.interrupted else "it does not answer")
    if events:
        show_result("serve", cluster, done, bad if done.exit_code else good)
    elif done.exit_code:
        show_failures(bad, done, _what_now(done))
    else:
        answer().print(Text(good, "bold green"))
        _show_use(cluster, url, name or model.name)


def conclude_stop(cluster: Cluster, done: Done, *, events: bool) -> None:
    """Prints how `serve stop` ended."""
    ended = f"nothing is served on cluster {cluster.name} {'any more' if done.plan.phases else 'now'}"
    bad = f"serving on cluster {cluster.name} may not have ended"
    if events:
        show_result("serve stop", cluster, done, bad if done.exit_code else ended)
    elif done.exit_code:
        show_failures(bad, done, "Once this is mended, `raycluster serve stop` tries anew.")
    else:
        answer().print(ended)


def show_model(cluster: Cluster, health: ClusterHealth) -> None:
    """Prints the state of what is served."""
    if health.model is None:
        answer().print(f"nothing is served on cluster {cluster.name}")
        return
    answer().print(told(health.model))
    if health.model.trouble and health.model.fix:
        notice().print(f"→ {health.model.fix}", style="yellow")


def _where(cluster: Cluster, done: Done) -> tuple[str, str]:
    """The server's address, and what the model is called there."""
    asked = (
        result.output.stdout for result in done.report.results if result.step.title == ASK and result.output
    )
    for line in asked:
        said = json.loads(line)
        return said["url"], said["name"]
    here = done.facts.get(cluster.head.name)
    served = here.served if isinstance(here, HostFacts) else None
    return (served.url, served.name) if isinstance(served, Served) else ("", "")


def _show_use(cluster: Cluster, url: str, name: str) -> None:
    body = json.dumps({"model": name, "prompt": "Hello", "max_tokens": 16})
    key = f' -H "Authorization: Bearer ${KEY}"' if KEY in cluster.secrets else ""
    line = f"curl {url}/v1/completions -H 'Content-Type: application/json'{key} -d {shlex.quote(body)}"
    answer().print("\nAsk it:")
    answer().print(Text(f"  {line}", "cyan"))
    if not cluster.head.is_local:
        there = url.partition("://")[2]
        port = there.rpartition(":")[2]
        answer().print(f"Where that network is out of reach, at http://127.0.0.1:{port} through a tunnel:")
        answer().print(Text(f"  {by_hand(cluster.head, '-N', '-L', f'{port}:{there}').shown()}", "cyan"))
    answer().print("Look at it: raycluster serve status    Its log: serve logs -f    End it: serve stop")


def _what_now(done: Done) -> str:
    if done.plan.refusals:
        return "Nothing was started."
    return "Nothing of it is left running; `raycluster serve logs` shows all that it said."
