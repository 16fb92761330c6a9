"""An inventory's text with workers more or fewer: all that is not concerned stays as it is, to the letter."""

import difflib

import pytest

from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.models import Inventory
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.workers_text import NotEditable, with_workers, without_workers
from orchestrator.model.inventory.yaml_source import Source, from_text

TOP = "# our cluster\ncluster: demo\nimage:   x  # the image\nhead: {host: gpu1, ip: 10.0.0.1}  # the head\n"
NEW = ("{host: gpu8, ip: 10.0.1.8}", "{host: gpu9, ip: 10.0.1.9}")

NONE = TOP + "# the end\nhf_home: /models\n"
BLOCK = """\
workers:
  - {host: gpu2, ip: 10.0.0.2}   # two
  # between the two
  - host: gpu3
    ip: 10.0.0.3  # three
    env:
      A: "b"

# more
accelerator: amd
"""
AT_THE_MARGIN = "workers:\n- {host: gpu2, ip: 10.0.0.2}\n- {host: gpu3, ip: 10.0.0.3}"
NOTHING_WRITTEN = "workers:   # none yet\nhf_home: /models\n"
NULL = "workers: null   # none yet\n"
EMPTY = "workers: []  # none yet\nhf_home: /models\n"
BRACKETS = "workers: [{host: gpu2, ip: 10.0.0.2}, {host: gpu3, ip: 10.0.0.3}]  # all\n"
BRACKETED_LINES = """\
workers: [
  {host: gpu2, ip: 10.0.0.2}, # two
  {host: gpu3, ip: 10.0.0.3} # three
]
"""
WITH_A_COMMA = BRACKETED_LINES.replace("} # three", "}, # three")
RANGES = """\
workers:
  - {host: "gpu[2-6]", ip: '10.0.0.[2-6]'}  # five
  - host: n[01-12]
    ip: 10.0.2.[1-12]
    name: node[01-12]  # zeros
"""
BRACKET_LAST = """\
workers:
  [{host: gpu2, ip: 10.0.0.2},
   {host: gpu3, ip: 10.0.0.3},
   {host: gpu4, ip: 10.0.0.4}]  # all
"""
DASHES_APART = (
    "workers:\n  -\n    host: gpu2\n    ip: 10.0.0.2\n  - # three\n\n    host: gpu3\n    ip: 10.0.0.3\n"
)
ANCHORED = """\
docker: &docker {shm_size: 1g}
workers:
  - host: gpu2
    ip: 10.0.0.2
    docker: *docker
  - {host: gpu3, ip: 10.0.0.3, docker: *docker}
"""
LAST_OF_ALL = "workers:\n  - ip: 10.0.0.2\n    host: gpu2\n    env: &env\n      A: b\n"
NODES = (("- host: n[01-", ""), ("  ip: 10.0.2.[1-", ""), ("  name: node[01-", "  # zeros"))
LINES = (f"+  {NEW[0]},", f"+  {NEW[1]}")
FORMS = [BLOCK, AT_THE_MARGIN, BRACKETS, BRACKETED_LINES, WITH_A_COMMA, RANGES, ANCHORED, LAST_OF_ALL]
FORMS += [BRACKET_LAST, DASHES_APART]


def read(text: str) -> Inventory:
    source = from_text(text, "file")
    assert isinstance(source, Source), source.text()
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    return inventory


def names(text: str) -> list[str]:
    return [node.name for node in resolve(read(text)).workers]


def added(text: str) -> str:
    edited = with_workers(text, NEW)
    assert isinstance(edited, str)
    assert names(edited) == [*names(text), "gpu8", "gpu9"]
    return edited


def removed(text: str, *gone: str) -> str:
    edited = without_workers(text, read(text), gone)
    assert isinstance(edited, str)
    assert names(edited) == [name for name in names(text) if name not in gone]
    return edited


def changed(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize("form", [NONE.removeprefix(TOP), *FORMS, NOTHING_WRITTEN, NULL, EMPTY])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_new_workers_come_after_the_others_whatever_the_form(form: str, newline: str) -> None:
    text = (TOP + form).replace("\n", newline)
    edited = added(text)
    assert edited.count("\r\n") == (edited.count("\n") if newline == "\r\n" else 0)
    assert edited.count("#") == text.count("#")


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        ("hf_home: /models\n", ["+workers:", f"+  - {NEW[0]}", f"+  - {NEW[1]}"]),
        (BLOCK, [f"+  - {NEW[0]}", f"+  - {NEW[1]}"]),
        (AT_THE_MARGIN, [f"+- {NEW[0]}", f"+- {NEW[1]}"]),
        (NOTHING_WRITTEN, [f"+  - {NEW[0]}", f"+  - {NEW[1]}"]),
        (EMPTY, ["-workers: []  # none yet", f"+workers: [{NEW[0]}, {NEW[1]}]  # none yet"]),
        (WITH_A_COMMA, [f"+  {NEW[0]},", f"+  {NEW[1]},"]),
        (
            BRACKETED_LINES,
            ["-  {host: gpu3, ip: 10.0.0.3} # three", "+  {host: gpu3, ip: 10.0.0.3}, # three", *LINES],
        ),
        (ANCHORED, [f"+  - {NEW[0]}", f"+  - {NEW[1]}"]),
    ],
)
def test_they_are_written_as_the_others_are(form: str, lines: list[str]) -> None:
    assert changed(TOP + form, added(TOP + form)) == lines


@pytest.mark.parametrize("form", [*FORMS, RANGES.replace("host: n", "host: m")])
def test_every_worker_can_go_alone_and_all_at_once(form: str) -> None:
    for name in names(TOP + form):
        removed(TOP + form, name)
        removed(TOP + form, *(each for each in names(TOP + form) if each != name))
    removed(TOP + form, *names(TOP + form))


@pytest.mark.parametrize(
    ("form", "gone", "lines"),
    [
        (BLOCK, "gpu2", ["-  - {host: gpu2, ip: 10.0.0.2}   # two"]),
        (
            BLOCK,
            "gpu3",
            ["-  - host: gpu3", "-    ip: 10.0.0.3  # three", "-    env:", '-      A: "b"'],
        ),
        (BRACKETED_LINES, "gpu3", ["-  {host: gpu3, ip: 10.0.0.3} # three"]),
        (
            RANGES,
            "gpu2",
            [
                """-  - {host: "gpu[2-6]", ip: '10.0.0.[2-6]'}  # five""",
                """+  - {host: "gpu[3-6]", ip: '10.0.0.[3-6]'}  # five""",
            ],
        ),
        (
            RANGES,
            "gpu5",
            [
                """-  - {host: "gpu[2-6]", ip: '10.0.0.[2-6]'}  # five""",
                """+  - {host: "gpu[2-4]", ip: '10.0.0.[2-4]'}""",
                """+  - {host: "gpu6", ip: '10.0.0.6'}  # five""",
            ],
        ),
        (
            RANGES,
            "node12",
            [f"{sign}  {part}{last}]{more}" for sign, last in (("-", 12), ("+", 11)) for part, more in NODES],
        ),
    ],
)
def test_what_goes_takes_its_lines_and_a_range_is_narrowed(form: str, gone: str, lines: list[str]) -> None:
    assert changed(TOP + form, removed(TOP + form, gone)) == lines


@pytest.mark.parametrize("form", FORMS)
def test_what_was_added_and_removed_leaves_no_trace(form: str) -> None:
    text = TOP + form
    back = removed(added(text), "gpu8", "gpu9")
    assert back in (text, f"{text}\n") or changed(text, back) == [
        "-  {host: gpu3, ip: 10.0.0.3} # three",
        "+  {host: gpu3, ip: 10.0.0.3}, # three",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{cluster: demo, image: x, head: {host: gpu1, ip: 10.0.0.1}}",
        "cluster: demo\nimage: x\nenv: &w {A: b}\nhead: {host: gpu1, ip: 10.0.0.1}\nworkers: *w\n",
    ],
)
def test_what_is_written_in_another_place_is_left_to_the_user(text: str) -> None:
    assert isinstance(with_workers(text, NEW), NotEditable)


def test_a_worker_that_is_written_in_another_place_is_left_to_the_user() -> None:
    """YAML lets one file say a map once and mean it twice; which text is a host's is then not to be told."""
    text = (
        TOP.replace("head: {", "head: &one {") + "workers:\n  - <<: *one\n    host: gpu2\n    ip: 10.0.0.2\n"
    )
    assert names(added(text)) == ["gpu2", "gpu8", "gpu9"]
    assert names(removed(text, "gpu2")) == []
