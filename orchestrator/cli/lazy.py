"""Commands that are imported when they are named: Click's lazy group, with Typer's functions.

https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
"""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from orchestrator.cli import usage

LIMIT = "limit"
"""The option that may be repeated: `-l gpu1 -l gpu2` is `-l gpu1,gpu2`."""


class _QuickValues:
    """A command that has Typer read only values that need it: its reader imports pydantic, a third of a start."""

    def get_params(self, ctx: typer.Context) -> list[Any]:
        """All of them: `--help` is none of the command's own."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            param.process_value = partial(_value, param)
        return params


def _value(param: Any, ctx: typer.Context, value: Any) -> Any:
    if ctx.resilient_parsing:
        return value
    if isinstance(value, list) and param.name == LIMIT:
        value = ",".join(value)
    if not _is_read(value, param.type_descriptor.annotation) or (param.required and value in (None, ())):
        return type(param).process_value(param, ctx, value)
    return param.callback(ctx, param, value) if param.callback else value


def _is_read(value: Any, annotation: Any) -> bool:
    """Whether it is what the function takes: nothing, a text where one is asked for, a known word, or a default."""
    if value is None or annotation in (str, list[str]):
        return True
    return value in get_args(annotation) or (isinstance(value, int) and isinstance(value, annotation))


class LeanCommand(_QuickValues, TyperCommand):  # type: ignore[misc]
    """A command. What it has no use for is refused in our words."""

    def make_parser(self, ctx: Any) -> Any:
        """Each -l adds to those before it."""
        parser = super().make_parser(ctx)
        if limit := parser._long_opt.get(f"--{LIMIT}"):  # noqa: SLF001 - an option that may be repeated is a list
            limit.action = "append"
        return parser

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        rest: list[str] = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise usage.too_many(ctx, rest)
        return rest


class LeanGroup(_QuickValues, TyperGroup):  # type: ignore[misc]
    """A group of commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        word, *rest = args
        if word[:1] != "-" and word not in self.commands and not ctx.resilient_parsing:
            raise usage.unknown_command(ctx, word, rest)
        return super().resolve_command(ctx, args)


def group(**settings: Any) -> typer.Typer:
    """A group of commands that shows its help where none of them is named."""
    settings |= {"cls": LeanGroup, "add_completion": False, "rich_markup_mode": None}
    return typer.Typer(no_args_is_help=True, **settings)


class LazyGroup(LeanGroup):
    """A group whose `table` says of each command where it is (`module:function`), and what it is for."""

    package: str
    table: Mapping[str, tuple[str, str]]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Their names, for lists and suggestions.
        self.commands = dict.fromkeys(self.table)  # type: ignore[assignment]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        found = getattr(import_module(f"{self.package}.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command(cmd_name, cls=LeanCommand)(found)
            found = app
        return typer.main.get_command(found)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            self.list_table(formatter)

    def list_table(self, formatter: Any) -> None:
        """A line for each."""
        formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])
