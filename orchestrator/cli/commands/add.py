"""`raycluster add`: looks at machines, and writes them into the inventory as workers."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run.inventory_file import no_files, refuse

if TYPE_CHECKING:
    from orchestrator.cli.run.edit_in_place import InventoryFile
    from orchestrator.model.cluster import Node
    from orchestrator.model.ssh_target import Target
    from orchestrator.plan.actions.init import Seen

Hosts = Annotated[
    list[str],
    typer.Argument(
        metavar="HOST",
        help="The machines as [user@]host[:port]; gpu[4-6] stands for three.",
        show_default=False,
    ),
]


def add(
    hosts: Hosts,
    file: options.OnlyFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Inspect the machines, show the change, write nothing.")
    ] = False,
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Add machines to the inventory.

    Inspects them as `init` does: unknown host keys are shown and recorded after a yes, and the addresses are found at
    which the others reach them. The file is edited in place; all else in it stays as it is. If one does not answer,
    nothing is written. `up` then starts them.
    """
    from orchestrator.cli.commands.init_draft import given, warn_of_docker
    from orchestrator.cli.output.console import answer
    from orchestrator.cli.output.typed import line
    from orchestrator.cli.run import edit_in_place
    from orchestrator.model.inventory.workers_text import with_workers
    from orchestrator.plan.problem import plural

    no_files(hosts)
    targets, inventory = given(hosts), edit_in_place.opened(file)
    nodes = _nodes(inventory, targets)
    seen = _seen(inventory, nodes, targets, options.RunOptions(jobs, verbose))
    items = _items(inventory, nodes, seen)
    names = [node.name for node in nodes]
    text, cluster = edit_in_place.edited(
        inventory,
        with_workers(inventory.text, items),
        {*names, *(node.name for node in inventory.cluster.nodes)},
        "\n".join(f"  - {item}" for item in items),
    )
    for host, item in zip(seen, items, strict=True):
        answer().print(f"{item}  {host.hardware}")
    warn_of_docker(seen)
    edit_in_place.conclude(
        inventory,
        text,
        cluster,
        done=f"{plural(len(items), 'worker')} added",
        then=f"Start {', '.join(names)}; what runs stays: {line('up')}",
        dry_run=dry_run,
    )


def _nodes(file: "InventoryFile", targets: "tuple[Target, ...]") -> "tuple[Node, ...]":
    """The machines as the inventory would have them; exit code 2 where it has one of that name."""
    from orchestrator.model.inventory.resolve import joining
    from orchestrator.model.ssh_target import names

    there = {node.name: node for node in file.cluster.nodes}
    called = names(targets)
    if twice := [name for name in called if name in there]:
        refuse(f"{', '.join(twice)}: in {file.name} already. Nothing was done.")
    return tuple(
        joining(file.inventory, name, target.host, target.user, target.port)
        for name, target in zip(called, targets, strict=True)
    )


def _seen(
    file: "InventoryFile", nodes: "tuple[Node, ...]", targets: "tuple[Target, ...]", pace: options.RunOptions
) -> "tuple[Seen, ...]":
    """What was seen of them; exit code 1 where one does not answer."""
    from orchestrator.cli.commands.init_draft import seen_now
    from orchestrator.cli.output.console import notice, troubles
    from orchestrator.plan.actions.init import Seen
    from orchestrator.plan.facts.host import HostFacts, Unreachable

    facts, closer = seen_now(replace(file.cluster, head=nodes[0], workers=nodes[1:]), pace)
    if silent := {name: here for name, here in facts.items() if isinstance(here, Unreachable)}:
        troubles(silent.items())
        notice().print("Nothing was written.")
        raise typer.Exit(1)
    return tuple(
        Seen(node.name, target, here, closer.get(node.name))
        for node, target in zip(nodes, targets, strict=True)
        if isinstance(here := facts[node.name], HostFacts)
    )


def _items(file: "InventoryFile", nodes: "tuple[Node, ...]", seen: "tuple[Seen, ...]") -> list[str]:
    """Each as the list of workers has it; exit code 1 where its address is not to be told."""
    from orchestrator.cli.output.console import failed
    from orchestrator.model.cluster import Docker
    from orchestrator.plan.actions.init import item
    from orchestrator.plan.facts.networks import beside, list_addresses
    from orchestrator.plan.problem import Problem

    network = None if file.cluster.head.ip else file.cluster.head.network
    taken = {node.ip: node.name for node in file.cluster.nodes if node.ip}
    items = []
    for node, host in zip(nodes, seen, strict=True):
        found = beside(host.facts, tuple(taken), network)
        if len(found) != 1:
            where = f"in {network}" if network else f"where {', '.join(map(str, taken))} are"
            what = f"it has {'several addresses' if found else 'no address'} {where}: {list_addresses(host.facts)}"
            failed(node.name, Problem(what, f"write it into {file.name} by hand, with its `ip`"))
        ip = found[0].ip
        if ip in taken:
            failed(node.name, Problem(f"{ip} is the `ip` of {taken[ip]}: it is that machine"))
        taken |= {} if network else {ip: node.name}
        sudo = node.docker.command != Docker().command
        items.append(item(host, None if network else ip, node.accelerator, sudo=sudo))
    return items
