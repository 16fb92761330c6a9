"""An inventory file is edited in place by `add` and `remove`: all or nothing, and only into one that loads."""

import difflib
import os
from collections.abc import Collection
from pathlib import Path

from orchestrator.cli.run import atomic_file
from orchestrator.cli.run.inventory_file import path, read, refuse
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.models import Inventory
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.workers_text import NotEditable
from orchestrator.model.inventory.yaml_source import Source, from_text
from orchestrator.plan.problem import plural

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""What some editors put before a file in UTF-8."""


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """A file with what is in it. `mark`: what stands before its text, and does again."""

    name: str
    text: str
    mark: str
    inventory: Inventory
    cluster: Cluster


def opened(option: str | None) -> InventoryFile:
    """The inventory to be edited; exit code 2 where it has a mistake, or is no file."""
    name = path(None, option)
    if name == "-":
        refuse("standard input cannot be edited: name a file with -i")
    written, cluster = read(name, option or "")
    text = _text(name)
    return InventoryFile(
        name, text.removeprefix(MARK), MARK * text.startswith(MARK), written.inventory, cluster
    )


def edited(
    file: InventoryFile, text: str | NotEditable, names: Collection[str], by_hand: str
) -> tuple[str, Cluster]:
    """The new text and its cluster, of hosts of these names; exit code 2 where it says more than that."""
    if isinstance(text, NotEditable):
        refuse(f"{file.name} is not edited: {text.why}. By hand: {by_hand}")
    source = from_text(text, file.name)
    read = parse(source) if isinstance(source, Source) else source
    if isinstance(read, InventoryError):
        refuse(f"{read.text()}\nNothing was written: {file.name} would not load. By hand: {by_hand}")
    cluster = resolve(read)
    before = {node.name: node for node in file.cluster.nodes}
    now = {node.name: node for node in cluster.nodes}
    if now.keys() != set(names) or any(before.get(name, node) != node for name, node in now.items()):
        refuse(f"{file.name} is not edited: others refer to what would change. By hand: {by_hand}")
    return text, cluster


def conclude(
    file: InventoryFile, text: str, cluster: Cluster, *, done: str, then: str, dry_run: bool
) -> None:
    """Shows the change, or writes it and says what was done and what comes then."""
    from orchestrator.cli.output.console import answer

    if dry_run:
        answer().print(_diff(file, text), end="", soft_wrap=True)
        return
    _write(file, text)
    answer().print(f"{file.name}: {done}, {plural(len(cluster.nodes), 'host')} now")
    answer().print(then)


def _diff(file: InventoryFile, text: str) -> str:
    """What changes in the file, as `diff -u` has it."""
    lines = difflib.unified_diff(
        file.text.splitlines(), text.splitlines(), file.name, f"{file.name} (new)", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def _write(file: InventoryFile, text: str) -> None:
    """Puts the text in the file's place, with its mode; exit code 2 where somebody has changed it meanwhile."""
    target = Path(os.path.realpath(file.name))
    if _text(file.name) != file.mark + file.text:
        refuse(f"{file.name} was changed meanwhile, and nothing was written: try again")
    atomic_file.replace(target, file.mark + text, mode=target.stat().st_mode)


def _text(name: str) -> str:
    return Path(name).read_bytes().decode()
