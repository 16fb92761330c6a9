"""`@dataclass(frozen=True, slots=True)`, ready sooner: a class gets its `__init__` when its first instance is made.

The standard library compiles five methods for each class as it is imported. A command imports some 150 such classes and
uses a few dozens; to compile all took a sixth of its start. `fields`, `replace`, `asdict`, `copy` and `match` work as
usual; there is no `__post_init__`.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, Literal, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")

_SET = object.__setattr__


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *,
    frozen: Literal[True],  # noqa: ARG001 - as the standard library writes it, for readers and type checkers
    slots: bool = False,
    kw_only: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Makes the class a frozen dataclass, with slots where they are asked for."""

    def decorate(cls: Any) -> Any:
        if hasattr(cls, "__post_init__"):
            raise TypeError(f"{cls.__qualname__}: __post_init__ would never be called")
        own = {name for name, value in vars(cls).items() if value is not None}
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
        made.__init__ = _first(made)
        made.__setattr__ = made.__delattr__ = _refuse
        made.__setstate__ = _restore
        for name, method in (("__repr__", _repr), ("__eq__", _eq), ("__hash__", _hash)):
            if name not in own:
                setattr(made, name, method)
        return made

    return decorate


def _first(cls: Any) -> Callable[..., None]:
    def __init__(self: object, *args: Any, **named: Any) -> None:  # noqa: N807
        cls.__init__ = _compiled(fields(cls))
        cls.__init__(self, *args, **named)

    return __init__


def _compiled(all_fields: tuple[Field[Any], ...]) -> Any:
    known: dict[str, Any] = {"_set": _SET, "MISSING": MISSING}
    parameters: dict[bool, list[str]] = {False: [], True: []}
    lines = ["def __init__(self{}):", " pass"]
    for each in all_fields:
        name, value = each.name, each.name
        default = ""
        if each.default_factory is not MISSING:
            known[f"_new_{name}"] = each.default_factory
            default, value = "=MISSING", f"_new_{name}() if {name} is MISSING else {name}"
        elif each.default is not MISSING:
            known[f"_default_{name}"] = each.default
            default = f"=_default_{name}"
        if each.init:
            parameters[bool(each.kw_only)].append(f", {name}{default}")
        else:
            value = f"_new_{name}()" if default == "=MISSING" else default[1:]
        lines.append(f" _set(self, {name!r}, {value})")
    listed = "".join([*parameters[False], *([", *", *parameters[True]] if parameters[True] else [])])
    exec("\n".join(lines).replace("{}", listed, 1), known)  # noqa: S102 - as the standard library does
    return known["__init__"]


@cache
def _reader(cls: Any) -> Callable[[Any], Any]:
    names = [each.name for each in fields(cls) if each.compare]
    return attrgetter(*names) if names else lambda _: None


def _values(self: Any) -> Any:
    return _reader(self.__class__)(self)


def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    return _values(self) == _values(other) if self.__class__ is other.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: object, name: str, *_value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot change {name!r} of a {type(self).__name__}")


def _restore(self: object, state: Any) -> None:
    """After `copy` and `pickle`: without slots the state is a map, with them a pair whose second is one."""
    for name, value in (state[1] if isinstance(state, tuple) else state).items():
        _SET(self, name, value)
