"""`raycluster serve`: a model on the cluster, until it answers; what it does, what it says, its end."""

from difflib import get_close_matches
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import habits, options
from orchestrator.cli.exit_codes import NOT_HEALTHY
from orchestrator.cli.lazy import LeanCommand, LeanGroup
from orchestrator.cli.output import typed
from orchestrator.cli.run import inventory_file
from orchestrator.plan.command import Command

if TYPE_CHECKING:
    from orchestrator.cli.run.session import Session
    from orchestrator.model.cluster import Cluster, Model
    from orchestrator.plan.facts.host import Facts
    from orchestrator.plan.problem import Problem
    from orchestrator.plan.steps import Plan
    from orchestrator.remote.execute.events import Report

METAVAR = "MODEL"
COMMANDS = {"start", "status", "logs", "stop"}
"""The words that are no models."""


class ModelFirst(LeanGroup):
    """`serve MODEL` is short for `serve start MODEL`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["start", *args]
        if args[0] == "start":
            self._refuse_vllms_own(args[1:], set(ctx.help_option_names))
        return super().parse_args(ctx, args)

    def _refuse_vllms_own(self, words: list[str], helps: set[str]) -> None:
        """What only `vllm serve` knows would be no such option, and nobody would learn where it goes."""
        params: list[Any] = [
            each for each in self.commands["start"].params if each.param_type_name == "option"
        ]
        options = {name: each for each in params for name in each.opts}
        mine, theirs, rest, named = list[str](), list[str](), iter(words), False
        for word in takewhile("--".__ne__, rest):
            name = word.partition("=")[0]
            option = options.get(name) or options.get(name[:2])
            if option or name in helps or name in habits.NOT_VLLMS:
                takes_next = option and word in options and not (option.is_flag or option.count)
                mine += (word, *islice(rest, 1)) if takes_next else (word,)
            elif word[:1] == "-" != word or (theirs and "=" not in theirs[-1]):
                theirs.append(word)
            else:
                mine.append(word)
                named = True
        if theirs and theirs[0].partition("=")[0] in ("-m", "--model"):
            name, _, model = theirs[0].partition("=")
            line = Command(("raycluster", "serve", model or next(iter(theirs[1:]), METAVAR), *mine)).shown()
            inventory_file.refuse(f"no such option: {name} → {line}")
        if theirs:
            if not named and theirs[2:] and not any(word[:1] == "-" for word in theirs[-2:]):
                mine.append(theirs.pop())  # behind an option's value, as in `--port 8000 ORG/NAME`
            meant = Command(("raycluster", "serve", *mine, "--", *theirs, *rest)).shown()
            name = theirs[0].partition("=")[0]
            inventory_file.refuse(f"no such option: {name}\n→ vLLM's own come last, after --: {meant}")


app = typer.Typer(
    cls=ModelFirst,
    add_completion=False,
    rich_markup_mode=None,
    subcommand_metavar="MODEL [-- VLLM ARGS…] | COMMAND",
)


@app.callback()
def root() -> None:
    """Serve a model on the cluster.

    \b
    raycluster serve Qwen/Qwen3-32B
    raycluster serve Qwen/Qwen3-32B -- --max-model-len 32768
    raycluster serve                     the model of the inventory

    This is short for `serve start`; its options: raycluster serve start -h
    """  # noqa: D301 - the help needs the real character


@app.command(cls=LeanCommand)
def start(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar=METAVAR,
            autocompletion=options.complete_models,
            help="A name on Hugging Face, or a folder in the containers. Default: the inventory's.",
            show_default=False,
        ),
    ] = None,
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- VLLM ARGS", help="Further arguments of `vllm serve`.", show_default=False),
    ] = None,
    file: options.OnlyInventory = None,
    yes: Annotated[
        bool, typer.Option("-y", "--yes", help="Serve MODEL although it does not look like a model's name.")
    ] = False,
    output: options.ActOutput = "text",
    verbose: options.Verbose = 0,
) -> None:
    """Serve a model and wait until it answers.

    Sizes are chosen from the GPUs that Ray reports: tensor parallel within a host, pipeline parallel across hosts;
    what you give after -- wins. Done means that the server is healthy and the model has answered a request. It then
    runs without this machine; if it or its container ends, it is started again.
    """
    cluster = inventory_file.load(None, file)
    wanted = _model(cluster, model, tuple(args or ()), yes=yes)
    raise typer.Exit(serve(cluster, wanted, options.RunOptions(options.JOBS, verbose, output == "jsonl")))


@app.command(cls=LeanCommand)
def status(file: options.OnlyInventory = None, output: options.AnswerOutput = "text") -> None:
    """Show whether the model answers. Exit code 0: it does. 3: it does not, or none is served."""
    from orchestrator.cli.output import json
    from orchestrator.cli.output.serve_result import show_model, unserved
    from orchestrator.cli.output.status_table import as_told
    from orchestrator.cli.run.session import look
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.status.health import assess

    cluster = inventory_file.load(None, file)
    health = assess(cluster, look(cluster, "serve-status", Depth.RAY, options.RunOptions(options.JOBS, 0)))
    if output == "json":
        health = as_told(health)
        json.show(json.ServeAnswer(cluster.name, health.model, "" if health.model else unserved(health)))
    else:
        show_model(health)
    raise typer.Exit(0 if health.model and health.model.answers else NOT_HEALTHY)


@app.command(cls=LeanCommand)
def logs(
    file: options.OnlyInventory = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Follow the log until Ctrl-C.")] = False,
    limit: options.Limit = None,
    tail: Annotated[
        str, typer.Option("-n", "--tail", metavar="N", help="Only the last N lines, or all.")
    ] = "all",
) -> None:
    """Show vLLM's log since the last `serve`."""
    from orchestrator.cli.commands.logs import show, tail_of
    from orchestrator.plan import docker, engine
    from orchestrator.plan.logs.lines import FileLog

    cluster, lines = inventory_file.load(None, file), tail_of(tail)
    supervisors = engine.of(cluster).supervisors(cluster)
    chosen = [node for node in inventory_file.selected(cluster, limit) if node in supervisors]
    if not chosen:
        names = ", ".join(node.name for node in supervisors)
        inventory_file.refuse(f"--limit: vLLM's own log is on {names}")
    wanted = {node: FileLog(node, lines, docker.SERVER_LOGS) for node in chosen}
    raise typer.Exit(show(cluster, wanted, options.JOBS, follow=follow))


@app.command(cls=LeanCommand)
def stop(
    file: options.OnlyInventory = None, output: options.ActOutput = "text", verbose: options.Verbose = 0
) -> None:
    """Stop serving; the cluster stays."""
    from orchestrator.cli.output.serve_result import conclude_stop
    from orchestrator.cli.run.operation import execute, looking
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.serving.plan import plan_stop

    cluster, pace = (
        inventory_file.load(None, file),
        options.RunOptions(options.JOBS, verbose, output == "jsonl"),
    )
    done = execute("serve stop", cluster, looking(Depth.RAY), partial(plan_stop, cluster), pace)
    conclude_stop(done)
    raise typer.Exit(done.exit_code)


def serve(cluster: "Cluster", model: "Model", pace: options.RunOptions) -> int:
    """Serves it, and tells of it; the exit code."""
    from orchestrator.cli.output.serve_result import conclude
    from orchestrator.cli.run.operation import execute, looking
    from orchestrator.model.cluster import Model
    from orchestrator.model.secret import Secret
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.problem import HostProblem, Problem
    from orchestrator.plan.serving import arguments
    from orchestrator.plan.serving.plan import plan_serve, plan_unserve
    from orchestrator.plan.serving.presence import NOT_LOOKED_AT, is_looked_at, presence
    from orchestrator.plan.steps import Plan, Run
    from orchestrator.remote.observe.models import look_at_models

    if (
        cluster.pull_model
        and cluster.serve
        and model.name == cluster.serve.name
        and (code := _bring(cluster, pace))
    ):
        return code
    there = [NOT_LOOKED_AT]
    wanted: list[Model | Problem] = [model]

    def look(run: "Session", known: "Facts") -> "tuple[Facts, Report]":
        facts, before = looking(Depth.RAY)(run, known)
        wanted[:] = [_completed(run, facts, model)]
        if (
            isinstance(whole := wanted[0], Model)
            and is_looked_at(whole)
            and any(isinstance(each, Run) and each.starts for each in plan_serve(cluster, facts, whole))
        ):
            caches = look_at_models(cluster, cluster.nodes, (model.name,), run.fleet, run.tell, run.cancel)
            there[:] = [presence(whole, caches)]
        return facts, before

    def planner(facts: "Facts") -> "Plan":
        if isinstance(wanted[0], Problem):
            return Plan(f"serve {model.name}", refusals=(HostProblem(cluster.head.name, wanted[0]),))
        return plan_serve(cluster, facts, wanted[0], there[0])

    aftermath = partial(plan_unserve, cluster)
    key = Secret(
        "--api-key", arguments.read(model.args).value(arguments.API_KEY)
    )  # vLLM logs what it is told
    done = execute("serve", cluster, look, planner, pace, (key,), aftermath=aftermath)
    conclude(model, done)
    return done.exit_code


def _completed(run: "Session", facts: "Facts", model: "Model") -> "Model | Problem":
    """The model with its words as the image's vLLM reads them, where there are words and somebody to ask."""
    from orchestrator.plan.facts.containers import why_not_ready
    from orchestrator.plan.facts.host import Unreachable
    from orchestrator.plan.serving.completion import completed, unread
    from orchestrator.remote.observe.vllm_options import look_at_options

    cluster = run.cluster
    if not model.args or why_not_ready(cluster, cluster.head, facts[cluster.head.name]):
        return model
    options = look_at_options(cluster, model, run.fleet, run.tell, run.cancel)
    return unread(model, options) if isinstance(options, Unreachable) else completed(model, options)


def _bring(cluster: "Cluster", pace: options.RunOptions) -> int:
    """Brings the inventory's model to hosts that lack some of it, if any; the exit code."""
    from orchestrator.cli.run.model_operation import Wish, conclude, execute
    from orchestrator.cli.run.session import session
    from orchestrator.plan.actions.models import TOKENS, plan_pull
    from orchestrator.plan.serving.presence import presence, revision_of
    from orchestrator.remote.observe.models import look_at_models

    model = cluster.serve
    assert model  # noqa: S101 - there is no pulling without
    if "/" not in model.name or model.name.startswith("/"):
        inventory_file.refuse(f"serve: {model.name} is a folder, which `pull` cannot bring")
    with session(cluster, "model", pace, logged=False) as run:
        caches = look_at_models(cluster, cluster.nodes, (model.name,), run.fleet, run.tell, run.cancel)
    run.stop_if_interrupted()
    found = presence(model, caches)
    if found.offline or not found.lacking:
        return 0
    secrets = inventory_file.secrets(cluster)
    token = next((each for each in secrets if each.name in TOKENS), None)
    revision = revision_of(model)
    first = plan_pull(cluster, cluster.head, model.name, revision, token, everything=False)
    wish = Wish(model.name, revision, cluster.head, cluster.nodes, first)
    return conclude(execute("model pull", cluster, wish, pace, secrets), (model.name,))


def _model(cluster: "Cluster", name: str | None, args: tuple[str, ...], *, yes: bool) -> "Model":
    """What is asked for; the inventory's where it is not named, as in `serve -- --max-model-len 4096`."""
    from orchestrator.model.cluster import Model

    if name in COMMANDS:
        inventory_file.refuse(f'"{name}" goes first: {typed.line(f"serve {name}")}')
    if name and not name.startswith("-"):
        _refuse_address(name)
        own = cluster.serve and cluster.serve.name
        if not (yes or "/" in name or name[0] in ".~" or name == own):
            _make_sure(name, [] if args and args[0][:1] != "-" else [own or "Qwen/Qwen3-32B"])
        if args and args[0][:1] != "-":
            inventory_file.refuse(
                f'"{args[0]}" is too much: after MODEL come options of vLLM, as in -- --max-model-len 32768'
            )
        return Model(name, args)
    args = (name, *args) if name else args
    if cluster.serve is None:
        inventory_file.refuse(
            "no model: name one, as in `raycluster serve Qwen/Qwen3-32B`, or set `serve: {model: …}`"
        )
    return Model(cluster.serve.name, (*cluster.serve.args, *args))


def _refuse_address(name: str) -> None:
    """Exit code 2 for the address of a model's page."""
    from orchestrator.cli import usage

    scheme, _, page = name.partition("://")
    if scheme in ("http", "https", "hf"):
        parts = page.split("/") if scheme == "hf" else page.split("/")[1:]
        model = "/".join(parts[:2]) if parts[1:] else METAVAR
        inventory_file.refuse(f"a model is named ORG/NAME, without an address: {usage.meant(name, model)}")


def _make_sure(word: str, model: list[str]) -> None:
    """Returns if a word that looks like a command is a model after all: a person says so, a script with -y."""
    from orchestrator.cli import usage
    from orchestrator.cli.run.prompt import consent, somebody_there

    if word.upper() == METAVAR:
        inventory_file.refuse(f"{METAVAR} stands for the name of one: {usage.meant(word, *model)}")
    similar = get_close_matches(word, COMMANDS, 1, usage.SIMILAR)
    known = habits.IN_GROUPS["serve"].get(word, similar[0] if similar else None)
    look = "" if known is None else f" → raycluster serve {known}".rstrip()
    if somebody_there():
        consent(f'Serve a model called "{word}"?{look and f" Or was meant{look}?"}', given=False)
        return
    inventory_file.refuse(
        f'"{word}" is neither ORG/NAME nor a folder{look}; if it is a model: {usage.meant(word, "-y", word)}'
    )
