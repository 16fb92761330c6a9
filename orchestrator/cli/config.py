"""`raycluster config`: what an inventory comes to, without contacting anybody."""

from typing import TYPE_CHECKING

import typer

from orchestrator.cli import inventory as files
from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at an inventory; nobody is contacted.",
)


@app.command()
def check(inventory: options.Inventory = None, file: options.InventoryOption = None) -> None:
    """Read the inventory and say what is wrong with it, as `up` would.

    Contacts nobody: `raycluster check` looks at the hosts. Exit code 0: the file is good; 2: it is not, and
    every problem is printed with its line.
    """
    from orchestrator.cli.screen import answer

    path = files.path(inventory, file)
    cluster = files.load(path, None)
    answer().print(f"{name_of(path)}: good: {described(cluster)}")


def name_of(path: str) -> str:
    """The file, as the problems in it are reported."""
    return "<stdin>" if path == "-" else path


def described(cluster: "Cluster") -> str:
    """The cluster in a few words: `cluster demo, 1 head and 2 workers`."""
    from orchestrator.cli.screen import plural

    workers = plural(len(cluster.workers), "worker") if cluster.workers else "no workers"
    return f"cluster {cluster.name}, 1 head and {workers}"
