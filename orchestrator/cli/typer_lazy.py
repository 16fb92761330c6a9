"""The commands of a group, each built when it is named: to build all of them takes a tenth of `raycluster --help`.

It is made with what Typer's own `get_command` calls, which is not part of its documentation.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from inspect import getdoc
from typing import Any

from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info, get_group_from_info, solve_typer_info_help
from typer.models import CommandInfo, TyperInfo


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


Info = CommandInfo | TyperInfo
"""What a command is made of: a function, or a group of further commands."""


class Commands(Mapping[str, Any]):
    """By name, in the order in which they are listed."""

    def __init__(self, *infos: Info) -> None:
        self._infos = {str(info.name): info for info in infos}

    def __getitem__(self, name: str) -> Any:
        return _built(self._infos[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def described(self) -> TyperGroup:
        """Only what each is called and what it is for, which is all that a list of them needs."""
        return TyperGroup(
            commands={name: TyperCommand(name, help=_help(info)) for name, info in self._infos.items()}
        )


def _help(info: Info) -> str | None:
    return solve_typer_info_help(info) if isinstance(info, TyperInfo) else getdoc(info.callback)


@cache
def _built(info: Info) -> Any:
    made: Any = _group(info) if isinstance(info, TyperInfo) else _command(info)
    for each in (made, *getattr(made, "commands", {}).values()):
        lighten(each)
    return made


def _command(info: CommandInfo) -> object:
    return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)


def _group(info: TyperInfo) -> object:
    return get_group_from_info(
        info, pretty_exceptions_short=False, suggest_commands=True, rich_markup_mode=None
    )
