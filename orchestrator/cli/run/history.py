"""The inventories that were used on this machine, as the logs of runs tell."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli.run.run_log import FIELD, folder
from orchestrator.frozen import dataclass

HEADER = 4096  # bytes; the command line is in it
LAST = 512
STDIN = "-"
"""No file that could be used again."""


@dataclass(frozen=True, slots=True)
class UsedInventory:
    """An inventory and its last run that changed something. `exit_code`: null while it runs, or where it was killed."""

    inventory: str
    there: bool
    cluster: str
    command: str
    began: str
    exit_code: int | None
    log: str


def used_inventories() -> tuple[UsedInventory, ...]:
    """Each with its last run, the latest first."""
    found: dict[str, UsedInventory] = {}
    for log in sorted(folder().glob("*.log"), reverse=True):
        for used in _read(log):
            found.setdefault(used.inventory, used)
    return tuple(found.values())


def _read(log: Path) -> Iterator[UsedInventory]:
    """What a log begins and ends with; nothing where it was kept by an older version, or cannot be read."""
    try:
        with log.open("rb") as file:
            first = file.read(HEADER).decode(errors="replace").splitlines()
            file.seek(max(0, file.seek(0, 2) - LAST))
            last = file.read().decode(errors="replace").splitlines()
    except OSError:
        return
    begun, ended = _fields(first), _fields(last)
    if {"inventory", "cluster", "command", "began"} <= begun.keys() and begun["inventory"] != STDIN:
        code = ended.get("exit code", "")
        yield UsedInventory(
            inventory=begun["inventory"],
            there=Path(begun["inventory"]).is_file(),
            cluster=begun["cluster"],
            command=begun["command"],
            began=begun["began"],
            exit_code=int(code) if code.isdecimal() else None,
            log=str(log),
        )


def _fields(lines: list[str]) -> dict[str, str]:
    return {found[1]: found[2] for line in lines if (found := FIELD.fullmatch(line))}
