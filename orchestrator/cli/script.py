"""A plan as a bash script that does by hand what the plan does, one host after the other."""

import shlex
from collections.abc import Iterator

from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan.command import Command
from orchestrator.plan.host import TOKEN, read_token
from orchestrator.plan.steps import Phase, Plan, Run, Step, Wait, Watch

HEADER = r"""#!/usr/bin/env bash
# raycluster: {title}
set -euo pipefail

wait_for() {{ # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || {{ echo "gave up waiting: $*" >&2; return 1; }}
        sleep 0.5
    done
}}
"""

NEW_TOKEN = "od -An -N32 -tx1 /dev/urandom | tr -d ' \\n'"  # noqa: S105 - how to make one


def script(cluster: Cluster, plan: Plan) -> str:
    """The whole script. Secrets stand in it as variables that the person sets."""
    return "\n".join((HEADER.format(title=plan.title), *_Script(cluster).lines(plan)))


class _Script:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._nodes = {node.name: node for node in cluster.nodes}

    def lines(self, plan: Plan) -> Iterator[str]:
        for refusal in plan.refusals:
            yield f"# left out: {refusal.host}: {refusal.why}"
        yield from self._variables(plan)
        for phase in plan.phases:
            yield from self._phase(phase)

    def _variables(self, plan: Plan) -> Iterator[str]:
        sent = {
            part.name
            for step in plan
            if isinstance(step, Run)
            for part in step.command.stdin
            if isinstance(part, Secret)
        }
        for name in sorted(sent - {TOKEN}):
            yield f': "${{{name}:?export it first}}"'
        if TOKEN in sent:
            old = self._ssh(self._cluster.head.name, read_token(self._cluster))
            yield f"{_variable(TOKEN)}=$({old} || {NEW_TOKEN})"

    def _phase(self, phase: Phase) -> Iterator[str]:
        yield f"\n# {phase.title}"
        for step in phase.steps:
            if not (phase.watch and isinstance(step, Wait)):
                yield from self._step(step)
        if phase.watch:
            yield from self._watch(phase.watch)

    def _step(self, step: Step) -> Iterator[str]:
        yield f"# {step.host}: {step.title}"
        match step:
            case Wait():
                yield f"wait_for {step.within:g} {self._ssh(step.host, step.probe)}"
            case Run():
                yield f"{_input(step.command)}{self._ssh(step.host, step.command)}"

    def _watch(self, watch: Watch) -> Iterator[str]:
        command = Command((*watch.command.argv, *watch.alone))
        yield f"# {watch.host}: {watch.title}"
        yield f"{self._ssh(watch.host, command, reads=True)} < <(sleep {watch.within:g})"

    def _ssh(self, host: str, command: Command, *, reads: bool = False) -> str:
        node = self._nodes[host]
        quiet = () if reads or command.stdin else ("-n",)
        return shlex.join(("ssh", *quiet, *_settings(node), node.host, "--", command.line()))


def _settings(node: Node) -> Iterator[str]:
    yield from ("-o", "BatchMode=yes")
    for flag, value in (
        ("-l", node.ssh.user),
        ("-p", node.ssh.port),
        ("-i", node.ssh.key),
        ("-J", node.ssh.jump),
    ):
        if value is not None:
            yield from (flag, str(value))


def _input(command: Command) -> str:
    if not command.stdin:
        return ""
    parts = "".join(
        f'"${_variable(part.name)}"' if isinstance(part, Secret) else shlex.quote(part)
        for part in command.stdin
    )
    return f"printf %s {parts} | "


def _variable(name: str) -> str:
    return name.replace("-", "_")
