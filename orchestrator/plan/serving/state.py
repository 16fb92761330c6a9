"""The state of each model's server on a host, as its supervisor reports it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import STALLED_AFTER, Liveness, Model

WAITS_FOR_GPUS = r"Waiting for creating a placement group"
STAGES = (
    (
        r"Application startup complete|Starting vLLM (API )?server|init engine .*took",
        "starts its HTTP server",
    ),
    (r"Capturing CUDA graphs?.*?(?P<much>\d+%)", "captures CUDA graphs"),
    (r"GPU KV cache size|# GPU blocks|Maximum concurrency", "has room for the KV cache"),
    (r"torch\.compile (takes|took)|Compiling a graph|Dynamo bytecode transform", "compiles the model"),
    (r"Loading weights took|Model loading took", "has loaded the weights"),
    (r"Loading (?:safetensors|pt|.*?) ?checkpoint shards:\s+(?P<much>\d+%.*?\d+/\d+)", "loads the weights"),
    (r"Starting to load model|Loading model from scratch", "loads the model"),
    (r"Time spent downloading weights|[Dd]ownload(?:ing)? .*?(?P<much>\d+%)", "downloads the model"),
    (WAITS_FOR_GPUS, "waits for Ray to have what it needs free"),
    (r"Initializing an? (V\d )?LLM engine", "starts its engine"),
)
"""What vLLM 0.6.6 to 0.33 log, the latest stage first."""


LOADED = "has loaded the weights"
"""The last stage that every rank logs for itself."""
LATEST = tuple(words for _, words in STAGES)
OF_RAY = re.compile(r"\(Ray\w+ pid=\d+(?:, ip=(?P<ip>[0-9a-fA-F.:]+))?\)")
"""Whom Ray passes a line on from; on the driver's own host without an address."""
LEFT_OUT = " across cluster]"
"""What Ray appends to a line that it has not passed on from each."""


def loading_stage(lines: Sequence[str]) -> str:
    """The latest stage that the lines tell of, in a few words."""
    words, found = next(_stages(lines), ("starts", None))
    much = (found.groupdict().get("much") or "" if found else "").partition("|")[0].strip()
    return f"{words}{much and ': ' + much}"


@dataclass(frozen=True, slots=True)
class Behind:
    """The ranks that are behind the others while a model loads, and the stage they are at."""

    ranks: tuple[str, ...]
    stage: str


def behind(lines_of: Mapping[str, Sequence[str]]) -> Behind | None:
    """Who is behind by the lines of each rank; None where nobody is, or a rank has logged no stage.

    Of what comes after the weights not every rank logs.
    """
    stages = [next(_stages(lines), ("", None))[0] for lines in lines_of.values()]
    if not all(stages):
        return None
    left = [max(LATEST.index(stage), LATEST.index(LOADED)) for stage in stages]
    last = max(left, default=0)
    if last == min(left, default=0):
        return None
    names = tuple(rank for rank, much in zip(lines_of, left, strict=True) if much == last)
    return Behind(names, stages[left.index(last)])


def lines_of_ray(lines: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The lines of Ray's workers by their host's address, empty for the server's own; none where some were left out."""
    found = defaultdict[str, list[str]](list)
    for line in lines:
        if LEFT_OUT in line:
            return {}
        if said := OF_RAY.search(line):
            found[said["ip"] or ""].append(line)
    return {ip: said for ip, said in found.items() if next(_stages(said), None)}


def waits_for_gpus(lines: Sequence[str]) -> bool:
    """Whether that is the latest stage."""
    _, found = next(_stages(lines), ("", None))
    return found is not None and found.re.pattern == WAITS_FOR_GPUS


def _stages(lines: Sequence[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """The latest first."""
    for line in reversed(lines):
        for pattern, words in STAGES:
            if found := re.search(pattern, line):
                yield words, found


ABANDONED = "what kept vLLM running in the container is gone"


@dataclass(frozen=True, slots=True)
class Share:
    """What of the cluster a server holds, on every host that takes part.

    `port`: its API's; `ports`: those of its ranks. `gpus`: how many, by host; `devices`: which, by host, as the
    variable that hides the others has them; none where they need not be hidden, or where Ray gives them out.
    """

    port: int
    ports: tuple[int, ...] = ()
    gpus: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Served:
    """A model's server, or a rank of it, as its supervisor reports it.

    `model`: as it was asked for. `state`: waiting, starting, answering, unresponsive or ended; `supervised`: whether
    there is a supervisor; `trouble`: why the server does not answer now, empty where it does. `since`: seconds in that
    state, an unresponsive one's without an answer; `began`: when that was, in seconds since 1970. `starts`: how often
    it was started; `failures`: its ends since it has answered last; `exit_code`: how it ended last, `why`: for what
    other reason than its own. `lines`: the last ones of its log. `called`: what the model is called in requests.
    `words`: vLLM's besides the person's. `share`: None where it was started before servers had names.

    Of several ranks: `hosts` has those of all, by rank; `rank`: which one it is; `missing`: those that the first one
    waits for; `run`: which group they are. While it starts: `still`: for how many seconds nothing has moved; `asked`:
    whether it has loaded, and is asked for its first token. `first`: what it has answered then, as `ask` prints it.
    `offline`: whether it was told not to ask the hub. `engine`: which of several engines it is that is unresponsive.
    """

    model: Model
    url: str
    called: str
    state: str
    supervised: bool
    trouble: str
    since: float
    starts: int
    exit_code: int | None = None
    why: str = ""
    lines: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    rank: int = 0
    missing: tuple[str, ...] = ()
    run: str = ""
    began: float = 0.0
    failures: int = 0
    still: float = 0.0
    asked: bool = False
    first: str = ""
    words: tuple[str, ...] = ()
    share: Share | None = None
    offline: bool = False
    engine: str = ""

    @property
    def name(self) -> str:
        """Its name on the cluster."""
        return self.model.server

    @property
    def folder(self) -> str:
        """What its supervisor knows it by: its name, or nothing where it was started before there were names."""
        return self.name if self.share else ""

    @property
    def answers(self) -> bool:
        return self.supervised and not self.trouble

    @property
    def untried(self) -> str:
        """Why nobody knows whether the model works, though its server does; empty where it has answered."""
        return untried(json.loads(self.first)["status"]) if self.first else ""

    @property
    def ending(self) -> str:
        """How it ended, where it has."""
        return self.why or f"vLLM ended with exit code {self.exit_code}"

    @property
    def abandoned(self) -> bool:
        """Whether its supervisor is gone without a word: it was killed, or is not back yet after its container."""
        return not self.supervised and self.state != "ended"


@dataclass(frozen=True, slots=True)
class Stopped:
    """A server that was stopped, of which the log is left. `run`: as of one that is served; `since`: seconds ago.

    `failed`: whether it had ended by then.
    """

    name: str
    model: str
    run: str = ""
    since: float = 0.0
    failed: bool = False


OK = 200
WANTS_A_KEY = (401, 403)


def untried(status: int) -> str:
    """Why the answer to a question with that HTTP status says nothing of the model; empty where it does."""
    if status == OK:
        return ""
    why = "it wants a key that is not known" if status in WANTS_A_KEY else "it refuses all that it is asked"
    return f"whether it answers is not known: {why} (HTTP status {status})"


def parse_servers(text: str) -> tuple[Served | Stopped, ...]:
    """The supervisor's lines, one for each server; what nobody can read is left out."""
    return tuple(found for line in text.splitlines() if (found := _parse(line)))


def parse_served(text: str, name: str = "") -> Served | None:
    """The same of the server of that name, or of the only one; None where that is not served."""
    told = (each for each in parse_servers(text) if isinstance(each, Served))
    return next((each for each in told if name in ("", each.name)), None)


def _parse(line: str) -> Served | Stopped | None:
    try:
        report = json.loads(line)
        if spec := report["spec"]:
            return _served(str(report.get("server", "")), spec, report["state"], report["now"], report)
        return _stopped(report) if report.get("stopped") else None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _stopped(report: Any) -> Stopped:
    told = report["stopped"]
    group = told.get("group") or {}
    since = float(report["now"] - told["at"])
    failed = (report.get("state") or {}).get("is") == "ended"
    return Stopped(str(report["server"]), str(told["model"]), str(group.get("run", "")), since, failed)


def _served(server: str, spec: Any, state: Any, now: float, report: Any) -> Served:
    group, code, asked = spec["group"] or {}, state.get("exit_code"), spec.get("asked") or {}
    if code is not None and int(code) < 0:  # Python has -9 for what was killed; everybody else, 137
        code = 128 - int(code)
    return Served(
        model=Model(
            str(spec["model"]),
            tuple(map(str, spec["args"])),
            server,
            int(asked.get("gpus", 0)),
            str(asked.get("hosts", "")),
            int(asked.get("port", 0)),
            liveness=Liveness(asked.get("liveness", Liveness.ON)),
            stalled_after=int(asked.get("stalled_after", STALLED_AFTER)),
        ),
        url=str(spec["url"]),
        called=str(report["name"]),
        state=str(state.get("is", "waiting")),
        supervised=report["supervised"] is True,
        trouble=str(report["trouble"]),
        since=float(now - state.get("since", now)),
        began=float(state.get("since", now)),
        starts=int(state.get("starts", 0)),
        failures=int(state.get("failures", 0)),
        exit_code=None if code is None else int(code),
        why=str(state.get("why", "")),
        lines=tuple(map(str, report["lines"])),
        hosts=tuple(map(str, group.get("hosts", ()))),
        rank=int(group.get("rank", 0)),
        missing=tuple(map(str, state.get("missing", ()))),
        run=str(group.get("run", "")),
        still=float(now - state.get("moved", now)) if state.get("is") == "starting" else 0.0,
        asked=bool(state.get("asked")),
        first=_first(state["first"]) if state.get("first") else "",
        words=tuple(map(str, spec.get("words", ()))),
        offline=spec.get("offline") is True,
        engine=str(state.get("engine", "")),
        share=_share(spec["share"]) if spec.get("share") else None,
    )


def _first(told: Any) -> str:
    words = {key: str(told[key]) for key in ("url", "name", "path")}
    return json.dumps({**words, "status": int(told["status"]), "seconds": float(told["seconds"])})


def _share(told: Any) -> Share:
    devices = {str(host): tuple(map(str, each)) for host, each in told["devices"].items()}
    gpus = {str(host): int(count) for host, count in told["gpus"].items()}
    return Share(int(told["port"]), tuple(map(int, told["ports"])), gpus, devices)
