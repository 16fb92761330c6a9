"""`raycluster config`: what an inventory comes to, without contacting anybody."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.lazy import LeanCommand, LeanGroup
from orchestrator.cli.options import JOBS, AnswerForm
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.cli.output.json import ConfigAnswer
    from orchestrator.model.cluster import Cluster, Node

app = typer.Typer(
    cls=LeanGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at an inventory; nobody is contacted.",
)


@app.command(cls=LeanCommand)
def show(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    output: options.AnswerOutput = AnswerForm.TEXT,
) -> None:
    """Show every value of every host, and where it comes from.

    The line of the file that says so, `default`, or `ssh -G`: what your SSH configuration makes of what the
    inventory leaves open. Contacts nobody. Values of `secrets` are never read, and variables of `env` that
    look like secrets are hidden.
    """
    from orchestrator.cli.output import json as answers
    from orchestrator.cli.output.config_table import show_settings

    told = _explained(inventory_file.path(inventory, file))
    (answers.show if output is AnswerForm.JSON else show_settings)(told)


@app.command(cls=LeanCommand)
def check(inventory: options.Inventory = None, file: options.InventoryOption = None) -> None:
    """Read the inventory and say what is wrong with it, as `up` would.

    Contacts nobody: `raycluster check` looks at the hosts. Exit code 0: the file is good; 2: it is not, and
    every problem is printed with its line.
    """
    from orchestrator.cli.output.console import answer

    path = inventory_file.path(inventory, file)
    cluster = inventory_file.as_written(path, None)
    answer().print(f"{name_of(path)}: good: {described(cluster)}")


@app.command(cls=LeanCommand)
def example() -> None:
    """Print an inventory that has every key once, with comments.

    To start from: raycluster config example > inventory.yaml
    """
    from orchestrator.cli.output.console import answer
    from orchestrator.model.inventory.example import example as text

    answer().print(text(), end="")


@app.command(cls=LeanCommand)
def schema(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="inventory; status, check, lock, config, exec, serve: their -o json; events: each line of -o jsonl; "
            "watch: those of status --watch.",
        ),
    ] = "inventory",
) -> None:
    """Print a JSON Schema of the inventory, or of an answer.

    Of the inventory for editors; of what a command prints as JSON, for programs. With yaml-language-server
    (VS Code, Neovim, Emacs, ...), keys and values are completed and checked as you type. Once: `raycluster config
    schema > inventory.schema.json`; then as the inventory's first line:

    # yaml-language-server: $schema=inventory.schema.json
    """
    import json

    from orchestrator.cli.output import json as answers
    from orchestrator.cli.output.console import answer
    from orchestrator.model.inventory.json_schema import of_inventory

    if what not in ("inventory", *answers.SCHEMAS):
        known = ", ".join(("inventory", *answers.SCHEMAS))
        raise typer.BadParameter(f"there are schemas of {known}", param_hint="WHAT")
    made = of_inventory() if what == "inventory" else answers.schema(what)
    answer().print(json.dumps(made, indent=2))


def _explained(path: str) -> "ConfigAnswer":
    from orchestrator.cli.output.json import ConfigAnswer
    from orchestrator.model.inventory import provenance
    from orchestrator.model.inventory.mistakes import InventoryError
    from orchestrator.model.inventory.parse import load_written
    from orchestrator.model.inventory.resolve import resolve

    written = load_written(path)
    if isinstance(written, InventoryError):
        inventory_file.refuse(written.text())
    cluster = _as_ssh_has_it(resolve(written[1]))
    return ConfigAnswer(
        name_of(path),
        cluster.name,
        provenance.of_cluster(*written, cluster),
        provenance.of_hosts(*written, cluster),
    )


def _as_ssh_has_it(cluster: "Cluster") -> "Cluster":
    """With what the inventory leaves to `ssh`, as far as `ssh` tells."""
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.remote.ssh.config import effective
    from orchestrator.remote.transport import Failure

    def asked(node: "Node") -> "Node":
        if node.is_local:
            return node
        ssh = effective(node.host, node.ssh)
        return node if isinstance(ssh, Failure) else replace(node, ssh=ssh)

    with ThreadPoolExecutor(JOBS) as pool:
        head, *workers = pool.map(asked, cluster.nodes)
    return replace(cluster, head=head, workers=tuple(workers))


def name_of(path: str) -> str:
    """The file, as the problems in it are reported."""
    return "<stdin>" if path == "-" else path


def described(cluster: "Cluster") -> str:
    """The cluster in a few words: `cluster demo, 1 head and 2 workers`."""
    from orchestrator.cli.output.console import plural

    workers = plural(len(cluster.workers), "worker") if cluster.workers else "no workers"
    return f"cluster {cluster.name}, 1 head and {workers}"
