"""What the inventory's format is made of: values, lists, maps, and sections with keys of their own.

Each reads what is written, notes every fault with its path, and describes itself as JSON Schema.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from keyword import iskeyword
from typing import Any, ClassVar, Generic, NoReturn, Protocol, Self, TypeVar

from orchestrator.frozen import dataclass
from orchestrator.model.inventory.mistakes import Fault, Path, did_you_mean, quoted

Schema = dict[str, Any]
T = TypeVar("T")

_MOST = 1000  # faults with a suggestion; nobody reads more, and each takes its time
_MOST_WORDS = 4


class Kind(Protocol):
    """What a key or an item may hold."""

    def read(self, written: object, path: Path, faults: list[Fault]) -> Any:
        """The value; None where there are faults."""

    def schema(self) -> Schema: ...


class Value(Generic[T]):
    """A kind of text. `check` returns what it stands for, or raises a ValueError that says what is wrong.

    An editor's YAML decides types, ours does not: it reads `port: 22` as a number and `port: "22"` as text, and
    both are good. A schema never refuses what its check takes; it takes more where JSON Schema cannot say it all.
    """

    def __init__(self, check: Callable[[object], T], **schema: Any) -> None:
        self._check, self._schema = check, schema

    def __call__(self, written: object) -> T:
        return self._check(written)

    def read(self, written: object, path: Path, faults: list[Fault]) -> T | None:
        try:
            return self._check(written)
        except ValueError as wrong:
            faults.append(Fault(path, str(wrong)))
            return None

    def schema(self) -> Schema:
        return self._schema


def value(**schema: Any) -> Callable[[Callable[[object], T]], Value[T]]:
    """Makes a check a `Value`."""
    return lambda check: Value(check, **schema)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; an item that cannot be read is empty in it, so that the others keep their indexes."""

    item: Kind
    unique: bool = False

    def read(self, written: object, path: Path, faults: list[Fault]) -> tuple[Any, ...] | None:
        if not isinstance(written, list):
            faults.append(Fault(path, _no_list(written, getattr(self.item, "example", ""))))
            return None
        read = (self.item.read(each, (*path, i), faults) for i, each in enumerate(written))
        return tuple("" if each is None else each for each in read)

    def schema(self) -> Schema:
        unique = {"uniqueItems": True} if self.unique else {}
        return {"type": "array", "items": self.item.schema()} | unique


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map whose keys are the user's."""

    key: Value[str]
    value: Value[str]

    def read(self, written: object, path: Path, faults: list[Fault]) -> dict[str, str] | None:
        if not isinstance(written, dict):
            faults.append(Fault(path, _no_map(_as_map(written), written)))
            return None
        named: list[Fault] = []
        read = {
            self.key.read(key, (*path, key), named): self.value.read(each, (*path, key), faults)
            for key, each in written.items()
        }
        faults += (Fault(fault.path, fault.message, at_key=True) for fault in named)
        return {key: each for key, each in read.items() if key is not None and each is not None}

    def schema(self) -> Schema:
        known = {self.key.schema()["pattern"]: self.value.schema()}
        return {"type": "object", "patternProperties": known, "additionalProperties": False}


class Key:
    """What a section has under a key: the attribute is None where nothing is written."""

    def __init__(self, kind: Kind, description: str, *, required: bool) -> None:
        self.kind, self.description, self.required = kind, description, required

    def __get__(self, section: object, _: object) -> Self | None:
        return self if section is None else None


def entry(kind: Kind, description: str, *, required: bool = False) -> Any:
    """A `Key` to us, the value to type checkers. One that is required is None only beside a fault."""
    return Key(kind, description, required=required)


class Section:
    """A map with keys of its own, which does not change. `example` is shown to whoever wrote something else."""

    example: ClassVar[str]

    def __init__(self, **written: object) -> None:
        vars(self).update(written)

    def __setattr__(self, name: str, _: object) -> NoReturn:
        raise AttributeError(f"{name} is as it is written")

    @classmethod
    @cache
    def entries(cls) -> Mapping[str, Key]:
        """By the keys as they are written: `from`, which no attribute can be called, is `from_`."""
        named = [pair for base in reversed(cls.__mro__) for pair in vars(base).items()]
        return {name.rstrip("_"): each for name, each in named if isinstance(each, Key)}

    @classmethod
    def elsewhere(cls) -> Mapping[str, str]:
        """Where keys belong that are none of this section's."""
        return {}

    @classmethod
    def read(cls, written: object, path: Path, faults: list[Fault]) -> Self | None:
        if not isinstance(written, dict):
            faults.append(Fault(path, _no_map(cls.example, written)))
            return None
        known = cls.entries()
        unknown = [each for each in written if each not in known][:_MOST]
        told = {each: _unknown_key(each, known, cls.elsewhere()) for each in unknown}
        strange = [each for each in unknown if not told[each]]
        for each in unknown:
            if len(faults) < _MOST:
                keys = f"; the keys here are {', '.join(known)}" if each in strange[:1] else ""
                faults.append(
                    Fault((*path, each), told[each] or f"unknown key {quoted(each)}{keys}", at_key=True)
                )
        read = {}
        for name, each in known.items():
            if each.required and name not in written:
                if not any(did_you_mean(word, [name]) for word in unknown):  # else it is only mistyped
                    faults.append(
                        Fault((*path, name), f"required key {quoted(name)} is missing", at_key=True)
                    )
            elif each.required or written.get(name) is not None:  # `env:` with nothing after it is no `env`
                read[name] = each.kind.read(written[name], (*path, name), faults)
        return cls(**{f"{name}_" if iskeyword(name) else name: each for name, each in read.items()})

    def given(self) -> dict[str, Any]:
        """What is written, without what is not."""
        return {name: written for name, written in vars(self).items() if written is not None}

    @classmethod
    def schema(cls) -> Schema:
        return {"$ref": f"#/$defs/{cls.__name__}"}

    @classmethod
    def definition(cls, defaults: Mapping[str, object]) -> Schema:
        """What `schema` refers to."""
        properties = {
            name: {"description": each.description}
            | (each.kind.schema() if each.required else _or_null(each.kind.schema()))
            | ({"default": defaults[name]} if name in defaults else {})
            for name, each in cls.entries().items()
        }
        required = [name for name, each in cls.entries().items() if each.required]
        made = {"type": "object", "description": cls.__doc__, "properties": properties}
        return made | ({"required": required} if required else {}) | {"additionalProperties": False}


def _or_null(schema: Schema) -> Schema:
    """The same for a key that may be left empty."""
    match schema:
        case {"type": kind, **rest}:
            return rest | {"type": [*(kind if isinstance(kind, list) else [kind]), "null"]}
        case {"enum": words}:
            return {"enum": [*words, None]}
        case {"anyOf": several}:
            return {"anyOf": [*several, {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


def kind_of(written: object) -> str:
    """What a wrong value is, for the end of a message."""
    match written:
        case dict():
            return "a map"
        case list():
            return "a list"
        case str():
            return quoted(written)
    return "nothing"


HABITS = {"hostname": "host", "address": "host", "server": "host", "hosts": "workers", "nodes": "workers"}
"""Keys as other tools have them → ours."""


def _unknown_key(key: str, known: Mapping[str, Key], elsewhere: Mapping[str, str]) -> str:
    """What is wrong with it, where it is known what was meant."""
    if home := elsewhere.get(key):
        return f"{quoted(key)} {home}"
    ours = HABITS.get(key, "")
    hint = f'; did you mean "{ours}"?' if ours in known else did_you_mean(key, known)
    return hint and f"unknown key {quoted(key)}{hint}"


def _no_map(example: str, written: object) -> str:
    return f"should be a map{f' such as {example}' if example else ''}, not {kind_of(written)}"


def _as_map(written: object) -> str:
    """How to write `[NAME=value]` as the map it was meant to be."""
    pairs = [str(each).partition("=") for each in (written if isinstance(written, list) else [written])]
    if not 0 < len(pairs) <= _MOST_WORDS or not all(
        re.fullmatch(r"\w+", name) and sign for name, sign, _ in pairs
    ):
        return ""
    return "{" + ", ".join(f"{name}: {quoted(value)}" for name, _, value in pairs) + "}"


def _no_list(written: object, example: str = "") -> str:
    if isinstance(written, dict):
        return 'should be a list, not a map; start each item with "- "'
    if example:
        return f"should be a list such as [{example}], not {kind_of(written)}"
    return f"should be a list{_as_list(written)}, not {kind_of(written)}"


def _as_list(written: object) -> str:
    """How to write a text as the list it was meant to be."""
    try:
        words = shlex.split(written) if isinstance(written, str) else []
    except ValueError:
        return ""
    return f" such as [{', '.join(map(quoted, words))}]" if 0 < len(words) <= _MOST_WORDS else ""
