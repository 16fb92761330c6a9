"""What Typer need not read of a command line.

To read a value of the command line, newer Typers (0.29, for one) import pydantic, which takes longer than all of
Typer. What nobody has written needs no reading, nor does a line that is still being typed. It is None then, also where
Typer has an empty tuple.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from typer import Context
from typer.core import TyperCommand, TyperGroup


def lighten(command: TyperCommand | TyperGroup) -> None:
    """Spare the command the values that need no reading."""
    command.get_params = partial(_lightened, command.get_params)  # type: ignore[method-assign]


def _lightened(params: Callable[[Context], list[Any]], ctx: Context) -> list[Any]:
    """All of them: `--help` is none of the command's own."""
    for param in (known := params(ctx)):
        param.process_value = partial(_processed, param)
    return known


def _processed(param: Any, ctx: Context, value: object) -> object:
    if ctx.resilient_parsing:
        return value
    if value is not None or param.required:
        return type(param).process_value(param, ctx, value)
    return param.callback(ctx, param, None) if param.callback else None
