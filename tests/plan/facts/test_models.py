"""What hosts say of their models, read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import (
    BadFile,
    HeldModel,
    ModelCache,
    Revision,
    State,
    is_name,
    parse_cache,
    parse_verified,
    title,
    words_of,
)

COMMIT = "9216db5781bf21249d130ec9da846c4624c16137"
REVISION = {
    "commit": COMMIT,
    "names": ["main"],
    "state": "partial",
    "files": 2,
    "of": 3,
    "bytes": 1000,
    "missing": 24_000_000,
    "bad": {"model.safetensors": "missing"},
    "lacks": ["model.safetensors"],
}
MODEL = {
    "name": "org/tiny",
    "bytes": 1000,
    "unfinished": 5,
    "unused": 0,
    "astray": [],
    "revisions": [REVISION],
}
LOOK = {"hub": "/root/.cache/huggingface/hub", "user": 0, "free": 7, "models": [MODEL], "unused": 0}


def said(told: object) -> str:
    return f"Welcome!\n\x1e{json.dumps(told)}\n"


def test_a_cache_is_read_past_a_greeting() -> None:
    bad = (BadFile("model.safetensors", "missing"),)
    revision = Revision(COMMIT, ("main",), State.PARTIAL, 2, 3, 1000, 24_000_000, bad, ("model.safetensors",))
    model = HeldModel("org/tiny", 1000, 5, 0, (), (revision,))
    assert parse_cache(said(LOOK), "") == ModelCache("/root/.cache/huggingface/hub", 7, 0, (model,))


def test_a_host_without_the_folder_has_no_models() -> None:
    told = said({"trouble": "no-folder", "words": "there is no /hf yet"})
    assert parse_cache(told, "") == ModelCache("", 0, 0, ())
    assert parse_verified(told, "") == ()


@pytest.mark.parametrize(
    ("stdout", "stderr", "text", "fix"),
    [
        (
            said({"trouble": "not-mounted", "words": "looks in /hub, where nothing is mounted"}),
            "",
            "looks in /hub, where nothing is mounted",
            "mount a folder there",
        ),
        ("", "docker: Error response from daemon: No such image: x:1.\n", "No such image: x:1", "pull"),
        ("", "Error: x:1: image not known\n", "x:1: image not known", "pull"),
        ("hello\n", "", "it says nothing", ""),
        (said({"hub": 1}), "", "cannot be read", ""),
        (said([1]), "", "it says nothing", ""),
    ],
)
def test_why_nothing_is_known_is_in_the_words_of_who_says_so(
    stdout: str, stderr: str, text: str, fix: str
) -> None:
    for parse in (parse_cache, parse_verified):
        found = parse(stdout, stderr)
        assert isinstance(found, Unreachable)
        assert text in found.text or "cannot be read" in found.text or "it says nothing" in found.text
        assert fix in found.fix or parse is parse_verified


@given(some.text(), some.text())
def test_whatever_a_host_says_is_a_value(stdout: str, stderr: str) -> None:
    assert isinstance(parse_cache(f"\x1e{stdout}", stderr), Unreachable | ModelCache)
    assert isinstance(parse_verified(stdout, stderr), Unreachable | tuple)


@pytest.mark.parametrize("name", ["gpt2", "org/name", "Qwen/Qwen3-32B", "a/b_c.d-1"])
def test_names_of_the_hub_are_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", ".", "../a", "a/..", "a/b/c", "a--b", "-a", "a b", "/x", "a/", "å/b"])
def test_paths_and_options_are_none(name: str) -> None:
    assert not is_name(name)


def test_words_for_people() -> None:
    assert title("org/tiny", ("main",), COMMIT) == "org/tiny main 9216db5"
    bad = tuple(BadFile(f"{n}.bin", "differs") for n in range(4))
    assert words_of(bad[:1], 1) == "0.bin is not what its hash says"
    assert words_of(bad, 9).endswith("2.bin is not what its hash says, and 6 more")
