"""What is wrong with a host or a step, as it is carried from where it was seen to where it is shown."""

import re

from orchestrator.frozen import dataclass

ERROR = re.compile(r"error|fatal", re.IGNORECASE)
HELP = re.compile(r"^(See|Run) '.*--help'.*\n?", re.MULTILINE)
BESIDE = re.compile(
    r"\W*(warn|deprecat|note\b|notice\b)"
    r"|time=\S+ level="  # what Docker's client logs of itself
    r"|flag --\S+ has been deprecated"
    r"|.*\bAuto-detected mode as '"  # what NVIDIA's hook begins with; runc quotes it, and what it ends with is below
    r"|Emulate Docker CLI using podman"
    r"|(\S+: )?(line \d+: )?warning\b"  # as shells and Perl say it: `bash: line 1: warning: setlocale: …`
    r"|sudo: (unable to (resolve host|send audit message)|setrlimit\()"
    # What startup files say to whoever logs in without a terminal.
    r"|(\S+: )*(mesg: |stty: |tput: |stdin: is not a tty|no job control in this shell|cannot set terminal process)"
    r"|TERM environment variable not set"
    rf"|{HELP.pattern}",
    re.IGNORECASE,
)
"""Lines that stand around the one that says what went wrong."""


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
    """A problem in a program's own words: the line that tells it, and where there are more, all below."""
    words = HELP.sub("", words).strip()
    said = _error(words) or next(iter(_telling(words)), "it says nothing")
    return Problem(before + said, fix, detail or ("" if said == words else words))


def exited(exit_code: int, words: str) -> Problem:
    """A command that failed, by what it said; by its exit code alone only where it said nothing."""
    words, code = HELP.sub("", words).strip(), f"exit code {exit_code}"
    said = headline(words).rstrip(".")
    return Problem(f"{said} ({code})" if said else code, detail=words, exit_code=exit_code)


def headline(words: str) -> str:
    """The line on which a program ended: the first that speaks of an error, else the last that is not beside it."""
    return _error(words) or "".join(_telling(words)[-1:])


def _error(words: str) -> str:
    return next((line for line in _telling(words) if ERROR.search(line)), "")


def _telling(words: str) -> list[str]:
    """The lines that are not beside what went wrong, or all."""
    lines = [line for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if not (line[0].isspace() or BESIDE.match(line))]
    return [line.strip() for line in telling or lines]
