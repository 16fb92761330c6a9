"""Plans as text. Only commands that a person might type are shown; `-o sh` has all of them."""

from collections.abc import Iterator

from rich.text import Text

from orchestrator.cli.output.console import answer
from orchestrator.cli.output.typed import shown
from orchestrator.cli.run.run_log import warnings
from orchestrator.plan.steps import Plan, Run, Step, Wait


def show_plan(plan: Plan) -> None:
    """Prints what would be done, and that nothing was."""
    answer().print(Text(f"Plan: {plan.title}", "bold"))
    for change in plan.changes:
        answer().print(f"  {change.host}  {change.what}")
    for warning in warnings(plan):
        answer().print(Text(f"  {warning}", "yellow"))
    for refusal in plan.refusals:
        answer().print(Text(f"  {refusal.host}  cannot: {refusal.problem.text}", "red"))
        if refusal.problem.fix:
            answer().print(Text(f"      → {shown(refusal.problem.fix, [refusal.host])}", "yellow"))
    for number, phase in enumerate(plan.phases, 1):
        answer().print(Text(f"\n{number}. {phase.title}", "bold"))
        for host, steps in phase.lanes().items():
            for line in _lines(host, steps):
                answer().print(line)
    answer().print("\nNothing was changed." if plan.phases else "Nothing to do.")


def _lines(host: str, steps: tuple[Step, ...]) -> Iterator[Text]:
    name = host
    for step in steps:
        limit = f" (at most {step.within:g} s)" if isinstance(step, Wait) else ""
        yield Text.assemble("   ", (f"{name:<{len(host)}}", "bold"), f"  {step.title}{limit}")
        name = ""
        if isinstance(step, Run) and not step.command.script:
            yield Text(f"   {'':<{len(host)}}    {step.command.shown()}", "dim")
