"""A few hundred files on every run (`make fuzz` tries a hundred thousand), and those made to cost dear."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings

from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import load
from tests.fuzz.checks import SOON, check
from tests.fuzz.inventories import EXAMPLE, files

TOP = "cluster: demo\nimage: vllm\nhead: {host: gpu1, ip: 10.0.0.1}\n"
MORE = 300 << 20  # bytes of memory that a file may take; PyYAML needs a hundred for the largest that is read


@pytest.mark.slow
@given(raw=files())
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_file_is_a_cluster_that_can_be_planned_or_has_problems_with_places(
    raw: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(raw)
    check(file, bash=False)


def test_the_example_can_be_planned_without_its_hosts(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(EXAMPLE)
    assert check(file, bash=True)


@contextmanager
def memory_for(more: int) -> Iterator[None]:
    """With so many bytes more than the process has now; a MemoryError beyond."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def laughs(levels: int, width: int) -> str:
    """A billion laughs: each anchor is a list of the one before."""
    lists = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]\n" for n in range(1, levels))
    return f"a0: &a0 [{', '.join(['x'] * width)}]\n{''.join(lists)}"


def merges(levels: int) -> str:
    return "m0: &m0 {a: b}\n" + "".join(
        f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}\n" for n in range(1, levels)
    )


MANY = 1000
VARIABLES = "".join(f"  V{n}: x\n" for n in range(20_000))
WORKERS = "".join(f"- {{host: w{n}, ip: 10.1.{n // 250}.{n % 250 + 1}}}\n" for n in range(MANY))
BOMBS = {
    "aliases": laughs(30, 10),
    "merges": merges(60),
    "an alias of itself": "a: &a [*a]\n",
    "a merge of itself": "a: &a {<<: *a}\n",
    "deep lists": "[" * 100_000,
    "deep maps": "{a: " * 100_000,
    "deep blocks": "".join(" " * n + "a:\n" for n in range(1_200)),
    "deep dashes": "- " * 100_000,
    "many keys": "".join(f"k{n}: 1\n" for n in range(90_000)),
    "many mistyped keys": "".join(f"clustre{n}: 1\n" for n in range(5_000)),
    "many items": TOP + f"secrets: [{','.join('A' for _ in range(90_000))}]",
    "many faulty workers": TOP + "workers:\n" + "- {hsot: a}\n" * 5_000,
    "a large range": TOP + "workers: [{host: 'a[0-999999999]', ip: '10.0.0.[0-999999999]'}]",
    "many ranges": TOP + "workers:\n" + "- {host: 'a[1-1000]', ip: '10.0.0.[1-1000]'}\n" * 2_000,
    "a long line": TOP + f"env: {{A: '{'x' * 900_000}'}}",
    "a long key": TOP + f"env: {{{'A' * 900_000}: x}}",
    "a long name": TOP.replace("gpu1", "g" * 900_000),
    "a long number": TOP + f"ray: {{port: {'9' * 900_000}}}",
    "quotes alone": TOP + f"docker: {{args: ['{chr(39) * 800_000}']}}",
    "ten megabytes": "a: b\n" * 2_000_000,
    "comments alone": "# nothing\n" * 99_000,
    "an open quote": TOP + "env: {A: '" + "x\n" * 200_000,
    "much for each of many": f"{TOP}env:\n{VARIABLES}workers:\n{WORKERS}",
    "brackets": TOP.replace("gpu1", "'" + "[1-2]" * 150_000 + "'"),
    "tabs": TOP + "\t" * 900_000,
    "directives": "%" * 900_000,
    "tags": "!" * 900_000,
    "anchors": "&a " * 300_000,
    "documents": "---\n" * 200_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_a_problem_soon_and_costs_little(text: str, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    began = process_time()
    with memory_for(MORE):
        found = load(str(file))
    assert process_time() - began < 4 * SOON  # what grows with the square of it takes minutes
    assert isinstance(found, InventoryError)
    assert len(found.text()) < 50_000


NO_TEXT = {
    "nothing": b"",
    "blanks": b" \n\n ",
    "NUL": b"cluster: a\0b",
    "UTF-16": TOP.encode("utf-16"),
    "UTF-32": TOP.encode("utf-32-be"),
    "latin-1": "cluster: é".encode("latin-1"),
    "a broken sequence": b"cluster: \xf0\x9f",
    "an overlong one": b"cluster: \xc0\xaf",
    "a surrogate": b"cluster: \xed\xa0\x80",
    "an escape code": b"cluster: \x1b[2J",
    "a C1 control": "cluster: \x9b2J".encode(),
}


@pytest.mark.parametrize("raw", NO_TEXT.values(), ids=NO_TEXT)
def test_what_is_no_text_is_a_problem(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(raw)
    assert not check(file, bash=False)


@pytest.mark.parametrize("raw", [TOP.encode("utf-8-sig"), TOP.replace("\n", "\r\n").encode()])
def test_other_editors_files_are_read(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(raw)
    assert check(file, bash=True)
