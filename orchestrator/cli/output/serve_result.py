"""What `serve` says: that a model answers and how to ask it, or why it does not."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rich.text import Text

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.output import failures
from orchestrator.cli.output.console import answer, explain, failed, gathered, notice
from orchestrator.cli.output.jsonl import Result, ServeEnded, emit
from orchestrator.cli.output.status_table import model_state
from orchestrator.cli.output.typed import line, shown
from orchestrator.cli.run.operation import RunResult
from orchestrator.cli.run.run_log import append_end
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model, Node
from orchestrator.plan.command import quoted
from orchestrator.plan.facts.containers import untold_hosts
from orchestrator.plan.problem import HostProblem, Problem, plural
from orchestrator.plan.serving import arguments, state
from orchestrator.plan.serving.health import STOPPED
from orchestrator.plan.serving.servers import meant, nearest, servers, title
from orchestrator.plan.ssh_command import by_hand
from orchestrator.plan.status.health import ClusterHealth, Verdict
from orchestrator.plan.steps import StepKind
from orchestrator.plan.typed import ours

KEY = "VLLM_API_KEY"
COMPLETIONS = "/v1/completions"


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Where a model answers, without `/v1`, and what it is called there. `speaks`: whether it makes text.

    `untried`: why nobody knows whether it works, though its server answers; empty where it has answered.
    """

    url: str
    name: str
    speaks: bool = True
    untried: str = ""


def conclude(model: Model, done: RunResult, *, one_of_several: bool = False) -> None:
    """Prints how it ended with a model."""
    cluster, where = done.run.cluster, _where(model, done)
    named = title(model.server, model.name)
    seconds = f"({done.seconds:.1f} s)" if done.plan.phases else "already, nothing to do"
    good = f"{named} answers at {where.url}/v1 {seconds}"
    if where.untried:
        good = f"{named} listens at {where.url}/v1 {seconds}; {where.untried}"
    bad = f"{named} is not served{': interrupted' if done.interrupted else ''}"
    if done.lost:
        bad = f"whether {named} is served is not known: {done.lost}"
    message, answers = bad if done.exit_code else good, not done.exit_code
    part = ServeEnded(
        server=model.server,
        model=model.name,
        answers=answers,
        untried=where.untried if answers else "",
        message=message,
        url=where.url if answers else "",
        seconds=round(done.seconds, 3),
    )
    if failures.conclude(done, message, _what_now(model, done), part=part if one_of_several else None):
        answer().print(Text(good, "bold yellow" if where.untried else "bold green"))
        # The server refuses who brings no key, as far as the inventory and the command line tell.
        keys = (*cluster.secrets, *dict(cluster.head.env))
        needs_key = KEY in keys or arguments.API_KEY in arguments.read(model.args)
        _show_use(_node(model, done), where, needs_key=needs_key)
        answer().print()
        if not one_of_several:
            words = _which(model, done)
            _show_then(words, words)


def _show_then(words: tuple[str, ...], ended: tuple[str, ...]) -> None:
    """What one may do next with a model; `ended`: whom one may stop."""
    answer().print("Then:")
    for command, more in (("serve status", ()), ("serve logs", (*words, "-f")), ("serve stop", ended)):
        answer().print(Text(f"  {line(command, *more)}", "cyan"))


def conclude_all(names: tuple[str, ...], brought: Mapping[str, int], ended: Mapping[str, RunResult]) -> int:
    """Prints which of several models have come to answer, and which have not; the exit code.

    `brought`: the codes of those whose files could not be brought; `ended`: how it ended with others; of the rest,
    nothing was tried.
    """
    codes = {**brought, **{name: done.exit_code for name, done in ended.items()}}
    run, tried = next(iter(ended.values())).run, [name for name in names if name in codes]
    code = max(codes.values()) if len(tried) == len(names) or run.lost else INTERRUPTED
    answering = [name for name in tried if not codes[name]]
    # Another run may have ended it since.
    untried = [name for name in answering if name in ended and _untried(ended[name], name)]
    interrupted = [name for name in tried if codes[name] == INTERRUPTED]
    bad = [name for name in tried if name not in (*answering, *interrupted)]
    unknown = [name for name in bad if name in ended and ended[name].lost]
    stopped = [name for name in bad if name in ended and _stopped(ended[name])]
    parts = (
        ("failed", "failed", [name for name in bad if name not in (*unknown, *stopped)]),
        ("was stopped by another run", "were stopped by another run", stopped),
        ("is not known", "are not known", unknown),
        ("was interrupted", "were interrupted", interrupted),
        ("was not tried", "were not tried", [name for name in names if name not in tried]),
        ("listens, and took no question", "listen, and took no question", untried),
        ("has answered", "have answered", [name for name in answering if name not in untried]),
    )
    told = "; ".join(
        f"{len(some)} {many if some[1:] else one}: {', '.join(some)}" for one, many, some in parts if some
    )
    message = (
        f"of {len(names)} models {told}"
        if code or untried
        else f"all {len(names)} models answer: {', '.join(names)}"
    )
    append_end(run.log, run.mask, message, code)
    if run.pace.events:
        result = Result(
            command=run.command,
            cluster=run.cluster.name,
            exit_code=code,
            verdict="interrupted" if code == INTERRUPTED else "failed" if code else "done",
            message=message,
            seconds=round(max(done.seconds for done in ended.values()), 3),
            failures=tuple(each for done in ended.values() for each in failures.problems_of(done)),
            log=str(run.log or ""),
        )
        emit(result, run.mask)
        return code
    if answering:
        _show_then((answering[0],), ("--all",))
        answer().print()
    if code:
        failures.show_log(run.log)
        notice().print(f"✗ {message}", style="red")
    else:
        answer().print(Text(message, "bold green"))
    return code


def _stopped(done: RunResult) -> bool:
    """Whether another run has ended all that failed."""
    failed = [each.failure for each in done.report.failed if each.failure]
    return bool(failed) and all(each.message == STOPPED.text for each in failed)


def conclude_stop(done: RunResult, name: str, *, everything: bool) -> None:
    """Prints how `serve stop` ended."""
    there, cluster = servers(done.facts), f"cluster {done.run.cluster.name}"
    ended = meant(name, there) if name else tuple(there)
    rest = [each for each in there if each not in ended]
    good = f"{cluster} serves nothing{' any more' if done.plan.phases else ': nothing to do'}"
    if done.plan.phases and rest:
        good = f"{', '.join(ended)} is no longer served; {', '.join(rest)} still {'is' if not rest[1:] else 'are'}"
    hidden = ", ".join(each.host for each in untold_hosts(done.run.cluster, done.facts))
    if done.plan.phases and hidden and not rest:
        good = f"{', '.join(ended)} is no longer served; what {hidden} may serve is not known"
    bad = f"{', '.join(ended) if name and ended else 'the model'} on {cluster} may still be served"
    what_now = shown(f"Once this is fixed: {ours('serve stop', *((name,) if name else ()))}")
    if there and (not ended or (len(ended) > 1 and not everything)):
        bad, what_now = "nothing was stopped", ""  # the same line would be refused again
    if failures.conclude(done, bad if done.exit_code else good, what_now):
        answer().print(good)


Hidden = tuple[HostProblem, ...]
"""Hosts of which it is not known what they serve, and why."""


def of_name(health: ClusterHealth, hidden: Hidden, name: str | None) -> tuple[ClusterHealth, Hidden]:
    """The same, of its models only those that a name stands for; exit code 1 where there are none of it."""
    if name is None:
        return health, hidden
    found = tuple(each for each in health.models if name in (each.name, each.model))
    if health.models and not found:
        if hidden:  # it may be where nobody could look
            failed(hidden[0].host, hidden[0].problem)
        names = ", ".join(each.name for each in health.models)
        near = nearest(name, [each.name for each in health.models])
        fix = ours("serve status", near) if near else ""
        failed(health.hosts[0].name, Problem(f"nothing called {name} is served; there is {names}", fix))
    return replace(health, models=found), () if found else hidden


def show_models(health: ClusterHealth, hidden: Hidden) -> None:
    """Prints the state of what is served, and who could not be asked."""
    if not health.models:
        head = health.hosts[0]
        answer().print(untold(health, hidden))
        if not hidden:
            explain(head.detail, shown(head.fix, [head.name]))
    for model in health.models:
        answer().print(model_state(model))
        if model.trouble:
            explain("", shown(model.fix, [model.host]))
    if hidden and health.models:
        answer().print(untold(health, hidden))
    for problem, hosts in gathered((each.host, each.problem) for each in hidden).items():
        explain(problem.detail, shown(problem.fix, hosts))


def untold(health: ClusterHealth, hidden: Hidden) -> str:
    """That nothing is served, or that nobody knows; nothing where all is told."""
    if hidden:
        whose = f"what {'else ' if health.models else ''}cluster {health.cluster} serves is not known"
        more = f"; {plural(len(hidden) - 1, 'further host')} cannot be asked either" if hidden[1:] else ""
        return f"{whose}: {hidden[0].host}: {hidden[0].problem.text}{more}"
    if health.models:
        return ""
    head = health.hosts[0]
    why = f": {head.name}: {head.trouble}" if head.verdict is Verdict.DOWN and head.trouble else ""
    return f"cluster {health.cluster} serves nothing{why}"


def _where(model: Model, done: RunResult) -> ModelAddress:
    for _, reply in _answers(done):
        doubt = state.untried(reply["status"])
        speaks = not doubt and reply.get("path", COMPLETIONS) == COMPLETIONS
        return ModelAddress(reply["url"], reply["name"] or model.name, speaks, doubt)
    server = servers(done.facts).get(model.server)
    if not server:
        return ModelAddress("", model.name)
    served = server.served
    return ModelAddress(served.url, served.called or model.name, not served.untried, served.untried)


def _untried(done: RunResult, name: str) -> str:
    model = next((each for each in done.run.cluster.serve if each.server == name), None)
    return _where(model, done).untried if model else ""


def _answers(done: RunResult) -> Iterator[tuple[str, Any]]:
    """What the model has answered, and on which host: as its supervisor has told, or as it was asked."""
    for each in done.report.results:
        if each.output and (each.output.answer or each.step.kind is StepKind.ASK_MODEL):
            yield each.step.host, json.loads(each.output.answer or each.output.stdout)


def _node(model: Model, done: RunResult) -> Node:
    """Where it answers."""
    server, cluster = servers(done.facts).get(model.server), done.run.cluster
    host = next((host for host, _ in _answers(done)), server.host if server else "")
    return next((node for node in cluster.nodes if node.name == host), cluster.head)


def _which(model: Model, done: RunResult) -> tuple[str, ...]:
    """The name, where others are served beside it, or will be: the inventory has several."""
    several = len(done.run.cluster.serve) > 1 or servers(done.facts).keys() - {model.server}
    return (model.server,) if several else ()


def _show_use(node: Node, where: ModelAddress, *, needs_key: bool) -> None:
    scheme, _, there = where.url.partition("://")
    port = there.rpartition(":")[2]
    answer().print("\nAsk it:")
    answer().print(Text(f"  {_request(where, needs_key=needs_key)}", "cyan"), soft_wrap=True)
    if not node.is_local:
        answer().print(f"From elsewhere, through a tunnel to {scheme}://127.0.0.1:{port}:")
        answer().print(Text(f"  {by_hand(node, '-N', '-L', f'{port}:{there}').shown()}", "cyan"))


def _request(where: ModelAddress, *, needs_key: bool) -> str:
    """A line for bash; a shell variable in it stands for the key."""
    body = json.dumps({"model": where.name, "prompt": "Hello", "max_tokens": 16})
    key = [f'-H "Authorization: Bearer ${KEY}"'] if needs_key else []
    body_words = ["-H 'Content-Type: application/json'", f"-d {quoted(body)}"] if where.speaks else []
    ask = f"curl {quoted(where.url)}{COMPLETIONS if where.speaks else '/v1/models'}"
    return " \\\n    ".join((ask, *key, *body_words))


def _what_now(model: Model, done: RunResult) -> str:
    words = _which(model, done)
    if done.lost or done.left:
        stop = ours("serve stop", *words)
        return shown(f"It may still run there: {ours('serve status')} tells, {stop} ends it.")
    if started := done.report.started:
        if not done.undone.plan.phases:
            return (
                f"Nothing of it is left: its {'containers are' if len(started) > 1 else 'container is'} gone."
            )
        return shown(f"Nothing of it is left running; {ours('serve logs', *words)} shows all that it said.")
    if any(step.kind is StepKind.START_SERVER for step in done.plan) or done.plan.refusals:
        return "Nothing was started."
    # What has ended meanwhile, another run may have stopped.
    stop = f", {ours('serve stop', *words)} ends it" if done.interrupted else ""
    return shown(
        f"An earlier run has started it, and this one has ended nothing: {ours('serve status')} tells how it is{stop}."
    )
