"""Models of hosts as people read them: each revision once, with the hosts that have it so."""

from collections.abc import Iterable, Iterator, Mapping

from rich.text import Text

from orchestrator.cli.output import failures
from orchestrator.cli.output.console import answer, explain, gathered, printable
from orchestrator.cli.output.typed import line, shown
from orchestrator.cli.run.operation import RunResult
from orchestrator.frozen import dataclass
from orchestrator.plan.facts.models import (
    SHORT,
    HeldModel,
    Lookup,
    ModelCache,
    Revision,
    State,
    Verified,
    last_answer,
    title,
    words_of,
)
from orchestrator.plan.problem import plural
from orchestrator.plan.progress import size
from orchestrator.plan.typed import ours

STYLE = {State.WHOLE: "green", State.PARTIAL: "red", State.UNKNOWN: "yellow"}
GAP = "  "
NONE = "none"
NARROWEST = 12


@dataclass(frozen=True, slots=True)
class _Row:
    """A revision as some hosts have it; of those that have none of a model, no revision."""

    model: str
    revision: str
    size: str
    state: str
    style: str

    @property
    def cells(self) -> tuple[str, ...]:
        return self.model, self.revision, self.size, self.state


def show_caches(caches: Mapping[str, Lookup], names: tuple[str, ...]) -> None:
    """Prints a table of the models, and what else takes room. `names`: those that were asked for."""
    there = {host: cache for host, cache in caches.items() if isinstance(cache, ModelCache)}
    rows = gathered(_rows(there, names))
    if rows:
        for each in _table(rows, len(caches)):
            answer().print(each, soft_wrap=True)
    elif there:
        answer().print(f"no host has {'such a' if names else 'a'} model")
    for remark, hosts in gathered(_remarks(there)).items():
        answer().print(Text(f"{', '.join(hosts)}: {printable(remark)}", "dim"))


def _rows(caches: Mapping[str, ModelCache], names: tuple[str, ...]) -> Iterator[tuple[str, _Row]]:
    """By model and revision, so that rows of one stand together, with the host of each."""
    found = [
        (model.name, revision.commit, host, _row(model, revision))
        for host, cache in caches.items()
        for model in cache.models
        for revision in model.revisions
    ]
    for model in dict.fromkeys((*names, *sorted(each[0] for each in found))):
        having = [each for each in found if each[0] == model]
        yield from ((host, row) for _, _, host, row in sorted(having, key=lambda each: each[1]))
        lacking = [host for host in caches if all(host != each[2] for each in having)]
        yield from ((host, _Row(model, "", "", NONE, "dim")) for host in lacking)


def _row(model: HeldModel, revision: Revision) -> _Row:
    called = " ".join(filter(None, (",".join(revision.names), revision.commit[:SHORT])))
    partial = revision.state is State.PARTIAL
    state = f"{revision.files} of {revision.of} files" if partial else str(revision.state)
    return _Row(model.name, called, size(revision.bytes), state, STYLE[revision.state])


def _table(rows: Mapping[_Row, list[str]], everybody: int) -> Iterator[Text]:
    """Columns as wide as they need to be; the hosts stand last, and a long list of them goes on below."""
    titles = _Row("MODEL", "REVISION", "SIZE", "STATE", "")
    widths = [max(len(printable(each.cells[n])) for each in (titles, *rows)) for n in range(4)]
    room = max(NARROWEST, answer().width - sum(widths) - len(GAP) * 4)
    yield _line(titles.cells, ["dim"] * 4, widths, Text("HOSTS", "dim"))
    last = ""
    for row, hosts in rows.items():
        names = "all hosts" if len(hosts) == everybody > 1 else ", ".join(hosts)
        first, *more = wrapped(names, room)
        model = "" if row.model == last else row.model
        yield _line((model, *row.cells[1:]), ["", "", "", row.style], widths, Text(first))
        yield from (Text(" " * (sum(widths) + len(GAP) * 4) + each) for each in more)
        last = row.model


def _line(cells: Iterable[str], styles: list[str], widths: list[int], hosts: Text) -> Text:
    made = [Text(printable(cell), style) for cell, style in zip(cells, styles, strict=True)]
    for number, (cell, width) in enumerate(zip(made, widths, strict=True)):
        cell.align("right" if number == 2 else "left", width)  # noqa: PLR2004 - the size
    return Text(GAP).join((*made, hosts))


def wrapped(names: str, room: int) -> list[str]:
    """Names with commas, in lines of so many characters where they can be."""
    lines = [""]
    for name in names.split(", "):
        longer = f"{lines[-1]}, {name}" if lines[-1] else name
        if len(longer) > room and lines[-1]:
            lines[-1] += ","
            lines.append(name)
        else:
            lines[-1] = longer
    return lines


def _remarks(caches: Mapping[str, ModelCache]) -> Iterator[tuple[str, str]]:
    """What is wrong with a revision, and what takes room and is no model."""
    for host, cache in caches.items():
        for model in cache.models:
            for each in model.revisions:
                if each.bad:
                    missing = f" ({size(each.missing)} to bring)" if each.missing else ""
                    what = title(model.name, each.names, each.commit)
                    yield host, f"{what}: {words_of(each.bad, each.of - each.files)}{missing}"
            for name in model.astray:
                yield host, f"{model.name}: its revision {name} leads to nothing that is there"
            if model.unfinished:
                yield host, f"{model.name}: {size(model.unfinished)} of downloads that have not ended"
            if model.unused:
                yield host, f"{model.name}: {size(model.unused)} that no revision has a link to"
        if cache.unused:
            yield host, f"{size(cache.unused)} of blobs that models shared, and none does any more"


def show_verified(
    verified: Mapping[str, tuple[Verified, ...]], names: tuple[str, ...], *, dropped: bool
) -> None:
    """Prints each revision once, with the hosts on which it is so, the bad ones last; then who lacks one of `names`."""
    found = gathered((host, each) for host, held in verified.items() for each in held)
    for each, hosts in sorted(found.items(), key=lambda one: (bool(one[0].damage), one[0].name)):
        _show_one(each, hosts)
    if not (found or names) and verified:
        answer().print("no host has a model")
    for name in names:
        lacking = [host for host, held in verified.items() if name not in (each.name for each in held)]
        mark = ("✗", "red") if len(lacking) == len(verified) else ("!", "yellow")
        if lacking:
            answer().print(Text.assemble(mark, f" {name}  ", (", ".join(lacking), "bold"), "  is not there"))
    if damaged := [each for each in found if each.damage]:
        models = dict.fromkeys(each.name for each in damaged if not each.name.startswith("/"))
        if models and not dropped:
            explain("", f"remove what is damaged: {line('model verify', '--drop', *models)}")


def _show_one(each: Verified, hosts: list[str]) -> None:
    what, where = title(each.name, each.names, each.commit), ", ".join(hosts)
    whole = f"{plural(each.files, 'file')}, {size(each.bytes)}"
    if each.damage:
        removed = f"; {plural(each.dropped, 'file')} removed" if each.dropped else ""
        told = words_of(each.damage, len(each.damage))
        answer().print(
            Text.assemble(("✗", "red"), f" {what}  ", (where, "bold"), f"  {printable(told)}{removed}")
        )
        return
    sound = "all are what their hashes say"
    if each.unknown:
        sound = f"{plural(each.unknown, 'file')} without a hash to compare with"
    mark = ("!", "yellow") if each.unknown or not each.known else ("✓", "green")
    beyond = "" if each.known else "; what belongs to it, nothing tells"
    answer().print(Text.assemble(mark, f" {what}  ", (where, "bold"), f"  {whole}: {sound}{beyond}"))


def conclude_removal(done: RunResult, model: str) -> None:
    """Prints how a removal has ended."""
    answers = {each.step.host: last_answer(each.output.stdout) for each in done.report.results if each.output}
    freed = {host: int(told["bytes"]) for host, told in answers.items() if told and told.get("there")}
    if done.exit_code:
        why = "interrupted" if done.interrupted else f"{plural(len(done.failed), 'host')} failed"
        message = f"{model} is not known to be gone: {done.lost or why}"
    elif not done.plan.phases:
        message = f"{model} is on none of these hosts, nothing to do"
    else:
        message = f"{model} is gone from {', '.join(freed)}: {size(sum(freed.values()))} freed"
    again = shown(f"Once this is fixed, {ours('model rm', model)} removes what remains.")
    if failures.conclude(done, message, again):
        answer().print(message)
