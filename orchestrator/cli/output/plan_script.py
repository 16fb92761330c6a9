"""A plan as a bash script that does by hand what the plan does, one host after the other."""

from collections.abc import Iterator

from orchestrator.cli.output.console import printable
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan.command import Command, Script, quoted
from orchestrator.plan.host_commands import TOKEN, read_token
from orchestrator.plan.ssh_command import ssh
from orchestrator.plan.steps import Feed, Phase, Plan, Run, Step, Wait, Watch

HEADER = r"""#!/usr/bin/env bash
# raycluster: {title}
set -euo pipefail

quoted() {{
    local rest=$1 done=''
    while [[ $rest == *\'* ]]; do
        done+="${{rest%%\'*}}'\\''"
        rest=${{rest#*\'}}
    done
    printf "'%s' " "$done$rest"
}}

portable() {{ # LINE: the same for login shells that are no POSIX shells, too
    local code=$1
    code=${{code//\\/'\134'}} code=${{code//\'/'\047'}} code=${{code//!/'\041'}} code=${{code//$'\n'/'\012'}}
    code=${{code//'"'/'\042'}} code=${{code//'$'/'\044'}} code=${{code//'`'/'\140'}} code=${{code//'%'/'\045'}}
    printf %s "sh -c 'eval \"\$(printf \"$code\")\"'"
}}

on() {{ # HOST COMMAND...: each word quoted for the shell there
    local host=$1 line='' word
    shift
    for word; do line+=$(quoted "$word"); done
    case $host in
{hosts}
    esac
}}

wait_for() {{ # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || {{ echo "gave up waiting: $*" >&2; return 1; }}
        sleep 0.5
    done
}}
"""

NOT_ASKING = ("-o", "BatchMode=yes")
NEW_TOKEN = "od -An -N32 -tx1 /dev/urandom | tr -d ' \\n'"  # noqa: S105 - how to make one


def script(cluster: Cluster, plan: Plan) -> str:
    """The whole script. Secrets stand in it as variables that the person sets."""
    hosts = "\n".join(f"        {quoted(node.name)}) {_shell(node)} ;;" for node in cluster.nodes)
    header = HEADER.format(title=plan.title, hosts=hosts)
    body = "\n".join(("{", *_variables(cluster, plan), *_body(plan), "}"))
    return "\n".join((header, *_texts(plan), f"{body} </dev/null", ""))


def _shell(node: Node) -> str:
    """What runs "$line" on the host, in the user's home there."""
    if node.is_local:
        return '(cd && exec sh -c "$line")'
    return f'{ssh(node, *NOT_ASKING).shown()} "$(portable "$line")"'


def _texts(plan: Plan) -> Iterator[str]:
    """The programs that the plan sends, once each."""
    words = (word for command in _commands(plan) for word in command.argv)
    texts = {word.name: word for word in words if isinstance(word, Script)}
    return (f"{_variable(name).upper()}={quoted(text)}\n" for name, text in texts.items())


def _commands(plan: Plan) -> Iterator[Command]:
    for phase in plan.phases:
        yield from (step.command if isinstance(step, Run) else step.probe for step in phase.steps)
        yield from (each.command for each in (phase.watch, phase.feed) if each)


def _variables(cluster: Cluster, plan: Plan) -> Iterator[str]:
    sent = {part.name for command in _commands(plan) for part in command.stdin if isinstance(part, Secret)}
    for name in sorted(sent - {TOKEN}):
        yield f': "${{{name}:?export it first}}"'
    if TOKEN in sent:
        old = _on(cluster.head.name, read_token(cluster, cluster.head))
        yield f"{_variable(TOKEN)}=$({old} 2>/dev/null || {NEW_TOKEN})"


def _body(plan: Plan) -> Iterator[str]:
    yield ":"  # bash wants a command between braces
    for phase in plan.phases:
        yield from _phase(phase)
    for refusal in plan.refusals:
        yield f"echo {quoted(f'left out: {refusal.host}: {refusal.problem.text}')} >&2"
    if plan.refusals:
        yield "exit 1"


def _phase(phase: Phase) -> Iterator[str]:
    yield f"\n# {phase.title}"
    for steps in phase.lanes().values():
        for step in steps:
            if not (phase.watch and isinstance(step, Wait)):
                yield f"# {step.host}: {printable(step.title)}"
                yield _line(step, phase.feed)
    if phase.watch:
        yield from _watch(phase.watch)


def _line(step: Step, feed: Feed | None) -> str:
    match step:
        case Wait():
            return f"wait_for {step.within:g} {_on(step.host, step.probe)}"
        case Run() if feed:
            return f"{_on(feed.host, feed.command)} | {_on(step.host, step.command)}"
        case Run():
            return f"{_input(step.command)}{_on(step.host, step.command)}"


def _watch(watch: Watch) -> Iterator[str]:
    command = Command((*watch.command.argv, *watch.alone))
    yield f"# {watch.host}: {printable(watch.title)}"
    yield _on(watch.host, command)


def _on(host: str, command: Command) -> str:
    return " ".join(("on", quoted(host), *map(_word, command.argv)))


def _word(word: str) -> str:
    return f'"${_variable(word.name).upper()}"' if isinstance(word, Script) else quoted(word)


def _input(command: Command) -> str:
    if not command.stdin:
        return ""
    parts = (
        f'"${_variable(part.name)}"' if isinstance(part, Secret) else quoted(part) for part in command.stdin
    )
    return f"printf %s {' '.join(parts)} | "


def _variable(name: str) -> str:
    return name.replace("-", "_")
