"""What `init` does: ask for the machines, look at them, write the file, say what is in it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import typer

from orchestrator.cli.commands.trust import introduced
from orchestrator.cli.options import RunOptions
from orchestrator.cli.output.console import answer, explain, notice, troubles
from orchestrator.cli.output.typed import line, shown
from orchestrator.cli.run import atomic_file
from orchestrator.cli.run.inventory_file import refuse
from orchestrator.cli.run.prompt import consent, reply, somebody_there
from orchestrator.cli.run.session import session
from orchestrator.model.cluster import Cluster, Node, Role, Ssh
from orchestrator.model.inventory import values
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.yaml_source import Source, from_text
from orchestrator.model.ssh_target import Target, names, parse_all
from orchestrator.plan.actions.init import Draft, Seen, text
from orchestrator.plan.facts import networks
from orchestrator.plan.facts.host import Depth, Facts, HostFacts, Unreachable
from orchestrator.plan.facts.inspection import Inspection
from orchestrator.plan.problem import Problem, plural
from orchestrator.remote.observe.hosts import unreachable
from orchestrator.remote.observe.preflight import inspect_hosts
from orchestrator.remote.transport import Failure

T = TypeVar("T")

STDOUT = "-"
CLUSTER = "demo"
HOW = "The machines as you log in to them by SSH, the head first: gpu1 me@gpu[2-4]:2222"


def given(words: list[str]) -> tuple[Target, ...]:
    """The machines that the command line names."""
    try:
        return parse_all(words) if words else ()
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="HOST") from None


def asked_for(
    targets: tuple[Target, ...], image: str | None, default: str, name: str | None = None
) -> tuple[Cluster, tuple[Target, ...]]:
    """The machines, and a cluster of them whose addresses are not known yet; a person is asked for what is missing."""
    named = bool(targets)
    targets = targets or _machines()
    try:
        name = values.cluster_name(name) if name else None
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--name") from None
    name = name or (CLUSTER if named else _ask("Name of the cluster", CLUSTER, values.cluster_name))
    try:
        image = (
            values.image(image or default) if named or image else _ask("Docker image", default, values.image)
        )
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--image") from None
    head, *workers = (
        Node(called, target.host, Role.WORKER, None, ssh=Ssh(target.user, target.port))
        for called, target in zip(names(targets), targets, strict=True)
    )
    return Cluster(name, image, replace(head, role=Role.HEAD), tuple(workers)), targets


def _machines() -> tuple[Target, ...]:
    if not somebody_there():
        refuse("no machine is named: raycluster init gpu1 gpu2 gpu3, the head first. Nothing was done.")
    notice().print(HOW)
    return _ask("Machines", "", lambda answer: parse_all(answer.replace(",", " ").split()))


def _ask(question: str, default: str, check: Callable[[str], T]) -> T:
    """What a person answers, once `check` takes it; Enter alone is the default, no answer at all exit code 1."""
    while (answer := reply(f"{question}{f' [{default}]' if default else ''}: ")) is not None:
        try:
            return check(answer or default)
        except ValueError as wrong:
            notice().print(str(wrong), style="yellow")
    notice().print("nothing was done")
    raise typer.Exit(1)


def make_way(file: str, *, yes: bool) -> None:
    """Returns if the file may be written; asks where one is there."""
    if file == STDOUT:
        return
    atomic_file.make_sure(Path(file))
    if Path(file).exists():
        consent(f"{file} is there already. Replace it?", given=yes)


def drafted(
    cluster: Cluster, targets: tuple[Target, ...], pace: RunOptions, options: tuple[str, ...]
) -> Draft:
    """The inventory of the machines as they were seen; exit code 1 where one could not be.

    `options`: those that the line for another try has, too.
    """
    facts, closer = seen_now(cluster, pace)
    silent = {name: here for name, here in facts.items() if isinstance(here, Unreachable)}
    if silent:
        troubles(silent.items())
        answering = [
            str(target)
            for node, target in zip(cluster.nodes, targets, strict=True)
            if node.name not in silent
        ]
        without = f"; without {', '.join(silent)}: {line('init', *options, *answering)}" if answering else ""
        notice().print(f"Nothing was written. Once {_they_answer(silent)}, try again{without}")
        raise typer.Exit(1)
    hosts = {name: here for name, here in facts.items() if isinstance(here, HostFacts)}
    seen = tuple(
        Seen(node.name, target, hosts[node.name], closer.get(node.name))
        for node, target in zip(cluster.nodes, targets, strict=True)
    )
    return Draft(cluster.name, cluster.image, seen, _networks(hosts))


def _they_answer(silent: Collection[str]) -> str:
    """The condition for another try."""
    return f"{', '.join(silent)} {'answer' if len(silent) > 1 else 'answers'}"


def seen_now(cluster: Cluster, pace: RunOptions) -> tuple[Facts, Mapping[str, Inspection | None]]:
    """What is seen of the hosts, and what a second look at those that answer adds; keys are asked for before."""
    verdicts = introduced(tuple(node for node in cluster.nodes if not node.is_local), pace.jobs)
    unmet = {name: unreachable(each) for name, each in verdicts.items() if isinstance(each, Failure)}
    with session(cluster, "init", pace, logged=False) as run:
        facts = run.observe(tuple(node for node in cluster.nodes if node.name not in unmet), Depth.MACHINE)
        seen = tuple(node for node in cluster.nodes if isinstance(facts.get(node.name), HostFacts))
        closer = inspect_hosts(cluster, seen, run.fleet, run.cancel)
    run.stop_if_interrupted()
    return {node.name: (facts | unmet)[node.name] for node in cluster.nodes}, closer


def _networks(hosts: Mapping[str, HostFacts]) -> tuple[networks.SharedNetwork, ...]:
    if twice := networks.one_machine(hosts):
        one, other, address = twice
        notice().print(
            f"✗ {one} and {other} are one machine: both have {address.ip} on {address.interface}", style="red"
        )
        notice().print("Nothing was written. Name each machine once.")
        raise typer.Exit(1)
    if found := networks.shared_networks(hosts):
        return found
    notice().print("✗ there is no network in which each of them has one address:", style="red")
    for name, facts in hosts.items():
        notice().print(f"      | {name}  {networks.list_addresses(facts)}", style="dim")
    notice().print("Nothing was written. Write the inventory by hand, with the `ip` that the others reach.")
    raise typer.Exit(1)


def keep(draft: Draft, file: str) -> None:
    """Writes the inventory, all or nothing, once the loader has taken it; exit code 2 where it does not."""
    inventory = text(draft)
    source = from_text(inventory, file)
    read = parse(source) if isinstance(source, Source) else source
    if isinstance(read, InventoryError):
        refuse(f"{read.text()}\nNothing was written.")
    if file == STDOUT:
        answer().print(inventory, end="", soft_wrap=True)
    else:
        atomic_file.replace(Path(file), inventory)


def report(draft: Draft, file: str) -> None:
    """Says what is in the file, what is amiss, and what comes next."""
    screen = notice() if file == STDOUT else answer()
    head, *workers = draft.hosts
    screen.print(f"cluster {draft.cluster}: 1 head and {plural(len(workers), 'worker')}, {_together(draft)}")
    widest = max(len(host.name) for host in draft.hosts), max(len(draft.ip(host)) for host in draft.hosts)
    for host in draft.hosts:
        role = "  head" if host is head else ""
        screen.print(f"  {host.name:<{widest[0]}}  {draft.ip(host):<{widest[1]}}  {host.hardware}{role}")
    warn_of_docker(draft.hosts)
    if file != STDOUT:
        screen.print(f"{file} is written. Read it, then: {line('check')}")


def warn_of_docker(hosts: Iterable[Seen]) -> None:
    """Says on which hosts Docker does not answer, and why."""
    for host in hosts:
        # A Docker that does not answer is no reason to keep the file back: `check` and `up` say the same.
        mute = host.facts.docker
        if isinstance(mute, Problem) and not host.sudo:
            notice().print(f"! {host.name}  Docker does not answer: {mute.text}", style="yellow")
            explain("", shown(mute.fix, [host.name]))


def _together(draft: Draft) -> str:
    chosen, *others = draft.networks
    where = f"addresses in {chosen}" if chosen.network else "addresses in no network that all share"
    return f"{where}; {', '.join(map(str, others))} would do too" if others else where
