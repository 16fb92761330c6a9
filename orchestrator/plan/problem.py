"""What is wrong with a host or a step, as it is carried from where it was seen to where it is shown."""

import re

from orchestrator.frozen import dataclass

ERROR = re.compile(r"error|fatal", re.IGNORECASE)
BESIDE = re.compile(r"\W*(warn|deprecat|note\b|notice\b)|time=\S+ level=", re.IGNORECASE)
"""Lines that stand around an error: warnings, and what Docker's client logs of itself."""
HELP = re.compile(r"^(See|Run) '.*--help'.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in the words of whoever knows; what to do, where that is known; all that was said of it."""

    text: str
    fix: str = ""
    detail: str = ""
    exit_code: int | None = None

    @property
    def more(self) -> str:
        """What was said beyond the text; nothing where the text has it all."""
        said = self.detail.strip()
        return "" if said.rstrip(".") in self.text and "\n" not in said else said


@dataclass(frozen=True, slots=True)
class HostProblem:
    """A problem of one host: why it is left out of a plan, or what is noted of it."""

    host: str
    problem: Problem


def plural(count: int, thing: str) -> str:
    """`1 host`, `3 hosts`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def quoted(before: str, words: str, fix: str = "", detail: str = "") -> Problem:
    """A problem in a program's own words: their first line, and where there are more, all below."""
    first, *more = words.strip().splitlines() or ["it says nothing"]
    return Problem(before + first, fix, detail or (words.strip() if more else ""))


def exited(exit_code: int, words: str) -> Problem:
    """A command that failed, by what it said; by its exit code alone only where it said nothing."""
    words, code = HELP.sub("", words).strip(), f"exit code {exit_code}"
    said = headline(words).rstrip(".")
    return Problem(f"{said} ({code})" if said else code, detail=words, exit_code=exit_code)


def headline(words: str) -> str:
    """The line that says what went wrong: the first that speaks of an error, else the last that is not beside it."""
    lines = [line for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if not (line[0].isspace() or BESIDE.match(line))] or lines
    return next((line for line in telling if ERROR.search(line)), "".join(telling[-1:])).strip()
