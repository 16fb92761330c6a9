"""The answer of a script that runs several probes: a section for each, with its complaints and exit code."""

from collections.abc import Mapping

KIB = 1024
"""The unit of `df -k` and of /proc/meminfo."""

RECORD, END = "\x1e", "\x1f"


class Section:
    """A part of the answer: what one probe printed, its complaints, and its exit code."""

    def __init__(self, told: str, complaint: str) -> None:
        self.text, _, code = told.partition(END)
        self.exit_code = int(code or 1)
        self.complaint = complaint.strip()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def pairs(self) -> dict[str, str]:
        """Lines of a key and a value."""
        return {key: value.strip() for key, _, value in (line.partition(" ") for line in self.lines)}


def sections(stdout: str, stderr: str) -> Mapping[str, Section]:
    """The sections by name; anything before the first, such as a host's greeting, is left out."""
    complaints = records(stderr)
    return {name: Section(text, complaints.get(name, "")) for name, text in records(stdout).items()}


def records(text: str) -> dict[str, str]:
    named = (record.partition("\n") for record in text.split(RECORD)[1:])
    return {name: body for name, _, body in named}
