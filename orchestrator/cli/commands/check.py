"""`raycluster check`: everything that could make `up` or vLLM fail, found beforehand, each with its fix."""

from typing import TYPE_CHECKING

import typer

from orchestrator.cli import options
from orchestrator.cli.commands.status import NOT_HEALTHY
from orchestrator.cli.options import JOBS, AnswerForm
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.cli.run.session import Session
    from orchestrator.plan.checks import Finding
    from orchestrator.plan.facts.host import Facts
    from orchestrator.plan.facts.network_test import Network


def check(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    deep: options.Deep = False,
    output: options.AnswerOutput = AnswerForm.TEXT,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Find beforehand what could make `up` or vLLM fail.

    Looks at each host: SSH, Docker, the image and the Ray in it, GPUs, addresses, ports, room; and whether
    the hosts reach each other. For that it runs a container from the image for a moment, and changes nothing.
    With --deep the hosts then sum a buffer by the image's own torch, with NCCL on the first GPU of each, or gloo
    where there is none; and pairs of them measure bandwidth, latency, and whether they go over RDMA or TCP.
    Each failure and warning comes with a line that mends it. Exit code 0: no failure; 3: at least one; 4: another
    run works on the cluster.
    """
    from orchestrator.cli.output import json
    from orchestrator.cli.output.check_report import show
    from orchestrator.cli.run.session import session
    from orchestrator.plan.checks import Level, in_order, not_measurable, thorough
    from orchestrator.plan.facts.host import Depth
    from orchestrator.remote.observe.preflight import examine

    cluster = inventory_file.load(inventory, file)
    pace = options.RunOptions(jobs, verbose)
    with session(cluster, "check", pace, logged=False) as run, run.locked("check") as head:
        facts = run.observe_but(head, Depth.MACHINE)
        evidence = examine(cluster, facts, run.fleet, run.tell, run.cancel)
        findings, network = thorough(cluster, facts, evidence), None
        if deep:
            more, network = _measured(run, facts, not_measurable(cluster, findings, evidence))
            findings = in_order(cluster, (*findings, *more))
    run.stop_if_interrupted()
    if output is AnswerForm.JSON:
        json.show(json.CheckAnswer(cluster.name, findings, network))
    else:
        show(cluster, findings, network)
    raise typer.Exit(NOT_HEALTHY if any(each.level is Level.FAILURE for each in findings) else 0)


def _measured(
    run: "Session", facts: "Facts", hindrance: "Finding | None"
) -> "tuple[tuple[Finding, ...], Network | None]":
    """What an all-reduce shows, unless something stands in its way."""
    from orchestrator.plan.checks import check_network
    from orchestrator.plan.facts.network_test import network
    from orchestrator.remote.observe.network_test import measure

    if hindrance or run.cancel.is_set():
        return (hindrance,) if hindrance else (), None
    ranks = measure(run.cluster, facts, run.fleet, run.tell, run.cancel)
    return tuple(check_network(run.cluster, facts, ranks)), network(ranks)
