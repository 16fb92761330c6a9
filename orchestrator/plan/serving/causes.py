"""Why vLLM ended: the root cause in a log whose last line is seldom it.

vLLM is several processes on several hosts. The one that fails first says why; those that fail for it say more,
and the last of all says only "See root cause above".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.plan.serving.known_causes import KILLED, KNOWN, MORE_ABOUT_NOTHING

ERROR = re.compile(r"(?:[\w.]+\.)?\w*(?:Error|Exception|Exit): .+|.* error: .+|Value error, .+")
SPEAKER = re.compile(
    r"\((?P<who>[\w ]+) pid=\d+(?:, ip=(?P<ip>[0-9a-fA-F.:]+))?\)\s?"  # vLLM's processes, and Ray's
)
LEVEL = re.compile(r"(?:INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[[\w./]+:\d+\] ?")
PLACE = re.compile(r"{(\w+)}")
LONGEST = 400  # characters of a line that says why
SOURCE = re.compile(r"raise |from |import |File ")  # a line of a trace that quotes a program
PAINT = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong, the line of the log that says so, and what to do. No `why`: the line is all that is known."""

    why: str
    said: str
    fix: str


@dataclass(frozen=True, slots=True)
class _Said:
    """A line without colours, time and speaker; `ip`: of the host that Ray brought it from."""

    text: str
    ip: str


def root_cause(lines: Sequence[str]) -> Cause | None:
    """The best explanation that the lines have: a known one, or the first error; None where there is none."""
    said = [_said(line) for line in lines]
    return _known(said) or _first_error(said) or _killed(said)


def _known(said: Sequence[_Said]) -> Cause | None:
    for known in KNOWN:
        for line in said:
            if (found := re.search(known.pattern, line.text)) and not SOURCE.match(line.text):
                told = {name: value for name, value in found.groupdict().items() if value}
                fix = next(
                    (_filled(fix, told) for fix in known.fixes if set(PLACE.findall(fix)) <= set(told)), ""
                )
                return Cause(_placed(_filled(known.why, told), line), _short(line.text), fix)
    return None


def _filled(text: str, told: Mapping[str, str]) -> str:
    return PLACE.sub(lambda place: told[place[1]], text)


def _first_error(said: Sequence[_Said]) -> Cause | None:
    for line in said:
        if ERROR.fullmatch(line.text) and not re.search(MORE_ABOUT_NOTHING, line.text):
            return Cause("", _placed(_short(line.text), line), "")
    return None


def _killed(said: Sequence[_Said]) -> Cause | None:
    """Of a process that was killed, nothing is said but that it is missed."""
    dead = next(
        (line for line in said if "EngineDeadError" in line.text and not SOURCE.match(line.text)), None
    )
    return Cause("a process of vLLM was killed", _short(dead.text), KILLED) if dead else None


def _placed(why: str, line: _Said) -> str:
    return f"{why}, on {line.ip}" if line.ip else why


def _said(line: str) -> _Said:
    text, ip = PAINT.sub("", line), ""
    while speaker := SPEAKER.match(text):
        text, ip = text[speaker.end() :], ip or speaker["ip"] or ""
    return _Said(LEVEL.sub("", text).strip(), ip)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
