"""`raycluster remove`: takes workers out of the inventory."""

from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file

Hosts = Annotated[
    list[str],
    typer.Argument(
        metavar="HOST",
        autocompletion=options.complete_hosts,
        help="The workers: names, globs, !x.",
        show_default=False,
    ),
]


def remove(
    hosts: Hosts,
    file: options.OnlyFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change, write nothing.")] = False,
) -> None:
    """Remove workers from the inventory.

    The file is edited in place; all else in it stays as it is, and a range is narrowed. Contacts nobody: a container
    that runs there goes on until `up --prune` or `down --prune` removes it.
    """
    from orchestrator.cli.output.typed import line
    from orchestrator.cli.run import edit_in_place
    from orchestrator.model.inventory.workers_text import without_workers

    inventory_file.no_files(hosts)
    inventory = edit_in_place.opened(file)
    gone = inventory_file.only(inventory.cluster, ",".join(hosts), option="HOST") or frozenset()
    head = inventory.cluster.head.name
    if head in gone:
        inventory_file.refuse(
            f"{head} is the head, which the others join: stop the cluster (`{line('down')}`), "
            f"then write another `head:` into {inventory.name}"
        )
    names = [node.name for node in inventory.cluster.nodes if node.name in gone]
    text, cluster = edit_in_place.edited(
        inventory,
        without_workers(inventory.text, inventory.inventory, gone),
        {node.name for node in inventory.cluster.nodes} - gone,
        f"take {', '.join(names)} out of `workers:`",
    )
    edit_in_place.conclude(
        inventory,
        text,
        cluster,
        done=f"{', '.join(names)} removed",
        then=f"To remove what still runs there: {line('up', '--prune')}",
        dry_run=dry_run,
    )
