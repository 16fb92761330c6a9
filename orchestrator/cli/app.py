"""The `raycluster` program: its commands, and the one place where an error becomes an exit code."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.models import CommandInfo, TyperInfo

from orchestrator import __version__
from orchestrator.cli.commands import config, image, lock, serve
from orchestrator.cli.commands.check import check
from orchestrator.cli.commands.dashboard import dashboard
from orchestrator.cli.commands.down import down
from orchestrator.cli.commands.exec import exec_
from orchestrator.cli.commands.init import init
from orchestrator.cli.commands.logs import logs
from orchestrator.cli.commands.metrics import metrics
from orchestrator.cli.commands.pull import pull
from orchestrator.cli.commands.restart import restart
from orchestrator.cli.commands.shell import shell
from orchestrator.cli.commands.status import status
from orchestrator.cli.commands.trust import trust
from orchestrator.cli.commands.up import up
from orchestrator.cli.typer_lazy import Commands, lighten


def _commands(*functions: Callable[..., None]) -> list[CommandInfo]:
    return [CommandInfo(each.__name__, callback=each) for each in functions]


COMMANDS = Commands(
    *_commands(init, trust, check, up, status, logs),
    TyperInfo(serve.app, name="serve"),
    CommandInfo("exec", callback=exec_, context_settings={"allow_interspersed_args": False}),
    *_commands(shell, dashboard, metrics, restart, down, pull),
    TyperInfo(image.app, name="image"),
    TyperInfo(lock.app, name="lock"),
    TyperInfo(config.app, name="config"),
)
"""In the order in which one uses them."""


class Root(TyperGroup):
    """`raycluster` itself."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings | {"commands": COMMANDS})
        lighten(self)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        COMMANDS.described().format_commands(ctx, formatter)


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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turn a YAML list of GPU machines into a running Ray cluster for vLLM, from a laptop, over SSH.

    What it says is true: `up` succeeds only when Ray itself lists every host, `down` only when the
    containers are seen to be gone.

    \b
    Exit codes:
      0    done; or healthy
      1    something failed on at least one host
      2    usage or inventory; nothing was contacted
      3    status, check: not healthy; serve status: no answer
      4    another run holds the cluster's lock
      130  interrupted

    exec and shell pass the command's own on; 125 where no container runs, 255 where SSH failed.
    """  # noqa: D301 - the help needs the real character


def main() -> None:
    """Run the command line. Output that cannot be written, as on a full disk, is told in a line."""
    _reopen_closed()
    try:
        app(prog_name="raycluster")
    except OSError as error:
        from orchestrator.cli.output.console import printable

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what waits there would fail once more, at the very end
        sys.exit(printable(f"raycluster: {error}"))


def _reopen_closed() -> None:
    """Streams that the caller has closed lead nowhere; else the next connection would get the number of one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the end
