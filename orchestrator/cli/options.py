"""The options that commands share, each described once."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestrator.cli.run.inventory_file import DEFAULT, usual
from orchestrator.frozen import dataclass

if TYPE_CHECKING:
    from orchestrator.model.inventory.sketch import Sketch

SCHEMAS = (
    *(
        "inventory",
        "status",
        "check",
        "lock",
        "config",
        "exec",
        "serve",
        "fit",
        "bench",
        "models",
        "verify",
        "ls",
        "refusal",
        "events",
        "watch",
    ),
)
"""What `config schema` knows, for the shell, which does not wait until all answers are imported."""

PlanForm = Literal["text", "sh", "jsonl"]


def complete_hosts(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What the shell offers for a half typed limit: the inventory's hosts, each with its role; several with commas.

    Contacts nobody, and never complains.
    """
    *named, last = incomplete.split(",")
    before = incomplete.removesuffix(last) + ("!" if last.startswith("!") else "")
    return [
        (before + name, what)
        for name, what in _known(_inventory(ctx)).items()
        if name.startswith(last.removeprefix("!")) and name not in named
    ]


def _inventory(ctx: typer.Context) -> str:
    """The file, as the command itself would find it."""
    given = ctx.params
    # Before a value that is still to come, Typer has read the options alone and left the argument where it was.
    unread = ctx.args[0] if "inventory" in given and ctx.args else None
    return given.get("inventory") or unread or given.get("file") or usual() or DEFAULT


def complete_models(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What the shell offers where a model is begun: the inventory's, and the words that are none."""
    seen = _sketched(_inventory(ctx))
    words = {"status": "whether it answers", "logs": "what vLLM says", "stop": "stop serving"}
    offered = dict.fromkeys(seen.models if seen else (), "the inventory's model") | words
    return [(name, what) for name, what in offered.items() if name.startswith(incomplete)]


def complete_model_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What the shell offers where a model is named: the inventory's. The hosts are not asked."""
    seen = _sketched(_inventory(ctx))
    offered = dict.fromkeys(seen.models if seen else (), "the inventory's model")
    return [(name, what) for name, what in offered.items() if name.startswith(incomplete)]


def complete_servers(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What the shell offers where a server is named: those of the inventory's models. The hosts are not asked."""
    from orchestrator.model.cluster import server_name

    seen = _sketched(_inventory(ctx))
    names = {server_name(each): each for each in (seen.models if seen else ())}
    return [(name, model) for name, model in names.items() if name.startswith(incomplete)]


def complete_schemas(ctx: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001 - Typer's
    """What there are JSON Schemas of."""
    return [name for name in SCHEMAS if name.startswith(incomplete)]


def _known(inventory: str) -> dict[str, str]:
    """What a limit may name; nothing where the file is no inventory."""
    seen = _sketched(inventory)
    if seen is None:
        return {}
    groups = {"head": "the head", **({"workers": "all workers"} if seen.workers else {})}
    return groups | {seen.head: "head"} | dict.fromkeys(seen.workers, "worker")


def _sketched(inventory: str) -> "Sketch | None":
    """The file's hosts and model: read as people write it, else as YAML has it."""
    from orchestrator.model.inventory.sketch import Sketch, sketch

    with suppress(OSError, RuntimeError, UnicodeDecodeError):
        file = Path(inventory).expanduser()
        if not file.is_file():
            return None
        text = file.read_text()
        if found := sketch(text):
            return found
        from orchestrator.model.cluster import Cluster
        from orchestrator.model.inventory.parse import load

        cluster = load(str(file))
        if isinstance(cluster, Cluster):
            names = tuple(node.name for node in cluster.workers)
            return Sketch(cluster.head.name, names, tuple(each.name for each in cluster.serve))
    return None


Inventory = Annotated[
    str | None,
    typer.Argument(
        metavar="INVENTORY",
        help="The inventory file; - is standard input. Default: -i, else ./inventory.yaml.",
        show_default=False,
    ),
]


def _inventory_option(help_text: str) -> Any:
    return typer.Option(
        *("-i", "--inventory"),
        metavar="FILE",
        envvar="RAYCLUSTER_INVENTORY",
        help=help_text,
        show_default=False,
    )


InventoryOption = Annotated[
    str | None, _inventory_option("The inventory, where it is not given as an argument.")
]
OnlyInventory = Annotated[
    str | None, _inventory_option("The inventory file; - is standard input. Default: ./inventory.yaml.")
]
OnlyFile = Annotated[str | None, _inventory_option("The inventory file. Default: ./inventory.yaml.")]
Via = Annotated[
    Literal["laptop"] | None,
    typer.Option("--via", metavar="laptop", help="Send every byte through this machine.", show_default=False),
]
ServerName = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        autocompletion=complete_servers,
        help="The name of its server, or its model's. Without it: the only one there is.",
        show_default=False,
    ),
]
Limit = Annotated[
    str | None,
    typer.Option(
        "-l",
        "--limit",
        metavar="HOSTS",
        autocompletion=complete_hosts,
        help="Only these hosts: names, globs, head, workers, !x; several with commas.",
        show_default=False,
    ),
]
Hosts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="HOST",
        autocompletion=complete_hosts,
        help="Names, globs, head, workers, !x. Default: all.",
        show_default=False,
    ),
]
Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=1, metavar="N", help="How many hosts are worked on at once.")
]
Verbose = Annotated[
    int,
    typer.Option(
        "-v", "--verbose", count=True, help="Show commands; -vv their output too.", show_default=False
    ),
]
OnHost = Annotated[
    bool, typer.Option("--on-host", help="Outside the container: on the host, as the SSH user.")
]
Deep = Annotated[
    bool,
    typer.Option("--deep", help="Also run an all-reduce and measure the network, with the image's torch."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Inspect the hosts, show the plan, change nothing.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="With --dry-run: plan without contacting the hosts.")
]
PlanOutput = Annotated[
    PlanForm,
    typer.Option(
        "-o",
        "--output",
        metavar="text|sh|jsonl",
        help="sh: print the plan as a script, and change nothing. jsonl: an event a line, as JSON.",
    ),
]
AnswerOutput = Annotated[
    Literal["text", "json"], typer.Option("-o", "--output", metavar="text|json", help="How to print it.")
]
StatusOutput = Annotated[
    Literal["text", "json", "jsonl"],
    typer.Option(
        "-o", "--output", metavar="text|json|jsonl", help="How to print it; jsonl goes with --watch."
    ),
]
ActOutput = Annotated[
    Literal["text", "jsonl"],
    typer.Option("-o", "--output", metavar="text|jsonl", help="jsonl: an event a line, as JSON."),
]
ServeOutput = Annotated[
    Literal["text", "jsonl", "json"],
    typer.Option(
        "-o",
        "--output",
        metavar="text|jsonl|json",
        help="jsonl: an event a line, as JSON; json: with --plan.",
    ),
]
Watch = Annotated[bool, typer.Option("-w", "--watch", help="A live page, updated until q or Ctrl-C.")]
Prune = Annotated[
    bool, typer.Option("--prune", help="Also remove this cluster's containers that the inventory lacks.")
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
Rollback = Annotated[
    bool, typer.Option("--rollback", help="If anything fails, remove all that this run started.")
]
Keep = Annotated[
    bool, typer.Option("--keep", help="If anything fails, remove nothing, so that you can inspect it.")
]

Serve = Annotated[
    bool, typer.Option("--serve", help="Then serve the inventory's model, and wait until it answers.")
]

JOBS = 32


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How many hosts are worked on at once, and how much of it is shown; `events`: as lines of JSON."""

    jobs: int
    verbose: int
    events: bool = False


def plan_only(output: PlanForm, *, dry_run: bool, offline: bool, prune: bool, limit: str | None) -> bool:
    """Whether the plan is only shown; exit code 2 where the options contradict each other."""
    if prune and (limit or dry_run or output == "sh"):
        raise typer.BadParameter("goes with neither --limit nor --dry-run nor -o sh", param_hint="--prune")
    if offline and not (dry_run or output == "sh"):
        raise typer.BadParameter(
            "goes with --dry-run: nothing can be done without the hosts", param_hint="--offline"
        )
    return dry_run or output == "sh"
