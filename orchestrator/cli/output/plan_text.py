"""Plans as text. Only commands that a person might type are shown; `-o sh` has all of them."""

from collections.abc import Iterator

from rich.text import Text

from orchestrator.cli.output.console import answer
from orchestrator.cli.output.typed import shown
from orchestrator.cli.run.run_log import warnings
from orchestrator.plan.command import Command, quoted
from orchestrator.plan.steps import Plan, Run, Step, Wait

GOES_ON = " \\"


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
                answer().print(line, soft_wrap=True)
    answer().print("\nNothing was changed." if plan.phases else "Nothing to do.")


def _lines(host: str, steps: tuple[Step, ...]) -> Iterator[Text]:
    name = host
    for step in steps:
        limit = f" (at most {step.within:g} s)" if isinstance(step, Wait) else ""
        yield Text.assemble("   ", (f"{name:<{len(host)}}", "bold"), f"  {step.title}{limit}")
        name = ""
        if isinstance(step, Run) and not step.command.script:
            yield Text("\n".join(_wrapped(step.command, len(host) + 7)), "dim")


def _wrapped(command: Command, indent: int) -> Iterator[str]:
    """The line as it can be pasted, its words whole; each option with its value."""
    room = answer().width - indent - len(GOES_ON)
    line, further = "", ""
    for part in _parts([quoted(word) for word in command.argv]):
        if line and len(line) + 1 + len(part) > room:
            yield f"{'':{indent}}{further}{line}{GOES_ON}"
            line, further = "", "  "
            room = answer().width - indent - len(further) - len(GOES_ON)
        line = f"{line} {part}" if line else part
    yield f"{'':{indent}}{further}{line}"


def _parts(words: list[str]) -> Iterator[str]:
    """What stays on one line: an option and its value."""
    rest = iter(words)
    for word in rest:
        value = next(rest, "") if word.startswith("-") and "=" not in word else ""
        yield f"{word} {value}" if value else word
