"""`raycluster exec`: a command of one's own on the hosts, in their containers or outside of them."""

import shlex
from functools import partial
from itertools import dropwhile
from typing import Annotated, Any

import typer

from orchestrator.cli import options
from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.lazy import LeanCommand
from orchestrator.cli.run import inventory_file

Words = Annotated[
    list[str],
    typer.Argument(metavar="COMMAND", help="The command and its arguments.", show_default=False),
]


INTERACTIVE = ("bash", "sh", "zsh", "fish", "python", "python3", "ipython", "top", "htop", "nvtop")
TERMINAL = ("-it", "-ti", "-t", "--tty", "--interactive")


class Exec(LeanCommand):
    """`exec -it gpu1 bash`, as Docker has it: here a terminal is what `shell` is for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] in TERMINAL and not ctx.resilient_parsing:
            host, *words = [*dropwhile(lambda word: not word or word[0] == "-", args[1:])] or ["HOST"]
            words = words[words[:1] == ["--"] :]
            shell = not words or words[0].rpartition("/")[2] in INTERACTIVE
            line = f"raycluster shell {shlex.quote(host)}" if shell else _meant("-l", host, words)
            inventory_file.refuse(f"no such option: {args[0]} → {line}")
        return super().parse_args(ctx, args)


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(cls=Exec, context_settings={"allow_interspersed_args": False})
def exec_(
    words: Words,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    on_host: options.OnHost = False,
    output: options.AnswerOutput = "text",
    jobs: options.Jobs = options.JOBS,
) -> None:
    """Run a command in the containers.

    On all hosts, or those of -l, in parallel; equal output is shown once, under the hosts' names. On a single host
    the command reads standard input, and its output comes through as it is, at once.

    \b
      raycluster exec -- nvidia-smi -L
      raycluster exec -- bash -c 'nvidia-smi | head -4'
      raycluster exec -l head -- tar c -C /root/results . | tar x

    The arguments are passed on as they are, without a shell; for pipes and variables, call one, as in the second
    line. Ctrl-C ends the command on the hosts too. The exit code is the command's own, of several the largest; 125
    where no container runs, 255 where SSH failed.
    """  # noqa: D301 - the help needs the real character
    from secrets import token_hex

    from orchestrator.cli.output.console import answer, notice, write
    from orchestrator.cli.output.exec_output import show, show_json, show_troubles
    from orchestrator.cli.run.session import session
    from orchestrator.cli.run.stdin import standard_input
    from orchestrator.plan.actions.adhoc import plan_exec
    from orchestrator.remote.execute.adhoc import execute, execute_all
    from orchestrator.remote.execute.events import LookBegan

    first, behind = words[0], words[2:] if words[1:2] == ["--"] else words[1:]
    if first.endswith((".yaml", ".yml")):  # `exec inventory.yaml …`, as with the other commands
        inventory_file.refuse(f'"{first}" goes with -i: {_meant("-i", first, behind)}')
    cluster = inventory_file.load(None, file)
    if first in {node.name for node in cluster.nodes}:  # `exec gpu1 nvidia-smi`, as `docker exec` has it
        given = f"{limit},{first}" if limit else first
        inventory_file.refuse(f'"{first}" is a host, no command: {_meant("-l", given, behind)}')
    if words[1:2] == ["--"]:
        what = f"{first}: before the command stand only options, such as -i INVENTORY and -l HOSTS"
        raise typer.BadParameter(what, param_hint="COMMAND")
    nodes = inventory_file.selected(cluster, limit)
    alone = len(nodes) == 1
    live = alone and output == "text"
    mark = token_hex(16)
    planned = plan_exec(cluster, nodes, tuple(words), mark, on_host=on_host, stdin=alone)
    with (
        standard_input(read=alone) as stdin,
        session(cluster, "exec", options.RunOptions(jobs, 0), logged=False, shown=not live) as run,
    ):
        if not live:
            run.tell(LookBegan(tuple(job.host for job in planned), "Run the command", "running"))
            results = execute_all(planned, run.fleet, stdin, run.tell, run.cancel)
        else:
            (job,) = planned
            hear, complain = partial(write, answer()), partial(write, notice())
            results = (execute(job, run.fleet[job.host], stdin, hear, complain, run.cancel),)
    if output == "json":
        show_json(cluster, results)
    elif not live:
        show(results)
    show_troubles(results, words)
    raise typer.Exit(INTERRUPTED if run.cancel.is_set() else max(each.exit_code for each in results))


def _meant(option: str, value: str, command: list[str]) -> str:
    """The line with what belongs before the command, as an option."""
    from orchestrator.plan.command import Command

    at = command.index("--") if "--" in command else 0
    options = command[:at] if all(word.startswith("-") for word in command[:at]) else []
    own = command[at + 1 :] if options else command
    return Command(("raycluster", "exec", option, value, *options, "--", *(own or ["COMMAND"]))).shown()
