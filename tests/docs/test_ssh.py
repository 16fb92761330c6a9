"""docs/ssh.md has every keyword that counts or is named, and the algorithms as they are."""

import re

from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.heard import Heard
from orchestrator.remote.ssh.keywords import CONDITIONAL, HONOURED, NAMED, WITHOUT_EFFECT
from orchestrator.remote.ssh.paramiko_setup import transports

from .pages import ROOT, table_rows

ROWS = table_rows((ROOT / "docs/ssh.md").read_text())
BLOCKS = {"host", "match", "include"}  # which `ssh -G` does not print as keywords


def test_each_keyword_that_counts_or_is_named_is_there_and_no_other() -> None:
    keywords = {word.lower() for row in ROWS if len(row) == 2 for word in re.findall(r"`([A-Z]\w+)`", row[0])}
    assert HONOURED | CONDITIONAL | set(NAMED) <= keywords
    assert keywords - BLOCKS <= HONOURED | CONDITIONAL | set(NAMED) | WITHOUT_EFFECT


def test_the_algorithms_are_those_that_are_asked_for() -> None:
    rows = {row[0].partition(",")[0]: re.findall(r"`([^`]+)`", row[1]) for row in ROWS}
    made = transports([], Settings("a", "a", 22, "me"), Heard())(_Nobody())
    assert rows["key exchange"] == list(made.preferred_kex)
    assert rows["cipher"] == list(made.preferred_ciphers)
    assert rows["MAC"] == list(made.preferred_macs)


class _Nobody:
    def settimeout(self, seconds: float) -> None: ...
