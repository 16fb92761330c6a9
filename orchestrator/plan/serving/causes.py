"""Root cause of vLLM's end, in a log whose last line is seldom it.

vLLM is several processes on several hosts. The one that fails first says why; those that fail for it say more,
and the last of all says only "See root cause above".
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import gcd

from orchestrator.frozen import dataclass
from orchestrator.model.accelerators import KINDS
from orchestrator.model.cluster import Accelerator
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.known import Known, Weight
from orchestrator.plan.serving.known_causes import KNOWN
from orchestrator.plan.serving.network_causes import NCCL_ERROR
from orchestrator.plan.typed import for_all, words

SECONDARY_ERRORS = (
    r"See root cause above|validation errors? for \w+|Executor failed|ActorHandleNotFoundError"
    r"|Engine core initialization failed|EngineDeadError|WorkerProc initialization|CancelledError"
    r"|Failed to unpickle serialized"
)
"""Errors that only tell of another one."""

CALLED: Mapping[Accelerator, Mapping[str, str]] = {
    accelerator: {
        name: value
        for name, value in (
            ("device", of.device if of.maker else "device"),
            ("monitor", of.monitor),
            ("monitoring", words(of.monitor)),  # in a line to type
            ("network", of.network),
            ("visible", of.visible),
            ("by_number", of.by_number),
        )
        if value
    }
    for accelerator, of in KINDS.items()
}
"""What is called how with an accelerator."""

ERROR = re.compile(
    r"(?:[\w.]+\.)?\w*(?:Error|Exception|Exit)(?:_\w+)?: .+|[\w.]+\.\w*Timeout(?:Expired)?: .+"
    r"|[\w.]*\b(?:errors?|exc|exceptions?)\.[A-Z]\w+: .+|.* error: .+|Value error, .+"
    r"|.+ \[type=\w+, input_value=.*"  # pydantic, whose own header stands above
)
BARE = re.compile(r"(?:[\w.]+\.)?\w+(?:Error|Exception):?")
"""An error without a word, as of `assert` and `raise NotImplementedError`: its trace alone tells more."""
SPEAKER = re.compile(  # vLLM's processes, Ray's, and PyTorch's
    r"\((?:(?P<who>[\w ][\w =-]*? )?pid=\w+|raylet)(?:, ip=(?P<ip>[0-9a-fA-F.:]+))?\)\s?|\[(?P<rank>rank\d+)\]:\s?"
)
RANK = re.compile(r"rank=?\d|_(?:TP|PP|DP|EP|CP|DCP|PCP)\d")
REMOTE = re.compile(r"ray::\S+\(\).*\(pid=\d+, ip=(?P<ip>[0-9a-fA-F.:]+)")
"""An error that Ray brings from another host; what is said there follows."""
LEVEL = re.compile(
    r".{0,60}?\b(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) +\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \[?[\w./-]+:\d+\] ?"
)
OF_REQUEST = re.compile(
    r".{0,60}?\bERROR +[\d. :-]+ \[?(?:[\w./-]*/)?(?:serving\w*|api_router|speech_to_text|chat_utils)\.py:\d+\]"
    r"|ERROR: +Exception in ASGI application"
)
"""What vLLM (sources in `entrypoints`, 0.6.6 to 0.33.0) and uvicorn say of a request that fails: the server goes on."""
HEAD = re.compile(rf"{LEVEL.pattern}|[A-Z]+: ")
ASIDE = re.compile(
    r"\[?(?:DEBUG|INFO|WARNING)\b"  # logging, uvicorn, transformers
    r"|.*\bNCCL (?:INFO|WARN|TRACE)\b(?!.*No space left on device)"  # without /dev/shm it cannot go on
    r"|\[?[IW]\d{3,4} \d\d:\d\d"  # glog: PyTorch, JAX
    r"|\[\d{4}-[^\]]* [DIW] \d+ \d+\]"  # Ray
    r"|\d{4}-\d\d-\d\d [\d:,.]+\s+(?:[|-] )?(?:DEBUG|INFO|WARNING|[DIW](?= ))\b"  # loguru, XLA
    r"|\[\d{4}-[^\]]*\] (?:DEBUG|INFO|WARNING)\b"
    r"|\{\"timestamp\":[^{}]*\"level\":\"(?:DEBUG|INFO|WARN)\""  # hf_xet
    r"|\S+:\d+: \w*Warning: "  # Python's warnings
    r"|.*(?:thrown while requesting |[Rr]etrying (?:in |\d+ of |\(Retry)|after connection broken by )"
)
"""What is no error: information, warnings, and whatever is tried once more."""
WARNED = re.compile(r"(?<!\S)(?!ras/)\S+ (?:\(\w+\) )?(NCCL WARN .*)")
"""What NCCL warns of; that its service for monitoring (RAS) has no port is harmless."""
PLACE = re.compile(r"{(\w+)}")
LONGEST = 400  # characters of a line that says why
FAILED = {"ERROR", "CRITICAL"}
CODE = "    "  # what stands so far in is a program, or more on what was said
SOURCE = re.compile(r"raise |from |import |File ")  # a line of a trace that quotes a program
PAINT = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # whatever a terminal is told
    r"| \[repeated \d+x across cluster\].*"  # by Ray, of what several workers say
)
FIELD = re.compile(r"[a-z_][\w.,\[\]-]*")
"""`cache_dtype`: pydantic names in a line of its own what the next line is about."""
IGNORED = "Exception ignored in: "
"""Python, of an error while it ends, as in `__del__`: the one that follows is none of the program's."""
FRAME = re.compile(r"File \".*\", line \d+, in ")
TRACE = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without colours, time and speaker.

    `who`: the rank that says it, `ip`: the host it says it on, where the log tells; `frames`: of the trace above it.
    `warned`: what NCCL has warned of, where it says no more itself. `of_request`: it ended a request, not the server.
    """

    text: str
    who: str
    ip: str
    frames: str
    warned: str
    of_request: bool

    @property
    def place(self) -> str:
        """Who says it and where, as a sentence goes on."""
        said = " ".join(
            (*((f"in {self.who}",) if self.who else ()), *((f"on {self.ip}",) if self.ip else ()))
        )
        return said and f", {said}"


NO_SIZES: Mapping[str, str] = {}


def root_cause(
    lines: Sequence[str], accelerator: Accelerator = Accelerator.NVIDIA, sizes: Mapping[str, str] = NO_SIZES
) -> Problem | None:
    """The best explanation that the lines have: a known one, or the first error; None where there is none.

    `sizes`: others for as many devices, by their places in a remedy.
    """
    weighed = weighed_cause(lines, accelerator, sizes)
    return weighed and weighed[1]


def weighed_cause(
    lines: Sequence[str], accelerator: Accelerator = Accelerator.NVIDIA, sizes: Mapping[str, str] = NO_SIZES
) -> tuple[Weight, Problem] | None:
    """The same, with what it is worth against that of another rank's log."""
    called = {**CALLED[accelerator], **sizes}
    explained = [each for line in _errors(lines) if (each := _explain(line, called))]
    # The first of those that weigh most.
    return min(explained, key=lambda each: each[0], default=None)


def _explain(line: _Line, called: Mapping[str, str]) -> tuple[Weight, Problem] | None:
    """What a line is worth, and what it means."""
    for known in KNOWN:
        if line.of_request and known.weight < Weight.CONSEQUENCE:  # the engine's end is told to requests, too
            continue
        found = re.search(known.pattern, line.text)
        if found and re.search(known.frame, f"{line.frames}\n{line.warned}"):
            return known.weight, _problem(known, line, {**called, **_groups(found)})
    is_error = ERROR.fullmatch(line.text) or BARE.fullmatch(line.text)
    if is_error and not line.of_request and not re.search(SECONDARY_ERRORS, line.text):
        return Weight.SYMPTOM, Problem("", detail=_short(line.text) + line.place)
    return None


def _groups(found: re.Match[str]) -> Mapping[str, str]:
    told = {name: value for name, value in found.groupdict().items() if value}
    if "size" in told and (whole := told.get("heads", told.get("experts"))):
        told["divisor"] = str(gcd(int(whole), int(told["size"])))
    return told


def _problem(known: Known, line: _Line, values: Mapping[str, str]) -> Problem:
    # Who tells of another's end is not where it happened.
    why, place = _filled(known.whys, values), line.place if known.weight < Weight.CONSEQUENCE else ""
    detail = "; ".join((_short(line.text), *line.warned.splitlines()[-1:]))
    fix = for_all(_filled(known.fixes, values))
    if not why:  # of what this accelerator has not
        return Problem("", fix, detail + place)
    named = bool(line.ip) and line.ip in why
    return Problem(why if named else why + place, fix, detail)


def _filled(texts: Sequence[str], values: Mapping[str, str]) -> str:
    """The first text all of whose places have a value."""
    text = next((text for text in texts if set(PLACE.findall(text)) <= set(values)), "")
    return PLACE.sub(lambda place: values[place[1]], text)


def _errors(lines: Sequence[str]) -> Iterator[_Line]:
    """What may be an error, in the order of the log. Processes speak at once: the trace of each is kept apart."""
    frames, remote, fields, warned = defaultdict[str, list[str]](list), dict[str, str](), dict[str, str](), ""
    requests, ignored = defaultdict[str, bool](bool), dict[str, bool]()
    for line in lines:
        process, who, ip, words = _speaker(PAINT.sub("", line))
        # What has no head goes on with what was said before.
        requests[process] = bool(OF_REQUEST.match(words)) or (requests[process] and not HEAD.match(words))
        level = LEVEL.match(words)
        words = words[level.end() :] if level else words
        not_raised = not words.startswith((" ", TRACE)) and ignored.pop(process, False)
        text, harmless = words.strip(), bool(level and level["level"] not in FAILED) or ASIDE.match(words)
        field = fields.pop(process, "")
        warned += _warning(words)
        if text.startswith((TRACE, IGNORED)):
            frames[process].clear()
            ignored[process] = ignored.get(process, False) or text.startswith(IGNORED)
        elif FRAME.match(text):
            frames[process].append(text)
        elif header := REMOTE.search(text):
            remote[process] = header["ip"]
        elif FIELD.fullmatch(text) and not BARE.fullmatch(text):
            fields[process] = text
        elif not (harmless or not_raised or SOURCE.match(text) or words.startswith(CODE)):
            if BARE.fullmatch(text) and frames[process]:
                text = f"{text.rstrip(':')}: {frames[process][-1]}"
            elif field and ERROR.fullmatch(text):
                text = f"{field}: {text}"
            why = warned if re.search(NCCL_ERROR, text) else ""
            place, trace = ip or remote.get(process, ""), "\n".join(frames[process])
            yield _Line(text, who, place, trace, why, requests[process])
            if ERROR.fullmatch(text):
                frames[process].clear()
                remote.pop(process, None)


def _warning(words: str) -> str:
    found = WARNED.search(words)
    return f"{found[1]}\n" if found else ""


def _speaker(line: str) -> tuple[str, str, str, str]:
    """The process that a line names, its rank, its host, and the rest."""
    rest, who, ip = line, "", ""
    while speaker := SPEAKER.match(rest):
        rest, ip, named = (
            rest[speaker.end() :],
            ip or speaker["ip"] or "",
            (speaker["who"] or speaker["rank"] or "").strip(),
        )
        who = named if RANK.search(named) else who
    return line[: len(line) - len(rest)], who, ip, rest


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
