"""`raycluster config`: what an inventory comes to, without contacting anybody."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.lazy import LeanCommand, group
from orchestrator.cli.run import inventory_file
from orchestrator.plan.problem import plural

if TYPE_CHECKING:
    from orchestrator.model.cluster import Node

app = group(help="Show and check an inventory; contacts nobody.")


@app.command(cls=LeanCommand)
def show(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    output: options.AnswerOutput = "text",
) -> None:
    """Show every value of every host and where it comes from.

    The line of the file that says so, `default`, or `ssh -G`: what your SSH configuration makes of what the
    inventory leaves open. Contacts nobody. Values of `secrets` are never read, and variables of `env` that
    look like secrets are hidden.
    """
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.cli.output import json as answers
    from orchestrator.cli.output.config_table import show_settings
    from orchestrator.model.inventory import provenance
    from orchestrator.model.inventory.mistakes import InventoryError
    from orchestrator.model.inventory.parse import load_written
    from orchestrator.model.inventory.resolve import resolve

    path = inventory_file.path(inventory, file)
    written = load_written(path)
    if isinstance(written, InventoryError):
        inventory_file.refuse(written.text(), written.mistakes)
    cluster = resolve(written[1])
    only = inventory_file.only(cluster, limit)
    with ThreadPoolExecutor(options.JOBS) as pool:
        head, *workers = pool.map(_as_ssh_has_it, cluster.nodes)
    cluster = replace(cluster, head=head, workers=tuple(workers))
    settings, hosts = provenance.of_cluster(*written, cluster), provenance.of_hosts(*written, cluster)
    hosts = tuple(host for host in hosts if only is None or host.name in only)
    resolved = answers.ConfigAnswer(_name_of(path), cluster.name, settings, hosts)
    (answers.show if output == "json" else show_settings)(resolved)


@app.command(cls=LeanCommand)
def check(inventory: options.Inventory = None, file: options.InventoryOption = None) -> None:
    """Read the inventory and list its mistakes, as `up` would.

    Contacts nobody: `raycluster check` looks at the hosts. Exit code 0: the file is good; 2: it is not, and
    every problem is printed with its line.
    """
    from orchestrator.cli.output.console import answer, notice

    path = inventory_file.path(inventory, file)
    cluster = inventory_file.as_written(path, None)
    workers = plural(len(cluster.workers), "worker") if cluster.workers else "no workers"
    answer().print(f"{_name_of(path)}: good: cluster {cluster.name}, 1 head and {workers}")
    for wrong in inventory_file.wrong_secrets(
        cluster
    ):  # no mistake of the file's, but `up` would end with it
        notice().print(f"! {wrong}", style="yellow")


@app.command(cls=LeanCommand)
def example() -> None:
    """Print an inventory that has every key once, with comments.

    To start from: raycluster config example > inventory.yaml
    """
    from orchestrator.cli.output.console import answer
    from orchestrator.model.inventory.example import example as text

    answer().print(text(), end="", soft_wrap=True)


@app.command(cls=LeanCommand)
def schema(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            autocompletion=options.complete_schemas,
            help="inventory; status, check, lock, config, exec, serve, fit, bench, models, verify, ls: their -o json; "
            "refusal: that of any of them with exit code 2; events: each line of -o jsonl; watch: those of "
            "status --watch.",
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
    from orchestrator.model.inventory.mistakes import quoted

    if what not in ("inventory", *answers.SCHEMAS):
        known = ", ".join(("inventory", *answers.SCHEMAS))
        raise typer.BadParameter(f"should be one of {known}, not {quoted(what)}", param_hint="WHAT")
    made = of_inventory() if what == "inventory" else answers.schema(what)
    answer().print(json.dumps(made, indent=2), soft_wrap=True)


def _as_ssh_has_it(node: "Node") -> "Node":
    """With what the inventory leaves to `ssh`, as far as `ssh` tells."""
    from orchestrator.remote.ssh.config import effective
    from orchestrator.remote.transport import Failure

    ssh = None if node.is_local else effective(node.host, node.ssh)
    return node if ssh is None or isinstance(ssh, Failure) else replace(node, ssh=ssh)


def _name_of(path: str) -> str:
    """The file, as the problems in it are reported."""
    return "<stdin>" if path == "-" else path
