"""`raycluster check`: everything that could make `up` or vLLM fail, found beforehand, each with its fix."""

import typer

from orchestrator.cli import inventory as files
from orchestrator.cli import options
from orchestrator.cli.commands.status import NOT_HEALTHY
from orchestrator.cli.options import JOBS, AnswerForm


def check(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    output: options.AnswerOutput = AnswerForm.TEXT,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Find beforehand what could make `up` or vLLM fail.

    Looks at each host: SSH, Docker, the image and the Ray in it, GPUs, addresses, ports, room; and whether
    the hosts reach each other. For that it runs a container from the image for a moment, and changes nothing.
    Each failure and warning comes with a line that mends it. Exit code 0: no failure; 3: at least one; 4: another
    run works on the cluster.
    """
    from orchestrator.cli import answers
    from orchestrator.cli.findings import show
    from orchestrator.cli.session import session
    from orchestrator.plan.checks import Level, thorough
    from orchestrator.remote.check import examine

    cluster = files.load(inventory, file)
    pace = options.Pace(jobs, verbose)
    with session(cluster, "check", pace, logged=False) as run, run.locked("check") as head:
        facts = run.observe_but(head)
        evidence = examine(cluster, facts, run.fleet, run.tell, run.cancel)
    run.stop_if_interrupted()
    findings = thorough(cluster, facts, evidence)
    if output is AnswerForm.JSON:
        answers.show(answers.CheckAnswer(cluster.name, findings))
    else:
        show(cluster, findings)
    raise typer.Exit(NOT_HEALTHY if any(each.level is Level.FAILURE for each in findings) else 0)
