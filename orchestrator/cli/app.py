"""The `raycluster` program: its commands, and the one place where an error becomes an exit code."""

import os
import re
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from orchestrator import __version__
from orchestrator.cli import usage
from orchestrator.cli.lazy import LazyGroup
from orchestrator.cli.output import readers

COMMANDS = {
    "init": ("init:init", "Inspect machines over SSH and write an inventory of them."),
    "trust": ("trust:trust", "Show unknown host keys and record them after a yes."),
    "check": ("check:check", "Find what could make `up` or vLLM fail."),
    "up": ("up:up", "Start the cluster and wait until Ray lists every host."),
    "status": ("status:status", "Show the state of every host and one verdict."),
    "logs": ("logs:logs", "Show the logs of all containers, merged by time."),
    "serve": ("serve:app", "Serve a model on the cluster."),
    "exec": ("exec:app", "Run a command in the containers."),
    "shell": ("shell:shell", "Open a shell in a container."),
    "dashboard": ("dashboard:dashboard", "Open Ray's dashboard in the browser, through SSH."),
    "metrics": ("metrics:metrics", "Print Ray's scrape targets for Prometheus."),
    "restart": ("restart:restart", "Restart all or some hosts and wait until Ray lists them."),
    "down": ("down:down", "Stop the cluster and verify that its containers are gone."),
    "pull": ("pull:pull", "Pull the image on all hosts and verify that it is the same."),
    "image": ("image:app", "Copy an image to hosts without a registry."),
    "model": ("model:app", "Download models once, give them to all hosts, verify them."),
    "ls": ("ls:ls", "List the inventories that were used here."),
    "add": ("add:add", "Add machines to the inventory."),
    "remove": ("remove:remove", "Remove workers from the inventory."),
    "lock": ("lock:app", "Show which run holds the lock, or end one that is stuck."),
    "config": ("config:app", "Show and check an inventory; contacts nobody."),
}
"""In the order in which one uses them."""


FIRST_LINES = """\
Turn a YAML list of GPU machines into a running Ray cluster for vLLM, over SSH.
Start here: raycluster init HOST HOST…       More: raycluster [COMMAND] -h

"""

EXIT_CODES = """
Exit codes:
  0    done; or healthy
  1    something failed on at least one host
  2    usage or inventory; nothing was contacted
  3    status, check: not healthy; serve status: no answer; model verify: damage
  4    another run holds the cluster's lock
  130  interrupted
  141  nobody reads on, as in `raycluster status | head`

exec and shell pass on the command's own; 125: no container runs, 255: SSH failed.
"""


class Root(LazyGroup):
    """`raycluster` itself."""

    package = "orchestrator.cli.commands"
    table = COMMANDS

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        self.words = list(args)
        with usage.told_plainly(self, self.words):
            return super().make_context(info_name, self._in_order(self.words), parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with usage.told_plainly(self, self.words):
            usage.refuse_pasted_dashes(ctx, self.words)
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """All of it; of `raycluster` alone so much as a terminal of 24 lines has room for."""
        if self.words:
            super().format_help(ctx, formatter)
            return
        formatter.write(FIRST_LINES)
        self.list_table(formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """As it stands, for most know it."""
        if self.words:
            formatter.write(EXIT_CODES)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """After the commands, which most look for."""
        self.format_commands(ctx, formatter)
        TyperCommand.format_options(self, ctx, formatter)  # type: ignore[arg-type]

    def _in_order(self, args: list[str]) -> list[str]:
        """`help up` as `up --help`, `version` as `--version`, and `-i FILE`, `-v` after the command."""
        match args:
            case ["version"]:
                return ["--version"]
            case ["help", *words]:
                return [*words, "--help"]
        moved, words = list[str](), list(args)
        while words and re.fullmatch("-i.*|--inventory(=.*)?|-v+|--verbose", words[0]):
            moved.append(words.pop(0))
            if moved[-1] in ("-i", "--inventory") and words:
                moved.append(words.pop(0))
        if not moved or not words or words[0][:1] == "-":
            return list(args)
        group = getattr(self.get_command(None, words[0]), "commands", {})
        at = 2 if words[1:2] and words[1] in group else 1
        return [*words[:at], *moved, *words[at:]]


app = typer.Typer(
    name="raycluster",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"raycluster {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("-V", "--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turn a YAML list of GPU machines into a running Ray cluster for vLLM, from a laptop, over SSH.

    What it says is true: `up` succeeds only when Ray itself lists every host, `down` only when the
    containers are seen to be gone.
    """


def main() -> None:
    """Run the command line. Output that cannot be written, as on a full disk, is told in a line."""
    _reopen_closed()
    _write_whatever_is_known()
    readers.install()
    try:
        app(prog_name="raycluster")
    except BrokenPipeError:
        pass
    except OSError as error:
        from orchestrator.cli.output.console import printable

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what waits there would fail once more, at the very end
        sys.exit(printable(f"raycluster: {error}"))
    finally:
        readers.end()


def _write_whatever_is_known() -> None:
    """What a terminal's encoding does not have, as GBK has no tick, is shown as a question mark, and ends nothing."""
    for stream in (getattr(sys, name) for name in ("stdout", "stderr")):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")


def _reopen_closed() -> None:
    """Streams that the caller has closed lead nowhere; else the next connection would get the number of one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the end
