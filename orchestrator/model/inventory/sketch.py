"""What completion needs of an inventory: hosts and models, read without YAML's reader, whose import takes too long.

It knows the forms that people write. None for others: anchors, merges, texts over several lines.
"""

import re
from collections.abc import Iterator

from orchestrator.frozen import dataclass
from orchestrator.model.inventory.ranges import expand

_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#.*$")
_ODD = re.compile(r"(?m)^ *-[ \r]*$|<<[ \t]*:|(?:^|[-:,\[{])[ \t]*[&*!|>?%]|\t|^---")
_NESTED = re.compile(r":[ \t]*\{[^{}]*\}")
_ITEM = re.compile(
    r"(?m)\{(?P<flow>[^{}]*)\}|^(?P<indent> *)-(?P<gap> +)(?P<first>\w.*)(?P<rest>(?:\n(?P=indent) +.*|\n *$)*)"
)
_PAIR = re.compile(r"(?:^|,)\s*(\w+):\s*(\"[^\"]*\"|'[^']*'|[^,]*)")
_LINE = re.compile(r"(?m)^\s*(\w+):[ \t]*(.*)$")


@dataclass(frozen=True, slots=True)
class Sketch:
    """The head's name, the workers', and the models that the file names."""

    head: str
    workers: tuple[str, ...]
    models: tuple[str, ...]


def sketch(text: str) -> Sketch | None:
    """What a file seems to say; None where it takes a reader of YAML to know."""
    text = _COMMENT.sub("", text)
    if _ODD.search(text):
        return None
    try:
        heads = tuple(_names(_section(text, "head")))
        workers = tuple(_names(_section(text, "workers")))
    except ValueError:  # a range that is none
        return None
    models = tuple(filter(None, _models(_section(text, "serve"))))
    return Sketch(heads[0], workers, models) if len(heads) == 1 else None


def _section(text: str, key: str) -> str:
    """What stands under a key of the file's own map."""
    found = re.search(rf"(?m)^{key}:(.*(?:\n(?: .*|-.*|(?=\n)))*)", text)
    return _flat(found[1]) if found else ""


def _flat(body: str) -> str:
    """Without the maps in maps: `ssh: {user: x}`."""
    inner = body.find("{") + 1
    flat = _NESTED.sub(": ", body[inner:])
    return body[:inner] + flat


def _models(body: str) -> Iterator[str]:
    maps = list(_maps(body)) if body.lstrip().startswith(("-", "[")) else [_pairs(body)]
    yield from (each.get("model", "") for each in maps)


def _names(body: str) -> Iterator[str]:
    maps = list(_maps(body))
    for pairs in maps:
        yield from expand(pairs.get("name") or pairs["host"]) if "host" in pairs else ()
    if not maps and (pairs := _pairs(body)) and "host" in pairs:
        yield pairs.get("name") or pairs["host"]


def _maps(body: str) -> Iterator[dict[str, str]]:
    """The pairs of each item of a list."""
    for item in _ITEM.finditer(body):
        block = " " * (len(item["indent"] or "") + 1 + len(item["gap"] or ""))
        flow = item["flow"]
        yield _pairs(f"{{{flow}}}" if flow is not None else f"\n{block}{item['first']}{item['rest']}")


def _pairs(text: str) -> dict[str, str]:
    """The pairs of one map: between commas, or on lines of one indentation."""
    lines = [line for line in text.splitlines() if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    block = not text.lstrip().startswith("{")
    own = [line for line in lines if not block or len(line) - len(line.lstrip()) == margin]
    joined = ("\n" if block else " ").join(own).strip().removeprefix("{").removesuffix("}")
    return {key: value.strip().strip("\"'") for key, value in (_LINE if block else _PAIR).findall(joined)}
