"""From the command line to a cluster: finding the file, reading it, selecting hosts; or exit code 2."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import typer

from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret

DEFAULT = "inventory.yaml"
LONGEST_SECRET = 65_535  # bytes of a line, its name included


def load(argument: str | None, option: str | None) -> Cluster:
    """The cluster of the inventory, or every problem of the file and exit code 2."""
    from orchestrator.model.load import load as load_file
    from orchestrator.model.problem import Problems

    path = argument or option or DEFAULT
    if not (argument or option or Path(DEFAULT).exists()):
        refuse(f"no inventory: name a file, or write ./{DEFAULT} (inventory.example.yaml shows every key)")
    loaded = load_file(path)
    if isinstance(loaded, Problems):
        refuse(loaded.text())
    return loaded


def only(cluster: Cluster, limit: str | None) -> frozenset[str] | None:
    """The names that `--limit` selects; None without it."""
    from orchestrator.model.select import NoMatch, select

    if limit is None:
        return None
    selected = select(cluster, limit)
    if isinstance(selected, NoMatch):
        refuse(f"--limit: {selected}")
    return frozenset(node.name for node in selected)


def selected(cluster: Cluster, limit: str | None) -> tuple[Node, ...]:
    """The hosts that `--limit` selects; all of them without it."""
    names = only(cluster, limit)
    return tuple(node for node in cluster.nodes if names is None or node.name in names)


def one(cluster: Cluster, host: str) -> Node:
    """The host of that name, or the one that a glob fits; exit code 2 where there are none or several."""
    from orchestrator.model.select import NoMatch, select

    nodes = select(cluster, host)
    if isinstance(nodes, NoMatch):
        refuse(str(nodes))
    if len(nodes) > 1:
        refuse(
            f'"{host}" fits {len(nodes)} hosts, and one is wanted: {", ".join(node.name for node in nodes)}'
        )
    return nodes[0]


def secrets(cluster: Cluster, environment: Mapping[str, str] = os.environ) -> tuple[Secret, ...]:
    """The values of the inventory's `secrets`, from the laptop's environment."""
    missing = [name for name in cluster.secrets if not environment.get(name)]
    if missing:
        refuse(
            f"secrets: {', '.join(missing)} not set in this shell's environment: export it, then try again"
        )
    wrong = [f"{name} {why}" for name in cluster.secrets if (why := _unfit(name, environment[name]))]
    if wrong:
        refuse("\n".join(f"secrets: {each}, which Docker cannot pass on" for each in wrong))
    return tuple(Secret(name, environment[name]) for name in cluster.secrets)


def _unfit(name: str, value: str) -> str:
    """Why Docker's reader of `--env-file` would not give a container this very value."""
    if value.splitlines() != [value]:
        return "holds a line break"
    if re.search("[\ud800-\udfff]", value):
        return "is not UTF-8"
    size = len(f"{name}={value}".encode())
    return f"has {size:,} bytes, more than {LONGEST_SECRET:,}" if size > LONGEST_SECRET else ""


def refuse(text: str) -> NoReturn:
    """Says what is wrong with what the user gave, and that nothing was done."""
    from orchestrator.cli.screen import notice

    notice().print(text, style="red")
    raise typer.Exit(2)
