"""From the command line to a cluster: finding the file, reading it, selecting hosts; or exit code 2."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster, Node
    from orchestrator.model.inventory.advice import Written
    from orchestrator.model.inventory.mistakes import Mistake
    from orchestrator.model.secret import Secret
    from orchestrator.plan.actions.up import Secrets


DEFAULT = "inventory.yaml"
OTHER_DEFAULT = "inventory.yml"
LONGEST_WORD = 60
LONGEST_SECRET = 65_535  # bytes of a line, its name included


def load(argument: str | None, option: str | None) -> "Cluster":
    """The cluster of the inventory, with what concerns its engine; or every problem of the file and exit code 2."""
    from orchestrator.plan import engine

    cluster = as_written(argument, option)
    return engine.of(cluster).normalized(cluster)


def load_with_ray(argument: str | None, option: str | None) -> "Cluster":
    """The same, for what only Ray has."""
    cluster = load(argument, option)
    demand_ray(cluster)
    return cluster


def demand_ray(cluster: "Cluster") -> None:
    """Exit code 2 where there is no Ray."""
    if not cluster.engine.has_ray:
        refuse(f"cluster {cluster.name} has no Ray: its `engine` is {cluster.engine}")


def as_written(argument: str | None, option: str | None) -> "Cluster":
    """The cluster of the inventory, or every problem of the file and exit code 2."""
    return read(path(argument, option), argument or option or "")[1]


def read(file: str, given: str) -> "tuple[Written, Cluster]":
    """The file and its cluster, or every problem of it and exit code 2. `given`: how it was named, if it was."""
    from orchestrator.cli.output import typed
    from orchestrator.model.inventory.advice import Written
    from orchestrator.model.inventory.mistakes import InventoryError
    from orchestrator.model.inventory.parse import load_written
    from orchestrator.model.inventory.resolve import resolve
    from orchestrator.plan.typed import Caller

    found = load_written(file)
    if isinstance(found, InventoryError):
        refuse(found.text(), found.mistakes)
    written, cluster = Written(*found), resolve(found[1])
    hosts = {node.name: node.is_local for node in cluster.nodes}
    typed.called(Caller(given, hosts, written.advise, written.where))
    return written, cluster


def path(argument: str | None, option: str | None) -> str:
    """Which file is meant; exit code 2 where none is named and the usual one is not there."""
    if argument and not (_is_file(argument) or Path(argument).exists()):
        _refuse_argument(argument, option)
    _refuse_two(argument, option)
    if given := argument or option:
        return given
    if (found := usual()) is None:
        refuse(f"no inventory: name a file, or let `raycluster init` write ./{DEFAULT}")
    if found == DEFAULT and Path(OTHER_DEFAULT).exists():
        from orchestrator.cli.output.console import notice

        notice().print(f"{DEFAULT} is read; {OTHER_DEFAULT} is there, too", style="yellow")
    return found


def _refuse_two(argument: str | None, option: str | None) -> None:
    """Exit code 2 where the line names two files, and one would go unread. That of the environment may."""
    from typer._click.core import ParameterSource

    from orchestrator.cli import usage

    ctx = usage.current()
    if not (argument and option and ctx) or Path(argument).absolute() == Path(option).absolute():
        return
    if ctx.get_parameter_source("file") is ParameterSource.COMMANDLINE:
        refuse(f"two inventories are named, {option} and {argument}: name one")


def in_use() -> str:
    """The file of the command that runs, with its whole path; `-` for standard input."""
    from orchestrator.cli import usage

    given = ctx.params if (ctx := usage.current()) else {}
    name: str = given.get("inventory") or given.get("file") or usual() or DEFAULT
    return name if name == "-" else str(Path(name).absolute())


def usual() -> str | None:
    """The file of the usual name, where there is one."""
    return next((name for name in (DEFAULT, OTHER_DEFAULT) if Path(name).exists()), None)


def _refuse_argument(argument: str, option: str | None) -> NoReturn:
    """Exit code 2 for an argument that is no file: maybe hosts, which go with -l."""
    from orchestrator.cli import usage
    from orchestrator.model.cluster import Cluster
    from orchestrator.model.inventory.parse import load as load_file
    from orchestrator.model.select import NoMatch, select

    file, ctx = option or usual(), usage.current()
    cluster = load_file(file) if file else None
    if not isinstance(cluster, Cluster) or isinstance(select(cluster, argument), NoMatch):
        refuse(
            f"{shortened(argument)}: there is no such file. The argument is the inventory; hosts go with -l"
        )
    named = f'"{argument}" {_is_or_names(cluster, argument)} of {file}'
    if ctx and "limit" not in ctx.params:
        refuse(f"{named}; {ctx.command_path} is for the whole cluster")
    limit = ctx.params["limit"] if ctx else None
    both = usage.meant(limit, f"{limit},{argument}").removesuffix(f" {argument}") if limit else ""
    refuse(f"{named}, and hosts go with -l: {both or usage.meant(argument, '-l', argument)}")


def _is_or_names(cluster: "Cluster", argument: str) -> str:
    return "is a host" if any(node.name == argument for node in cluster.nodes) else "names hosts"


def load_for_hosts(
    option: str | None, hosts: list[str] | None, limit: str | None
) -> "tuple[Cluster, tuple[Node, ...]]":
    """For commands whose arguments are hosts: the cluster, and the hosts that are left by both ways to say which."""
    no_files(hosts or [])
    cluster = load(None, option)
    named = only(cluster, ",".join(hosts) if hosts else None, option="HOST")
    nodes = tuple(node for node in selected(cluster, limit) if named is None or node.name in named)
    return cluster, nodes or refuse("HOST and --limit have no host in common")


def no_files(hosts: list[str]) -> None:
    """Exit code 2 for an inventory among the hosts."""
    if file := next((word for word in hosts if _is_file(word)), None):
        refuse(f'"{file}" is not a host. Name the inventory with -i: -i {file}')


def shortened(word: str) -> str:
    """What was typed, of a length that fits into a line."""
    return word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}…"


def _is_file(word: str) -> bool:
    """Whether it can only be meant as the inventory."""
    return word == "-" or "/" in word or word.endswith((".yaml", ".yml"))


def only(cluster: "Cluster", limit: str | None, option: str = "--limit") -> frozenset[str] | None:
    """The names that `--limit` selects; None without it."""
    from orchestrator.model.select import NoMatch, select

    if limit is None:
        return None
    selected = select(cluster, limit)
    if isinstance(selected, NoMatch):
        refuse(f"{option}: {selected}")
    return frozenset(node.name for node in selected)


def with_head(cluster: "Cluster", names: frozenset[str] | None) -> "tuple[Node, ...]":
    """The hosts of these names, and the head, which alone knows what Ray does; all of them without a limit."""
    return tuple(
        node for node in cluster.nodes if names is None or node.name in names or node is cluster.head
    )


def selected(cluster: "Cluster", limit: str | None) -> "tuple[Node, ...]":
    """The hosts that `--limit` selects; all of them without it."""
    names = only(cluster, limit)
    return tuple(node for node in cluster.nodes if names is None or node.name in names)


def one(cluster: "Cluster", host: str, option: str = "HOST") -> "Node":
    """The host of that name, or the one that a glob fits; exit code 2 where there are none or several."""
    from orchestrator.model.select import NoMatch, select

    nodes = select(cluster, host)
    if isinstance(nodes, NoMatch):
        refuse(f"{option}: {nodes}")
    if len(nodes) > 1:
        refuse(
            f'{option}: "{host}" fits {len(nodes)} hosts, and one is needed: {", ".join(node.name for node in nodes)}'
        )
    return nodes[0]


def this_machine(
    cluster: "Cluster", name: str, env: tuple[tuple[str, str], ...] | None = None
) -> "Node | None":
    """The laptop as a node that images and models come from, if the name means it and no host is called so."""
    from dataclasses import replace

    from orchestrator.model.cluster import LOCAL, Docker
    from orchestrator.plan.docker import LAPTOP

    if name != LAPTOP or any(node.name == LAPTOP for node in cluster.nodes):
        return None
    here = replace(cluster.head, name=LAPTOP, host=LOCAL, docker=Docker(), ip=None, network=None)
    return here if env is None else replace(here, env=env)


def secrets(cluster: "Cluster", environment: Mapping[str, str] = os.environ) -> "tuple[Secret, ...]":
    """The values of the inventory's `secrets`, from the laptop's environment."""
    from orchestrator.model.secret import Secret

    if wrong := tuple(wrong_secrets(cluster, environment)):
        refuse("\n".join(wrong))
    return tuple(Secret(name, environment[name]) for name in cluster.secrets)


def wrong_secrets(cluster: "Cluster", environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """What keeps `secrets` from being given to containers: some are not set here, or cannot be passed on by Docker."""
    if missing := [name for name in cluster.secrets if not environment.get(name)]:
        names = ", ".join(missing)
        lines = "; ".join(f"export {name}=…" for name in missing)
        yield f"secrets: {names} not set in this shell's environment: {lines}"
        return
    for name in cluster.secrets:
        if why := _unfit(name, environment[name]):
            yield f"secrets: {name} {why}, which Docker cannot pass on"


def sealed(cluster: "Cluster") -> "Secrets":
    """The user's secrets, and a token for a cluster that has none."""
    from secrets import token_hex

    from orchestrator.model.secret import Secret
    from orchestrator.plan.actions.up import Secrets
    from orchestrator.plan.host_commands import TOKEN

    return Secrets(secrets(cluster), Secret(TOKEN, token_hex(32)))


def _unfit(name: str, value: str) -> str:
    """Why Docker's reader of `--env-file` would not give a container this very value."""
    if value.splitlines() != [value]:
        return "holds a line break"
    if re.search("[\ud800-\udfff]", value):
        return "is not UTF-8"
    size = len(f"{name}={value}".encode())
    return f"has {size:,} bytes, more than {LONGEST_SECRET:,}" if size > LONGEST_SECRET else ""


def refuse(text: str, mistakes: "tuple[Mistake, ...]" = ()) -> NoReturn:
    """Says what is wrong with what the user gave, to programs too, and ends with exit code 2: nothing was done."""
    from orchestrator.cli import usage
    from orchestrator.cli.output.console import notice

    notice().print(text, style="red")
    if ctx := usage.current():
        usage.show_to_programs(ctx, text, mistakes)
    raise typer.Exit(2)
