"""`raycluster check`: everything that could make `up` or vLLM fail, found beforehand, each with its fix."""

from dataclasses import replace

import typer

from orchestrator.cli import options
from orchestrator.cli.exit_codes import NOT_HEALTHY
from orchestrator.cli.run import inventory_file


def check(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    deep: options.Deep = False,
    output: options.AnswerOutput = "text",
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Find what could make `up` or vLLM fail.

    Inspects each host: SSH, Docker, the image and the Ray in it, GPUs, addresses, ports, disk space; and whether
    the hosts reach each other. It runs a short-lived container from the image for that, and changes nothing.
    --deep then runs an all-reduce across all hosts with the image's own torch (NCCL on the first GPU of each, or
    gloo where there is none), and measures pairs of hosts: bandwidth, latency, RDMA or TCP.
    Each failure and warning comes with its fix. Exit code 0: no failure; 3: at least one; 4: another run works on
    the cluster. With -l these hosts are checked, together with the head.
    """
    from orchestrator.cli.output import json
    from orchestrator.cli.output.check_report import show
    from orchestrator.cli.output.typed import shown
    from orchestrator.cli.run.bench_history import keep_fabric
    from orchestrator.cli.run.session import session
    from orchestrator.plan.checks import (
        Level,
        check_model,
        check_network,
        check_secrets,
        in_order,
        not_measurable,
        thorough,
    )
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.facts.network_test import network as measured
    from orchestrator.plan.facts.probe import Trial
    from orchestrator.remote.observe.models import cache_asker, look_at_models
    from orchestrator.remote.observe.network_test import measure
    from orchestrator.remote.observe.preflight import examine

    whole = inventory_file.load(inventory, file)
    only = inventory_file.only(whole, limit)
    cluster = replace(whole, workers=inventory_file.with_head(whole, only)[1:])
    pace = options.RunOptions(jobs, verbose)
    with session(cluster, "check", pace, logged=False) as run, run.locked() as head:
        facts = run.observe_but(head, Depth.MACHINE)
        evidence = examine(cluster, facts, run.fleet, run.tell, run.cancel)
        wrong = check_secrets(cluster, inventory_file.wrong_secrets(cluster))
        caches = {}
        if cluster.serve and not run.cancel.is_set():
            having = tuple(
                each for each in cluster.nodes if isinstance(evidence.trials.get(each.name), Trial)
            )
            names = tuple(dict.fromkeys(model.name for model in cluster.serve))
            caches = look_at_models(having, cache_asker(cluster, names, run.fleet, run.cancel), run.tell)
        model = check_model(cluster, caches)
        findings, network = in_order(cluster, (*wrong, *thorough(cluster, facts, evidence), *model)), None
        if deep:
            hindrance = not_measurable(cluster, findings, evidence)
            more = [hindrance] if hindrance else []
            if not (hindrance or run.cancel.is_set()):
                ranks = measure(cluster, facts, run.fleet, run.tell, run.cancel)
                more, network = list(check_network(cluster, facts, ranks)), measured(ranks)
                keep_fabric(cluster.name, network)
            findings = in_order(cluster, (*findings, *more))
    run.stop_if_interrupted()
    findings = tuple(each for each in findings if only is None or each.host in only)
    if output == "json":
        told = tuple(replace(each, fix=shown(each.fix, [each.host])) for each in findings)
        json.show(json.check_answer(cluster.name, len(only or cluster.nodes), told, network))
    else:
        show(cluster.name, len(only or cluster.nodes), findings, network)
    raise typer.Exit(NOT_HEALTHY if any(each.level is Level.FAILURE for each in findings) else 0)
