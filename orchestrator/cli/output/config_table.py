"""A resolved inventory as people read it: what hosts have in common once, then what sets them apart."""

import re
from collections import defaultdict
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from orchestrator.cli.output.console import answer, print_table
from orchestrator.cli.output.json import ConfigAnswer
from orchestrator.model import redact
from orchestrator.model.inventory.provenance import HostSettings, Origin, Setting, SettingSource, Value
from orchestrator.plan.problem import plural

IDENTITY = ("host", "name", "ip")
FEW = 3  # hosts that are rather named as exceptions than all others by name


def show_settings(config: ConfigAnswer) -> None:
    """Prints the hosts, then every value with where it comes from."""
    answer().print(
        Text(f"cluster {config.cluster}: {plural(len(config.hosts), 'host')}, from {config.file}", "bold")
    )
    print_table(_hosts(config))
    blocks = {"the cluster": config.settings, **_shared(config.hosts)}
    widest = max(len(each.key) for settings in blocks.values() for each in settings)
    for title, settings in blocks.items():
        answer().print(Text(f"\n{title}", "bold"))
        print_table(_block(settings, widest))
    if any(redact.HIDDEN in str(each.value) for settings in blocks.values() for each in settings):
        why = f"{redact.HIDDEN}: looks like a secret; `secrets:` keeps one out of the file and off command lines"
        answer().print(Text(f"\n{why}", "yellow"))


def _hosts(config: ConfigAnswer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    aliased = any(_one(host, "host").value != host.name for host in config.hosts)
    for title in ("NAME", "ROLE", *(["HOST"] if aliased else []), "IP", "WRITTEN"):
        table.add_column(title, overflow="fold")
    network = next((each.value for each in config.settings if each.key == "network"), None)
    for host in config.hosts:
        where = _one(host, "host")
        ip = _one(host, "ip").value or f"one in {network}"
        alias = [str(where.value)] if aliased else []
        table.add_row(host.name, host.role, *alias, str(ip), Text(_written(where.origin), "dim"))
    return table


def _one(host: HostSettings, key: str) -> Setting:
    return next(each for each in host.settings if each.key == key)


def _shared(hosts: tuple[HostSettings, ...]) -> dict[str, tuple[Setting, ...]]:
    """The settings by who has them, in the order in which most have them."""
    having: dict[Setting, list[str]] = defaultdict(list)
    for host in hosts:
        for setting in host.settings:
            if setting.key not in IDENTITY:
                having[setting].append(host.name)
    blocks: dict[tuple[str, ...], list[Setting]] = defaultdict(list)
    for setting, names in having.items():
        blocks[tuple(names)].append(setting)
    everyone = [host.name for host in hosts]
    ordered = sorted(blocks, key=lambda names: (-len(names), everyone.index(names[0])))
    return {_title(names, everyone): tuple(blocks[names]) for names in ordered}


def _title(names: tuple[str, ...], everyone: list[str]) -> str:
    others = [name for name in everyone if name not in names]
    if not others:
        return "every host" if len(everyone) > 1 else names[0]
    few = len(others) <= FEW < len(names)
    return f"every host but {', '.join(others)}" if few else ", ".join(names)


def _block(settings: Iterable[Setting], widest: int) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=widest + 2, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", no_wrap=True)
    for each in settings:
        table.add_row(f"  {each.key}", Text(_shown(each.value)), _written(each.origin))
    return table


def _shown(value: Value) -> str:
    """A value as one would write it; `-` for none."""
    match value:
        case None | ():
            return "-"
        case tuple():
            return f"[{', '.join(value)}]"
        case float():
            return f"{value:g}"
        case _:
            return str(value) or '""'


def _written(origin: Origin) -> str:
    if origin.lines:
        range_ = re.search(r"\[.*\]", origin.range)
        lines = f"line{'s' if len(origin.lines) > 1 else ''} {', '.join(map(str, origin.lines))}"
        return f"{lines}, {range_[0]}" if range_ else lines
    return "ssh -G" if origin.source is SettingSource.SSH else "default"
