"""Hypothesis makes the files: a sound inventory, damaged in its structure, its text or its bytes."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

EXAMPLE = (Path(__file__).parents[2] / "inventory.example.yaml").read_text()
SOUND: dict[str, Any] = yaml.load(EXAMPLE, yaml.BaseLoader)
SMALL: dict[str, Any] = {"cluster": "demo", "image": "vllm", "head": {"host": "gpu1", "ip": "10.0.0.1"}}

At = tuple[str | int, ...]


def places(data: Any, at: At = ()) -> Iterator[At]:
    """The path of every key and item."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield (*at, key)
        yield from places(value, (*at, key))


PLACES = list(places(SOUND))
KEYS = sorted({str(place[-1]) for place in PLACES})

AWKWARD = st.sampled_from(
    [
        *(
            "",
            " ",
            "~",
            "null",
            "on",
            "0755",
            "-",
            "--",
            "-d",
            "--name",
            "-oProxyCommand=x",
            "<<",
            "*a",
            "&a",
        ),
        *("$HOME", "$(id)", "`id`", "'", '"', "\\", "a b", "a\nb", "a\r\n", "\t", "\x1b[2J", "\x00", "\x85"),
        *("\u2028", "\u202e", "\ufeff", "\ud800", "é", "日本", "\U0001f680", "x" * 5000, "'" * 30_000),
        *("gpu[1-3]", "gpu[0001-0040]", "a[9-1]", "a[1-999999999]", "10.0.0.[1-3]", "10.0.0.[0-999999999]"),
        *("10.0.0.1", "fd00::1", "fe80::1%eth0", "fe80::1%$(id)", "::", "256.0.0.1", "10.0.0.0/8", "0/0"),
        *("VLLM_HOST_IP", "VLLM_HOST_IP=10.9.9.9", "-eVLLM_HOST_IP=1", "-itlraycluster.cluster=x", "--env="),
        *(
            "a@sha256:0",
            "A/b",
            "localhost:5000/a:b",
            "1" * 400,
            "9" * 30,
            "1e309",
            "-1",
            "0x10",
            "\uff11",
            "10\u212a",
        ),
        *("/opt/my docker/docker", "DOCKER_HOST=x docker", "sudo -n docker", "if docker", "'a", "~/docker"),
        *(
            "a,b",
            "me@a:22,[fd00::2]:22",
            "ssh://me@a/",
            "none",
            "head",
            "workers",
            "local",
            "!head",
            "h]",
            "[h",
        ),
    ]
)
LEAVES = AWKWARD | st.text(max_size=12) | st.sampled_from(KEYS)
VALUES = (
    LEAVES
    | st.lists(LEAVES, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS) | LEAVES, LEAVES, max_size=3)
)


def at(data: Any, path: At) -> Any:
    for key in path:
        data = data[key]
    return data


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """The inventory's data with a few of its parts replaced, taken away, doubled, moved or renamed."""
    data = deepcopy(draw(st.sampled_from([SOUND, SMALL])))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        try:
            inside = at(data, path[:-1])
            draw(st.sampled_from(WAYS))(draw, inside, path[-1])
        except (KeyError, IndexError, TypeError, AttributeError):  # an earlier one took the place away
            data[str(path[-1])] = draw(VALUES)
    return data


def _replace(draw: st.DrawFn, inside: Any, key: Any) -> None:
    inside[key] = draw(VALUES)


def _remove(_: st.DrawFn, inside: Any, key: Any) -> None:
    del inside[key]


def _rename(draw: st.DrawFn, inside: Any, key: Any) -> None:
    inside[draw(st.sampled_from(KEYS) | LEAVES)] = inside.pop(key)


def _double(draw: st.DrawFn, inside: Any, key: Any) -> None:
    inside[key] = [inside[key]] * draw(st.integers(1, 3))


def _add(draw: st.DrawFn, inside: Any, key: Any) -> None:
    if isinstance(inside[key], list):
        inside[key].append(draw(VALUES))
    else:
        inside[key][draw(LEAVES)] = draw(VALUES)


WAYS: list[Callable[[st.DrawFn, Any, Any], None]] = [_replace, _replace, _remove, _rename, _double, _add]


def as_block(data: Any) -> str:
    return yaml.dump(data, allow_unicode=True, sort_keys=False)


def as_flow(data: Any) -> str:
    return yaml.dump(data, default_flow_style=True, width=10_000)


STRUCTURED = st.builds(
    lambda data, write: write(data), damaged(), st.sampled_from([as_block, as_flow, json.dumps])
)
TOKENS = st.sampled_from(
    [
        *":-{}[]&*!|>'\"%@`#?,~\t\n\r0",
        "<<: *a",
        "---\n",
        "...",
        "&a ",
        "*a",
        "!!int ",
        "!x ",
        "\n  ",
        "\n- ",
        "? ",
    ]
)


@st.composite
def edited(draw: st.DrawFn) -> str:
    """The example's text with parts of it replaced by what means something to YAML."""
    text = EXAMPLE
    for _ in range(draw(st.integers(1, 3))):
        start, length = draw(st.integers(0, len(text))), draw(st.integers(0, 30))
        text = text[:start] + draw(TOKENS | LEAVES) + text[start + length :]
    return text


ENCODINGS = st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"])
ENDINGS = st.sampled_from(["\n", "\n", "\r\n", "\r", "\x85", "\t\n"])
TEXTS = STRUCTURED | edited() | st.lists(TOKENS | LEAVES, max_size=20).map(" ".join)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file's bytes."""
    if draw(st.integers(0, 15)) == 0:
        return draw(st.binary(max_size=300))
    text = draw(TEXTS).replace("\n", draw(ENDINGS))
    raw = text.encode(draw(ENCODINGS), errors="replace")
    if draw(st.integers(0, 7)) == 0:
        place = draw(st.integers(0, len(raw)))
        raw = raw[:place] + draw(st.binary(min_size=1, max_size=4)) + raw[place:]
    return raw
