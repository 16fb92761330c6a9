"""Lines of a text that a person is to type, marked until the text is shown.

A line to type depends on how the program was called, with which inventory, and on whom it is said of. Neither is
known where a remedy is written, and a remedy has to be equal on all hosts that want it. So it is a text in which such
lines stand between marks, and whoever shows it fills in both (`shown`). No other text can have the marks: what hosts
and people write is made printable.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from orchestrator.frozen import dataclass
from orchestrator.model.inventory.advice import Advice, advised, named
from orchestrator.plan.command import quoted

START, BETWEEN, END = "\x02", "\x1f", "\x03"
CHANGE = re.compile(rf"{START}(?=(change|add){BETWEEN})")
MARKED = re.compile(rf"{START}([a-z]+){BETWEEN}([^{START}{END}]*){END}")


def ours(command: str, *words: str, limit: bool = False) -> str:
    """A line of raycluster's own: a command, such as `serve status`, and words that follow its inventory.

    `limit`: only for the hosts that it is said of, by -l.
    """
    return _marked("limited" if limit else "ours", command, *words)


def host_command(*words: str) -> str:
    """A command for the hosts that it is said of, which needs no root, no terminal and no shell: by `exec`."""
    return _marked("exec", *words)


def there(line: str) -> str:
    """A line for a shell of the hosts that it is said of: one that needs root, a terminal, or to be pasted whole."""
    return _marked("there", line)


def change(key: str, value: str) -> str:
    """A change of the inventory: the key, such as `docker.pull`, is given a value, as YAML has it."""
    return _marked("change", key, value)


def add(key: str, *items: str) -> str:
    """A change of the inventory: a list or a map, such as `docker.args`, is given further items, as YAML has them."""
    return _marked("add", key, *items)


def where(key: str) -> str:
    """A key of the inventory with the line that has it: for a value that only a person can choose."""
    return _marked("where", key)


def for_all(text: str) -> str:
    """The text whose changes of the inventory are for all hosts, though it is said of one: what a model needs."""
    return CHANGE.sub(f"{START}all", text)


def words(command: str) -> str:
    """A command of several words in a place of a line that is filled in later."""
    return BETWEEN.join(command.split())


def _marked(kind: str, *words: str) -> str:
    return f"{START}{kind}{BETWEEN}{BETWEEN.join(words)}{END}"


@dataclass(frozen=True, slots=True)
class Caller:
    """How the program was called. `inventory`: as it was given, empty where the usual one was found.

    `hosts`: those of the inventory, and whether each is this very machine. `advise` tells a change of the inventory,
    `where` a key of it.
    """

    inventory: str = ""
    hosts: Mapping[str, bool] = field(default_factory=dict)
    advise: Callable[[Advice, tuple[str, ...]], str] = advised
    where: Callable[[tuple[str, ...], tuple[str, ...]], str] = named


def shown(text: str, hosts: Sequence[str], caller: Caller) -> str:
    """The text with its lines as they are to be typed by this caller, about these hosts.

    A line that is all of it stands bare, to be copied; one among other words in quotes.
    """
    return MARKED.sub(lambda found: _line(found, found[0] != text, tuple(hosts), caller), text)


def relined(text: str, line: Callable[[str, tuple[str, ...]], str | None]) -> str:
    """The text with other lines in the place of raycluster's own, by command and words; None for one that stays."""

    def other(found: re.Match[str]) -> str:
        command, *rest = found[2].split(BETWEEN)
        return (line(command, tuple(rest)) if found[1] == "ours" else None) or found[0]

    return MARKED.sub(other, text)


def has_line(text: str) -> bool:
    """Whether there is one."""
    return MARKED.search(text) is not None


def _line(found: re.Match[str], among: bool, hosts: tuple[str, ...], caller: Caller) -> str:  # noqa: PLR0911 - kinds
    quote = "`" if among else ""
    parts = tuple(found[2].split(BETWEEN))
    kind = found[1].removeprefix("all")
    hosts = hosts if kind == found[1] else ()
    match kind:
        case "ours" | "limited":
            command, *rest = parts
            return f"{quote}{_ours(command, rest, hosts if kind == 'limited' else (), caller)}{quote}"
        case "exec":
            line = " ".join(map(quoted, parts))
            known = caller.hosts and all(host in caller.hosts for host in hosts)
            if known and (not hosts or _on(hosts, caller)):
                return f"{quote}{_ours('exec', ['--on-host', '--', *parts], hosts, caller)}{quote}"
            return f"{_on(hosts, caller)}{quote}{line}{quote}"
        case "there":
            return f"{_on(hosts, caller)}{quote}{parts[0]}{quote}"
        case "change" | "add":
            key, *values = parts
            return caller.advise(Advice(tuple(key.split(".")), tuple(values), kind == "add"), hosts)
        case "where":
            return caller.where(tuple(parts[0].split(".")), hosts)
    return found[0]


def _ours(command: str, words: Sequence[str], hosts: tuple[str, ...], caller: Caller) -> str:
    inventory = ("-i", caller.inventory) if caller.inventory else ()
    some = 0 < len(set(hosts)) < len(caller.hosts)
    limit = ("-l", ",".join(hosts)) if some else ()
    return " ".join(map(quoted, ("raycluster", *command.split(), *inventory, *limit, *words)))


def _on(hosts: tuple[str, ...], caller: Caller) -> str:
    """Where a line is to be typed that is not ours; nothing where that is here."""
    if all(caller.hosts.get(host, False) for host in hosts):
        return ""
    everywhere = len(hosts) > 1 and set(hosts) == set(caller.hosts)
    return f"on {'all hosts' if everywhere else ', '.join(hosts)}: "
