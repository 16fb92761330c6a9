"""What was typed after `serve`: which models are meant, and how each is to be served; or exit code 2."""

import re
from dataclasses import replace
from difflib import get_close_matches
from itertools import takewhile
from typing import TYPE_CHECKING

from orchestrator.cli import habits
from orchestrator.cli.output import typed
from orchestrator.cli.run import inventory_file
from orchestrator.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.model.cluster import Cluster, Model

METAVAR = "MODEL"
COMMANDS = {"start", "status", "logs", "bench", "stop"}
"""The words that are no models."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The options of `serve`, as they were given."""

    name: str | None
    gpus: int | None
    limit: str | None
    port: int | None

    def over(self, model: "Model") -> "Model":
        """The model as it is to be served: what was typed wins."""
        return replace(
            model,
            named=self.name or model.named,
            gpus=self.gpus or model.gpus,
            hosts=self.limit or model.hosts,
            port=self.port or model.port,
        )

    @property
    def words(self) -> tuple[str, ...]:
        options = {"--name": self.name, "--gpus": self.gpus, "-l": self.limit, "--port": self.port}
        return tuple(name for name, value in options.items() if value)


def models(
    cluster: "Cluster", name: str | None, args: tuple[str, ...], given: Typed, *, yes: bool
) -> "tuple[Model, ...]":
    """What is asked for; the inventory's where none is named, as in `serve -- --max-model-len 4096`."""
    from orchestrator.model.cluster import SERVER, Model

    if given.name and not re.fullmatch(SERVER, given.name):
        inventory_file.refuse(
            f'--name: "{given.name}" is none: letters, digits, ".", "_" and "-", a letter or digit first'
        )
    inventory_file.only(cluster, given.limit)
    if name in COMMANDS:
        inventory_file.refuse(f'"{name}" goes first: {typed.line(f"serve {name}")}')
    if name and not name.startswith("-"):
        if args and args[0][:1] != "-":
            from orchestrator.cli import usage
            from orchestrator.cli.run.prompt import somebody_there

            extra = [*takewhile(lambda word: word[:1] != "-", args)]
            _refuse_address(name, extra)
            if look := "" if yes or _is_named(cluster, name) else _look(cluster, name):
                inventory_file.refuse(f'"{name}" is neither ORG/NAME nor a folder{look}')

            sure = ("-y",) if not (yes or _is_named(cluster, name) or somebody_there()) else ()
            inventory_file.refuse(
                f'"{args[0]}" is too much: after MODEL come options of vLLM, as in -- --max-model-len 32768; '
                f"without it: {usage.meant(name, *sure, name, less=extra)}"
            )
        if entry := _entry(cluster, name):
            return (given.over(replace(entry, args=(*entry.args, *args))),)
        _refuse_address(name)
        if not (yes or _is_named(cluster, name)):
            _make_sure(cluster, name)
        known = next((each for each in cluster.serve if each.name == name), Model(name))
        watched = replace(Model(name, args), liveness=known.liveness, stalled_after=known.stalled_after)
        return (given.over(watched),)
    args = (name, *args) if name else args
    if not cluster.serve:
        inventory_file.refuse(
            f"no model: name one, as in `{typed.line('serve', 'Qwen/Qwen3-32B')}`, or set `serve: {{model: …}}`"
        )
    if len(cluster.serve) > 1 and (args or given.words):
        from orchestrator.cli import usage

        names = [each.server for each in cluster.serve]
        inventory_file.refuse(
            f"{(*given.words, *args)[0]} is for one model, and the inventory has {', '.join(names)}: name one, "
            f"as in {usage.meant('serve', 'serve', names[0])}"
        )
    return tuple(given.over(replace(each, args=(*each.args, *args))) for each in cluster.serve)


def _entry(cluster: "Cluster", word: str) -> "Model | None":
    """The inventory's model whose server is called so."""
    named = (each for each in cluster.serve if each.server == word != each.name)
    return next(named, None)


def _is_named(cluster: "Cluster", name: str) -> bool:
    """Whether it looks like a model's name, or is one of the inventory's."""
    return "/" in name or name[0] in ".~" or any(name in (each.name, each.server) for each in cluster.serve)


def _refuse_address(name: str, extra: "Sequence[str]" = ()) -> None:
    """Exit code 2 for the address of a model's page. `extra`: words behind it that are too much."""
    from orchestrator.cli import usage
    from orchestrator.plan.facts.models import of_address

    if (address := of_address(name)) is not None:
        model, revision = address
        line = usage.meant(name, model or METAVAR, less=extra)
        asks = f" -- --revision {revision}" if revision and "--" not in usage.command_line() else ""
        inventory_file.refuse(f"a model is named ORG/NAME, without an address: {line}{asks}")


def _look(cluster: "Cluster", word: str, *model: str) -> str:
    """What a word may stand for that is no model's name. `model`: one to put in the place of the word MODEL."""
    from orchestrator.cli import usage

    if word.upper() == METAVAR:
        inventory_file.refuse(f"{METAVAR} stands for the name of one: {usage.meant(word, *model)}")
    names = {name: each.server for each in cluster.serve for name in (each.name, each.server)}
    similar = get_close_matches(word, COMMANDS, 1, usage.SIMILAR)
    known = habits.IN_GROUPS["serve"].get(word, similar[0] if similar else None)
    if known in COMMANDS:
        return f" → `{typed.line(f'serve {known}')}`"
    if known is not None:
        return f" → raycluster serve {known}".rstrip()
    return "".join(f" → `{typed.line('serve', names[each])}`" for each in get_close_matches(word, names, 1))


def _make_sure(cluster: "Cluster", word: str) -> None:
    """Returns if a word that looks like a command is a model after all: a person says so, a script with -y."""
    from orchestrator.cli import usage
    from orchestrator.cli.run.prompt import consent, somebody_there

    look = _look(cluster, word, next((each.name for each in cluster.serve), "Qwen/Qwen3-32B"))
    if somebody_there():
        consent(f'Serve a model called "{word}"?{look and f" Or was meant{look}?"}', given=False)
        return
    inventory_file.refuse(
        f'"{word}" is neither ORG/NAME nor a folder{look}; if it is a model: {usage.meant(word, "-y", word)}'
    )
