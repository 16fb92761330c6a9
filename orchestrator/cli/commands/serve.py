"""`raycluster serve`: a model on the cluster, until it answers; what it does, what it says, its end."""

from difflib import get_close_matches
from functools import partial
from itertools import islice, takewhile
from typing import Annotated, Any

import typer

from orchestrator.cli import habits, options
from orchestrator.cli.commands.serve_bench import bench
from orchestrator.cli.exit_codes import NOT_HEALTHY
from orchestrator.cli.lazy import LeanCommand, LeanGroup
from orchestrator.cli.run import inventory_file
from orchestrator.cli.run.serving.wanted import METAVAR, Typed, models
from orchestrator.plan.command import Command

LIKELY = 0.8
"""How near an option of ours has to be to one that may be vLLM's: more than its `--host` is to `--port`."""


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
        mine, theirs, rest = self._parted(words, helps)
        if not theirs:
            return
        name, _, model = theirs[0].partition("=")
        if name in ("-m", "--model"):
            line = Command(("raycluster", "serve", model or next(iter(theirs[1:]), METAVAR), *mine)).shown()
            inventory_file.refuse(f"no such option: {name} → {line}")
        if near := get_close_matches(name, [each for each in self._options() if each[2:]], 1, LIKELY):
            words = [near[0] + word[len(name) :] if word == theirs[0] else word for word in words]
            mine, theirs, rest = self._parted(words, helps)
        meant = Command(
            ("raycluster", "serve", *mine, *(("--", *theirs, *rest) if theirs or rest else ()))
        ).shown()
        arrow = " →" if near else "\n→ vLLM's own come last, after --:"
        inventory_file.refuse(f"no such option: {name}{arrow} {meant}")

    def _options(self) -> dict[str, Any]:
        """Those of `serve start`, by each of their names."""
        params: list[Any] = self.commands["start"].params
        return {name: each for each in params if each.param_type_name == "option" for name in each.opts}

    def _parted(self, words: list[str], helps: set[str]) -> tuple[list[str], list[str], list[str]]:
        """The words of ours, vLLM's among them, and what comes after `--`."""
        options = self._options()
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
        if not named and theirs[2:] and not any(word[:1] == "-" for word in theirs[-2:]):
            mine.append(theirs.pop())  # behind an option's value, as in `--port 8000 ORG/NAME`
        return mine, theirs, [*rest]


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
    raycluster serve Qwen/Qwen3-8B --gpus 4     beside another
    raycluster serve                            the models of the inventory

    This is short for `serve start`; its options: raycluster serve start -h
    """  # noqa: D301 - the help needs the real character


@app.command(cls=LeanCommand)
def start(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar=METAVAR,
            autocompletion=options.complete_models,
            help="A name on Hugging Face, a folder in the containers, or a `name` of the inventory's. "
            "Default: the inventory's, all of them.",
            show_default=False,
        ),
    ] = None,
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- VLLM ARGS", help="Further arguments of `vllm serve`.", show_default=False),
    ] = None,
    file: options.OnlyInventory = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What its server is called here. Default: the end of the model's name.",
            show_default=False,
        ),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="How many GPUs in all. Default: all that are free.", show_default=False
        ),
    ] = None,
    limit: options.Limit = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="P",
            min=1,
            max=65535,
            help="The port of its API. Default: the first free one from 8000.",
            show_default=False,
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show sizes and memory, and whether it fits; start nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Start it although it does not fit, or cannot be had.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("-y", "--yes", help="Serve MODEL although it does not look like a model's name.")
    ] = False,
    output: options.ServeOutput = "text",
    verbose: options.Verbose = 0,
) -> None:
    """Serve a model, beside others, and wait until it answers.

    Sizes are chosen for the GPUs that are free: tensor parallel within a host, pipeline parallel across hosts; what
    you give after -- wins. Done means that the server is healthy and the model has answered a request. It then runs
    without this machine; if it or its container ends, it is started again.

    A model that does not fit the GPUs' memory is refused before anything starts, with what would make it fit. --plan
    shows what each GPU would hold; exit code 1: it does not fit.
    """
    from orchestrator.cli.run.serving.serve import serve

    if output == ("jsonl" if plan else "json"):
        raise typer.BadParameter("json goes with --plan, and jsonl does not", param_hint="-o")
    cluster = inventory_file.load(None, file)
    wanted = models(cluster, model, tuple(args or ()), Typed(name, gpus, limit, port), yes=yes)
    pace = options.RunOptions(options.JOBS, verbose, output == "jsonl")
    if plan:
        from orchestrator.cli.run.serving.preview import preview

        raise typer.Exit(preview(cluster, wanted, pace, as_json=output == "json"))
    raise typer.Exit(serve(cluster, wanted, pace, force=force))


@app.command(cls=LeanCommand)
def status(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=options.complete_servers,
            help="The name of one server, or its model's. Default: all.",
            show_default=False,
        ),
    ] = None,
    file: options.OnlyInventory = None,
    output: options.AnswerOutput = "text",
) -> None:
    """Show whether the models answer. Exit code 0: all do. 3: not so, or a host could not be asked."""
    from orchestrator.cli.output import json
    from orchestrator.cli.output.serve_result import of_name, show_models, untold
    from orchestrator.cli.output.status_table import as_told
    from orchestrator.cli.run.session import look
    from orchestrator.plan.facts.containers import untold_hosts
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.status.health import assess

    cluster = inventory_file.load(None, file)
    facts = look(cluster, "serve-status", Depth.RAY, options.RunOptions(options.JOBS, 0))
    health, hidden = of_name(assess(cluster, facts), untold_hosts(cluster, facts), name)
    if output == "json":
        told = as_told(health)
        json.show(json.ServeAnswer(cluster.name, told.models, untold(told, hidden)))
    else:
        show_models(health, hidden)
    good = health.models and not hidden and all(each.answers for each in health.models)
    raise typer.Exit(0 if good else NOT_HEALTHY)


@app.command(cls=LeanCommand)
def logs(
    name: options.ServerName = None,
    file: options.OnlyInventory = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Follow the log until Ctrl-C.")] = False,
    limit: options.Limit = None,
    tail: Annotated[
        str, typer.Option("-n", "--tail", metavar="N", help="Only the last N lines, or all.")
    ] = "all",
) -> None:
    """Show vLLM's log since the last `serve`, also after `stop`."""
    from orchestrator.cli.commands.logs import show, tail_of
    from orchestrator.cli.output.console import failed, notice
    from orchestrator.cli.output.typed import line
    from orchestrator.cli.run.session import look
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.logs.lines import FileLog
    from orchestrator.plan.problem import HostProblem
    from orchestrator.plan.serving.logs import find_log

    cluster, lines = inventory_file.load(None, file), tail_of(tail)
    chosen = inventory_file.selected(cluster, limit)
    facts = look(cluster, "serve-logs", Depth.RAY, options.RunOptions(options.JOBS, 0))
    found = find_log(cluster, facts, name or "")
    if isinstance(found, HostProblem):
        failed(found.host, found.problem)
    nodes = [node for node in chosen if node.name in found.hosts]
    if not nodes:
        inventory_file.refuse(f"--limit: vLLM's own log is on {', '.join(found.hosts)}")
    if found.others:
        others, one = ", ".join(found.others), line("serve logs", found.others[0])
        last = f"! this is the log of {found.name}, which was stopped last"
        notice().print(f"{last}; there are also those of {others} → {one}", style="yellow")
    wanted = {node: FileLog(node, lines, found.folder) for node in nodes}
    raise typer.Exit(show(cluster, wanted, options.JOBS, follow=follow))


app.command("bench", cls=LeanCommand)(bench)


@app.command(cls=LeanCommand)
def stop(
    name: options.ServerName = None,
    file: options.OnlyInventory = None,
    everything: Annotated[bool, typer.Option("--all", help="Stop all that is served.")] = False,
    output: options.ActOutput = "text",
    verbose: options.Verbose = 0,
) -> None:
    """Stop serving a model; others, and the cluster, stay."""
    from orchestrator.cli.output.serve_result import conclude_stop
    from orchestrator.cli.run.operation import execute, looking
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.serving.plan import plan_stop

    if name and everything:
        from orchestrator.cli.output.typed import line

        inventory_file.load(None, file)
        one, everyone = line("serve stop", name), line("serve stop", "--all")
        inventory_file.refuse(f"{name} and --all contradict each other: `{one}`, or `{everyone}`")
    cluster = inventory_file.load(None, file)
    pace = options.RunOptions(options.JOBS, verbose, output == "jsonl")
    planner = partial(plan_stop, cluster, name=name or "", everything=everything)
    done = execute("serve stop", cluster, looking(Depth.RAY), planner, pace)
    conclude_stop(done, name or "", everything=everything)
    raise typer.Exit(done.exit_code)
