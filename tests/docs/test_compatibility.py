"""docs/compatibility.md says what the record of the tests says, and the record names tests and engines that exist."""

import re

from tests.lab.engines import Engine

from .compatibility import PAGE, RECORD, page, record
from .pages import ROOT


def test_the_table_is_made_from_the_record() -> None:
    assert PAGE.read_text() == page(), "write it anew: make docs"


def test_each_test_that_is_recorded_is_one_of_the_worlds() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "tests/worlds").glob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))
    named = {test for each in record().values() for test in each["tests"]}
    assert named <= there


def test_every_engine_of_the_lab_was_tried_with_its_version() -> None:
    tried = {(host["engine"], host["version"]) for each in record().values() for host in each["hosts"]}
    assert {engine for engine, _ in tried} == {each.value for each in Engine}
    assert all(re.match(r"\d+\.\d+", version) for _, version in tried), RECORD
