"""Sections in the answer of a script that runs several probes: one for each, with its complaints and exit code."""

from collections.abc import Iterator, Mapping

from orchestrator.plan.problem import headline

KIB = 1024
"""The unit of `df -k` and of /proc/meminfo."""

RECORD, END = "\x1e", "\x1f"


class Section:
    """A part of the answer: what one probe printed, its complaints, and its exit code."""

    def __init__(self, record: str) -> None:
        self.text, _, end = record.partition(END)
        code, _, complaint = end.partition("\n")
        self.exit_code = int(code or 1)
        self.complaint = complaint.strip()

    @property
    def words(self) -> str:
        """Why it failed."""
        return headline(self.complaint) or f"exit code {self.exit_code}"

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def pairs(self) -> dict[str, str]:
        """Lines of a key and a value."""
        return {key: value.strip() for key, _, value in (line.partition(" ") for line in self.lines)}


def sections(stdout: str) -> Mapping[str, Section]:
    """The sections by name; anything before the first, such as a host's greeting, is left out."""
    named = (record.partition("\n") for record in stdout.split(RECORD)[1:])
    return {name: Section(record) for name, _, record in named}


def complaints(stdout: str) -> Iterator[str]:
    """The complaints of all probes, also of an answer that makes no sense otherwise."""
    for record in stdout.split(RECORD)[1:]:
        yield record.partition(END)[2].partition("\n")[2]
