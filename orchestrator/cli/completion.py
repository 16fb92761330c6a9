"""What the shell offers for a word that is half typed. It contacts nobody, and never complains."""

from contextlib import suppress
from pathlib import Path

import typer

from orchestrator.cli.run.inventory_file import DEFAULT


def hosts(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The hosts of the inventory that the line so far is about, each with its role; several with commas."""
    *named, last = incomplete.split(",")
    before = incomplete.removesuffix(last) + ("!" if last.startswith("!") else "")
    return [
        (before + name, what)
        for name, what in _known(_inventory(ctx)).items()
        if name.startswith(last.removeprefix("!")) and name not in named
    ]


def _inventory(ctx: typer.Context) -> str:
    """The file, as the command itself would find it."""
    given = ctx.params
    # Before a value that is still to come, Typer has read the options alone and left the argument where it was.
    unread = ctx.args[0] if "inventory" in given and ctx.args else None
    return given.get("inventory") or unread or given.get("file") or DEFAULT


def _known(inventory: str) -> dict[str, str]:
    """What a limit may name; nothing where the file is no inventory."""
    from orchestrator.model.cluster import Cluster
    from orchestrator.model.inventory.parse import load

    with suppress(OSError, RuntimeError):
        file = Path(inventory).expanduser()
        cluster = load(str(file)) if file.is_file() else None
        if isinstance(cluster, Cluster):
            groups = {"head": "the head", **({"workers": "all workers"} if cluster.workers else {})}
            return groups | {node.name: node.role.value for node in cluster.nodes}
    return {}
