"""What `serve --plan` says: the sizes of a model, what each GPU would hold of it, and whether it fits."""

import math
import textwrap
from collections.abc import Iterator

from rich.text import Text

from orchestrator.cli.output.console import answer, notice, printable
from orchestrator.cli.output.json import FitAnswer
from orchestrator.cli.output.typed import shown
from orchestrator.model.cluster import Model
from orchestrator.plan.problem import Problem, plural
from orchestrator.plan.serving.fit import GIB, OVERHEAD, Estimate, Verdict
from orchestrator.plan.serving.sizing import Sizing, gib, misfit, ways_out

STYLES = {
    Verdict.FITS: "bold green",
    Verdict.CLOSE: "bold yellow",
    Verdict.NOT: "bold red",
    Verdict.UNKNOWN: "bold",
}
WIDTH = 80
UNSHAPED = "no host has its configuration"
NUMBERS = ("usable", "weights", "room", "length", "sequence", "longest", "sequences", "most")
INDENT = 17


def show_fit(model: Model, sizing: Sizing) -> None:
    """Prints it."""
    hindrance = misfit(model, sizing) if sizing.verdict is not Verdict.NOT else None
    answer().print(Text(headline(model, sizing, hindrance), STYLES[sizing.verdict]))
    for name, words in rows(sizing):
        told = textwrap.wrap(printable(words), WIDTH - INDENT, break_long_words=False, break_on_hyphens=False)
        for at, line in enumerate(told):
            answer().print(Text.assemble((f"  {'' if at else name:<{INDENT - 2}}", "dim"), line))
    if hindrance:
        notice().print(f"✗ {hindrance.text}", style="red")
        notice().print(f"      → {shown(hindrance.fix)}", style="yellow")
    if fixes := tuple(ways_out(model, sizing)):
        answer().print("\nIt would fit:" if sizing.verdict is Verdict.NOT else "\nIt would fit for sure:")
        for each in fixes:
            answer().print(Text(f"  {shown(each)}", "cyan"))


def headline(model: Model, sizing: Sizing, hindrance: Problem | None) -> str:
    """The verdict in a line."""
    on = f" on {plural(sizing.chosen.ranks, sizing.chosen.device)}"
    if hindrance:
        return f"{model.name} cannot be cut so"
    match sizing.verdict:
        case Verdict.FITS:
            return f"{model.name} fits{on}"
        case Verdict.CLOSE:
            return f"{model.name} may not fit{on}: it is within 10 % of what they have"
        case Verdict.NOT:
            return f"{model.name} does not fit{on}"
    return f"{model.name}{on}: whether it fits is not estimated"


def rows(sizing: Sizing) -> Iterator[tuple[str, str]]:
    """Each with its name."""
    found = sizing.estimate
    why = found.why if found else UNSHAPED
    if why:
        yield "because", why
    yield "sizes", sizing.chosen.why or "as they are given"
    if found is None:
        return
    if found.gpu:
        may = f", of which vLLM may use {found.usable / GIB:.1f}" if found.usable else ""
        yield "GPU", f"{found.gpu.name}, {gib(found.gpu.memory)}{may}"
    yield from _held(found)
    yield from _length(found)


def _held(found: Estimate) -> Iterator[tuple[str, str]]:
    """What the fullest GPU holds."""
    if found.weights is not None:
        yield "weights", f"{gib(found.weights)} on the fullest GPU"
    if found.gpu and found.weights is not None:
        yield "besides", f"about {OVERHEAD // GIB} GiB: activations, CUDA graphs, NCCL"
    if found.room is not None:
        left = gib(found.room) if found.room > 0 else "nothing"
        yield "KV cache", f"{left} for it"


def _length(found: Estimate) -> Iterator[tuple[str, str]]:
    """How long sequences can be, and how many there can be at once."""
    if found.sequence is not None:
        yield "one sequence", f"of {found.length} tokens takes {gib(found.sequence)} of KV cache"
    if found.longest is not None:
        yield "longest", f"{found.longest} tokens" if found.longest else "none"
    if found.sequences:
        yield "at once", _at_once(found)


def _at_once(found: Estimate) -> str:
    count, most = math.floor((found.sequences or 0) * 10) / 10, found.most or 0
    more = f"; vLLM takes no more than {most} (--max-num-seqs)" if count > most else ""
    return f"{count:g} sequences of {found.length} tokens{more}"


def fit_answer(cluster: str, model: Model, sizing: Sizing) -> FitAnswer:
    """The same for programs."""
    chosen, found, hindrance = sizing.chosen, sizing.estimate, misfit(model, sizing)
    gpu, known = (found.gpu, found) if found else (None, None)
    return FitAnswer(
        cluster=cluster,
        model=model.name,
        verdict=sizing.verdict.value,
        why=found.why if found else UNSHAPED,
        sizes={option.name: size or 1 for option, size in chosen.sizes.items()},
        args=chosen.args,
        reason=chosen.why,
        gpu=gpu.name if gpu else None,
        gpu_memory=gpu.memory if gpu else None,
        besides=OVERHEAD if gpu else None,
        **({name: getattr(known, name) for name in NUMBERS} if known else {}),
        trouble=shown(hindrance.text) if hindrance else "",
        remedies=tuple(map(shown, ways_out(model, sizing))),
    )
