"""`raycluster serve bench`: vLLM's own benchmark against a model that is served, kept to be compared with the next."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file


def bench(
    name: options.ServerName = None,
    file: options.OnlyInventory = None,
    requests: Annotated[int, typer.Option(min=1, metavar="N", help="How many requests.")] = 200,
    at_once: Annotated[int, typer.Option(min=1, metavar="N", help="How many at a time.")] = 16,
    tokens_in: Annotated[int, typer.Option("--in", min=1, metavar="N", help="Tokens of each prompt.")] = 512,
    tokens_out: Annotated[
        int, typer.Option("--out", min=1, metavar="N", help="Tokens of each answer.")
    ] = 128,
    compare: Annotated[bool, typer.Option("--compare", help="Show the run before beside it.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the last runs into FILE, as SVG, and here.", show_default=False
        ),
    ] = None,
    output: options.AnswerOutput = "text",
) -> None:
    """Measure what is served with vLLM's own benchmark.

    `vllm bench serve` runs in the head's container with random prompts: requests and tokens a second, and how long
    the first token and each further one take, at the median and for 99 of 100. Each run is kept on this machine.
    """
    from orchestrator.cli.output import bench_report, json
    from orchestrator.cli.output.console import failed
    from orchestrator.cli.run import atomic_file, bench_history
    from orchestrator.cli.run.session import session
    from orchestrator.model import redact
    from orchestrator.plan import docker
    from orchestrator.plan.facts.containers import why_not_ready
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.problem import Problem
    from orchestrator.plan.serving import bench as plan
    from orchestrator.plan.serving.servers import Server
    from orchestrator.remote.observe.benchmark import benchmark

    cluster, load = inventory_file.load(None, file), plan.Load(requests, at_once, tokens_in, tokens_out)
    if plot:
        atomic_file.make_sure(plot)
    head = cluster.head
    with session(cluster, "serve-bench", options.RunOptions(options.JOBS, 0), logged=False) as run:
        facts = run.observe(cluster.nodes, Depth.RAY)
        chosen = why_not_ready(cluster, head, facts[head.name]) or plan.chosen(facts, name or "")
        if not isinstance(chosen, Server):
            run.stop_if_interrupted()
            failed(head.name, chosen)
        served = chosen.served
        words = plan.words(load, served.url, served.called, served.model.name)
        found = benchmark(cluster, head, words, run.fleet, run.tell, run.cancel)
    run.stop_if_interrupted()
    if isinstance(found, Problem):
        failed(head.name, found)
    made = plan.BenchRun(
        when=bench_history.now(),
        cluster=cluster.name,
        server=chosen.name,
        model=served.model.name,
        args=redact.arguments(served.model.args),
        image=docker.image(cluster),
        versions=found.versions,
        hosts=len(chosen.hosts),
        load=load,
        figures=found.figures,
        fabric=bench_history.fabric(cluster.name),
    )
    earlier = plan.of_server(bench_history.runs(), made)
    bench_history.keep(made)
    if output == "json":
        json.show(made)
    else:
        bench_report.show(made, earlier[-1] if compare and earlier else None)
        if plot:
            bench_report.plot((*earlier, made))
    if plot:
        atomic_file.replace(plot, bench_report.drawing((*earlier, made)))
