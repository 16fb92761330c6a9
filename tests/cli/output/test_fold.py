"""What is printed, on terminals of several widths: no word is cut, and a command can still be pasted."""

import re
import shlex
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.text import Text

from orchestrator.cli.output.console import Screen
from orchestrator.cli.output.fold import PROGRAM, folded
from tests.docs.pages import ROOT
from tests.docs.sentences import sentences

WIDTHS = pytest.mark.parametrize("width", [40, 80, 100])
PULL = "raycluster model pull -i a/b.yaml org/alphabet"
SERVE = (
    "raycluster serve org/one --name small --gpus 4 -- --max-model-len 32768 --chat-template 'a b  c' -tp 2"
)
TEXTS = (
    f"! gpu2: has nothing of alphabet, and each host downloads that by itself → `{PULL}` downloads it once, for all",
    f"! gpu1: org/one, which answers on :8000, ends with its old container → once the cluster is up: `{SERVE}`",
    f"      → {SERVE}",
    "! gpu1, gpu2, gpu3: /data does not exist there → on gpu1, gpu2, gpu3: sudo mkdir -p /data/models/of/the/team",
    "      | ValueError: the number of attention heads (64) must be divisible by the tensor parallel size (3).",
    "Look at it: raycluster status -i a/b.yaml    Take it down: raycluster down -i a/b.yaml",
    f"no such option: --max-model-len\n→ vLLM's own come last, after --: {SERVE}",
    "Take down cluster demo: its containers on gpu1 (head), gpu2? Whatever runs in them ends. [y/N] ",
)


def spoken() -> list[str]:
    """All that the program can print, as far as its source has it."""
    files = (ROOT / "orchestrator").rglob("*.py")
    return [text for file in files for _, text in sentences(file) if "\n" not in text]


def lines(text: str, width: int) -> list[str]:
    return folded(Text(text), width).plain.split("\n")


@WIDTHS
@pytest.mark.parametrize("text", TEXTS)
def test_a_line_is_as_wide_as_the_terminal_at_most_and_no_word_is_cut(text: str, width: int) -> None:
    told = lines(text, width)
    assert [line for line in told if cell_len(line) > width and " " in line.strip(" `\\")] == []
    assert " ".join(" ".join(told).replace(" \\ ", " ").split()) == " ".join(text.split())


@WIDTHS
def test_of_all_sentences_no_word_is_lost(width: int) -> None:
    for text in spoken():
        told = " ".join(lines(text, width)).split()
        assert [word for word in told if word != "\\"] == text.split()
        assert "\\" not in told or re.search(f"^{PROGRAM}|raycluster ", text), text


@WIDTHS
@pytest.mark.parametrize("command", [PULL, SERVE])
@pytest.mark.parametrize("around", ["! gpu2: lacks it → `{}` downloads it, once for all hosts", "      → {}"])
def test_a_command_that_is_pasted_is_the_same_command(around: str, command: str, width: int) -> None:
    told = folded(Text(around.format(command)), width).plain
    (pasted,) = re.findall(r"raycluster (?:\\\n|[^`\n])*", told)
    assert shlex.split(pasted.replace("\\\n", "")) == shlex.split(command)


def test_where_a_command_is_to_be_typed_is_no_part_of_it() -> None:
    where = "               → on each host whose firewall is closed: "
    told = folded(Text(f"{where}sudo iptables -I INPUT -p tcp -s 192.0.2.11,192.0.2.12 -j ACCEPT"), 40).plain
    before, _, command = told.partition("sudo ")
    assert before.split() == where.split()
    assert (
        " ".join(command.replace("\\\n", "").split())
        == "iptables -I INPUT -p tcp -s 192.0.2.11,192.0.2.12 -j ACCEPT"
    )


def test_what_goes_on_stands_below_what_is_behind_the_mark() -> None:
    assert lines("! gpu1: some words that do not fit into it", 26) == [
        *("! gpu1: some words that do", "  not fit into it"),
    ]
    assert lines("   words that do not fit into it", 12) == ["   words", "that do not", "fit into it"]


def test_colours_stay_with_their_words() -> None:
    told = folded(Text.assemble(("gpu1", "bold"), "  its container ", ("has ended", "red")), 24)
    assert told.plain == "gpu1  its container has\nended"
    assert [(told.plain[span.start : span.end], span.style) for span in told.spans] == [
        *(("gpu1", "bold"), ("has", "red"), ("ended", "red"))
    ]


@pytest.mark.parametrize(("somebody", "raw"), [(True, False), (True, True), (False, False)])
def test_only_what_people_look_at_is_folded(somebody: bool, raw: bool) -> None:
    file = StringIO()
    screen = Screen(file=file, force_terminal=somebody, width=10, soft_wrap=True, color_system=None)
    screen.print("some words of one line", soft_wrap=raw or None)
    assert file.getvalue() == (
        "some words\nof one\nline\n" if somebody and not raw else "some words of one line\n"
    )
