"""`raycluster model`: which host has which model, whether all of it is right; bringing and removing one."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.exit_codes import NOT_HEALTHY
from orchestrator.cli.lazy import LeanCommand, group
from orchestrator.cli.output.typed import given, limited
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.cli.run.session import Session
    from orchestrator.model.cluster import Cluster, Node
    from orchestrator.plan.actions.models import Caches
    from orchestrator.plan.facts.host import Facts
    from orchestrator.plan.facts.models import Lookup
    from orchestrator.remote.execute.events import Report

app = group()

Name = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        autocompletion=options.complete_model_names,
        help="ORG/NAME, or a folder as the container has it.",
        show_default=False,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL",
        autocompletion=options.complete_model_names,
        help="ORG/NAME, or a folder as the container has it. Default: all in the cache.",
        show_default=False,
    ),
]
Revision = Annotated[
    str, typer.Option("--revision", metavar="R", help="A branch, a tag or a commit.", show_default=True)
]
WHERE_MODELS_ARE = ("HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")


@app.callback()
def root() -> None:
    """Download models once, give them to all hosts, verify them."""


@app.command(cls=LeanCommand)
def ls(
    names: Names = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    output: options.AnswerOutput = "text",
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """List the models that the hosts have.

    Each revision with its size, whether all of its files are there with their full length, and on which hosts. This
    looks at Hugging Face's cache as the containers see it: in the node's own, or in one of the same image that is
    removed afterwards. What a model consists of is told by the hub's list where there is one, else by the index of its
    weights. `model verify` reads every byte.
    """
    from orchestrator.cli.output import json
    from orchestrator.cli.output.console import troubles
    from orchestrator.cli.output.models_table import show_caches
    from orchestrator.plan.actions.models import unasked

    cluster = inventory_file.load(None, file)
    nodes = inventory_file.selected(cluster, limit)
    checked = _checked(cluster, names)
    caches = _look(cluster, nodes, checked, options.RunOptions(jobs, verbose))
    problems = tuple(unasked(nodes, caches))
    if output == "json":
        json.show(json.models_answer(cluster.name, caches))
    else:
        show_caches(caches, checked)
    troubles((each.host, each.problem) for each in problems)
    raise typer.Exit(1 if problems else 0)


@app.command(cls=LeanCommand)
def verify(
    names: Names = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    drop: Annotated[
        bool,
        typer.Option("--drop", help="Remove the files that are damaged, so that they are downloaded again."),
    ] = False,
    output: options.AnswerOutput = "text",
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Read every byte of models, and compare the hashes.

    In the cache a file is called by its hash, and the hub's list has one, too; neither Hugging Face nor vLLM ever
    compares them. Asks no hub. Exit code 0: all is as it should be; 3: something is damaged or missing, or a
    model that you name is on none of the hosts; 1: a host could not be asked.
    """
    from orchestrator.cli.output import json
    from orchestrator.cli.output.console import troubles
    from orchestrator.cli.output.models_table import show_verified
    from orchestrator.cli.run.session import session
    from orchestrator.plan.facts.host import Unreachable
    from orchestrator.remote.observe.models import verify_models

    cluster = inventory_file.load(None, file)
    nodes, pace = inventory_file.selected(cluster, limit), options.RunOptions(jobs, verbose)
    checked = _checked(cluster, names)
    with session(cluster, "model verify", pace, logged=False) as run:
        found = verify_models(cluster, nodes, checked, run.fleet, run.tell, run.cancel, drop=drop)
    run.stop_if_interrupted()
    problems = {host: each for host, each in found.items() if isinstance(each, Unreachable)}
    verified = {host: each for host, each in found.items() if not isinstance(each, Unreachable)}
    bad = any(each.damage for held in verified.values() for each in held)
    there = {each.name for held in verified.values() for each in held}
    absent = not problems and not there.issuperset(checked)
    if output == "json":
        json.show(json.verify_answer(cluster.name, found, absent=absent))
    else:
        show_verified(verified, checked, dropped=drop)
    troubles(problems.items())
    raise typer.Exit(1 if problems else NOT_HEALTHY if bad or absent else 0)


@app.command(cls=LeanCommand)
def pull(
    name: Name,
    revision: Revision = "main",
    everything: Annotated[
        bool,
        typer.Option("--all", help="All of its files, also weights in other formats than safetensors."),
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="HOST",
            autocompletion=options.complete_hosts,
            help="Who downloads it. Default: the head.",
            show_default=False,
        ),
    ] = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    output: options.ActOutput = "text",
    verbose: options.Verbose = 0,
) -> None:
    """Download a model on one host, which gives it to the others.

    By the library of the cluster's image, into the cache that its containers have, with HF_TOKEN from the inventory's
    `secrets`. The other hosts, or those of -l, get it from that host, as by `model copy`. What has come is kept when it
    is interrupted; the hashes of all files are compared. What the model consists of is kept beside it, for `model ls`
    and `verify`.
    """
    from orchestrator.cli.run.model_operation import Wish, conclude, execute
    from orchestrator.plan.actions.models import TOKENS, plan_pull

    cluster = inventory_file.load(None, file)
    checked = _on_hub(cluster, name, revision)
    source = inventory_file.one(cluster, on, "--on") if on else cluster.head
    targets = inventory_file.selected(cluster, limit)
    secrets = inventory_file.secrets(cluster)
    token = next((each for each in secrets if each.name in TOKENS), None)
    first = plan_pull(cluster, source, checked, revision, token, everything=everything)
    pace = options.RunOptions(options.JOBS, verbose, output == "jsonl")
    brought = execute("model pull", cluster, Wish(checked, revision, source, targets, first), pace, secrets)
    words = (*_words(revision, limit), *(("--all",) if everything else ()), *given("--on", on))
    raise typer.Exit(conclude(brought, (*words, checked)))


@app.command(cls=LeanCommand)
def copy(
    name: Name,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="HOST|laptop",
            autocompletion=options.complete_hosts,
            help="Default: the head.",
            show_default=False,
        ),
    ] = None,
    revision: Revision = "main",
    via: options.Via = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    output: options.ActOutput = "text",
    verbose: options.Verbose = 0,
) -> None:
    """Copy a model from one host to those that lack it.

    MODEL is one in Hugging Face's cache, or a folder of any kind, by its path in the container. Each host passes on
    what it gets while it stores it; through this machine it goes only where hosts do not reach each other, or with
    --via laptop. Only what a host lacks is sent, also of a file that has come in part; hosts that share a file system
    get it once. Nobody sees a file before its hash was right, or the model before all of it is there.
    """
    from orchestrator.cli.run.model_operation import Wish, conclude, execute

    cluster = inventory_file.load(None, file)
    (checked,) = _checked(cluster, [name])
    if not checked.startswith("/"):
        _on_hub(cluster, name, revision)
    giver = _giver(cluster, source)
    targets = inventory_file.selected(cluster, limit)
    pace = options.RunOptions(options.JOBS, verbose, output == "jsonl")
    wish = Wish(checked, revision, giver, targets, via_laptop=via is not None)
    brought = execute("model copy", cluster, wish, pace)
    words = (*_words(revision, limit), *given("--from", source), *given("--via", via))
    raise typer.Exit(conclude(brought, (*words, checked)))


@app.command(cls=LeanCommand)
def rm(
    name: Name,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    output: options.ActOutput = "text",
    yes: options.Yes = False,
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Remove a model from the hosts.

    All of its revisions, and what of the blobs that models share no other has a link to. One that is served, open or
    being downloaded there is left alone, and named. On a terminal it asks first.
    """
    from orchestrator.cli.output.models_table import conclude_removal
    from orchestrator.cli.run.operation import NOTHING, execute
    from orchestrator.cli.run.prompt import confirm, named, somebody_there
    from orchestrator.plan.actions.models import held, plan_remove
    from orchestrator.plan.facts.host import Unreachable
    from orchestrator.plan.progress import size
    from orchestrator.remote.observe.models import cache_asker, look_at_models

    cluster = inventory_file.load(None, file)
    nodes = inventory_file.selected(cluster, limit)
    pace = options.RunOptions(jobs, verbose, output == "jsonl")
    (checked,) = _checked(cluster, [name])
    if checked.startswith("/"):
        inventory_file.refuse(f"{checked} is in no cache, and is yours to remove")
    if somebody_there() and not yes:
        there = _look(cluster, nodes, (checked,), options.RunOptions(jobs, verbose))
        having = {host: each.bytes for host, cache in there.items() if (each := held(cache, checked))}
        if having:
            largest = size(max(having.values()))
            confirm(f"Remove {checked} ({largest}) from {named(cluster, having)}?", given=False)
    caches: dict[str, Lookup] = {}

    def look(run: "Session", known: "Facts") -> "tuple[Facts, Report]":
        caches.update({name: each for name, each in known.items() if isinstance(each, Unreachable)})
        asked = tuple(node for node in nodes if node.name not in caches)
        caches.update(
            look_at_models(asked, cache_asker(cluster, (checked,), run.fleet, run.cancel), run.tell)
        )
        return {}, NOTHING

    done = execute("model rm", cluster, look, lambda _: plan_remove(cluster, nodes, checked, caches), pace)
    conclude_removal(done, checked)
    raise typer.Exit(done.exit_code)


def _giver(cluster: "Cluster", name: str | None) -> "Node":
    """The host that has it; or this machine, unless the inventory has a host called so."""
    if name is None:
        return cluster.head
    env = tuple((each, os.environ[each]) for each in WHERE_MODELS_ARE if each in os.environ)
    return inventory_file.this_machine(cluster, name, env) or inventory_file.one(cluster, name, "--from")


def _on_hub(cluster: "Cluster", name: str, revision: str) -> str:
    """A model of the hub; exit code 2 where it cannot be one."""
    from orchestrator.plan.facts.models import is_revision

    (checked,) = _checked(cluster, [name])
    if checked.startswith("/"):
        inventory_file.refuse(f"{checked} is a folder; the hub has ORG/NAME")
    if not is_revision(revision):
        inventory_file.refuse(f'--revision: "{revision}" is neither a branch, a tag nor a commit')
    return checked


def _words(revision: str, limit: str | None) -> tuple[str, ...]:
    return (*(("--revision", revision) if revision != "main" else ()), *limited(limit))


def _look(
    cluster: "Cluster", nodes: "tuple[Node, ...]", names: tuple[str, ...], pace: options.RunOptions
) -> "Caches":
    """What the hosts have; exit code 130 after Ctrl-C."""
    from orchestrator.cli.run.session import session
    from orchestrator.remote.observe.models import cache_asker, look_at_models

    with session(cluster, "model", pace, logged=False) as run:
        caches = look_at_models(nodes, cache_asker(cluster, names, run.fleet, run.cancel), run.tell)
    run.stop_if_interrupted()
    return caches


def _checked(cluster: "Cluster", names: list[str] | None) -> tuple[str, ...]:
    """The models as they were named; exit code 2 where one cannot be, or is a host."""
    from orchestrator.cli import usage
    from orchestrator.plan.facts.models import is_name, of_address

    for name in names or ():
        if (address := of_address(name)) is not None:
            model, revision = address
            words = ("--revision", revision) if revision and "revision" in usage.current().params else ()
            line = usage.meant(name, *words, model or "ORG/NAME")
            inventory_file.refuse(f"a model is named ORG/NAME, without an address: {line}")
        if any(node.name == name for node in cluster.nodes):
            line = usage.meant(name, "-l", name, "ORG/NAME")
            inventory_file.refuse(f"{name} is a host, and a model is named ORG/NAME: {line}")
        if name.startswith("/"):
            if ".." in name.split("/"):
                inventory_file.refuse(f"{name}: name the folder without `..`")
        elif not is_name(name):
            inventory_file.refuse(f'"{name}" is neither ORG/NAME nor the whole path of a folder')
    return tuple(dict.fromkeys(each.rstrip("/") or each for each in names or ()))
