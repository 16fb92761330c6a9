"""Models that a host has in its cache, whole or not, and what a look at every byte of them has found."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.model_shape import Gpu, Shape, parse_gpus, parse_shape
from orchestrator.plan.facts.sections import RECORD
from orchestrator.plan.problem import quoted
from orchestrator.plan.progress import Progress
from orchestrator.plan.remedies import hint
from orchestrator.plan.typed import ours, where

NAMED = 3
SHORT = 7
"""Digits of a commit that people are shown, as git does."""

ADDRESS = re.compile(
    r"(?:hf://|(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)/|https?://[^/]+/?)(.*)"
)
"""Of a model's page; that of another site is one, too."""
NAME = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)?[A-Za-z0-9_][\w.-]*", re.ASCII)

REVISION = re.compile(r"[A-Za-z0-9_][\w./-]*", re.ASCII)

BRING_FOLDER = "bring that folder to a host first, to where `docker: {args: [-v, …]}` mounts it"
FIXES = {
    "not-there": BRING_FOLDER,
    "modelscope": "take it out of the container's environment, or bring the models there yourself",
    "empty-variable": "give it a value, or take it out of the container's environment",
    "leads-out": f"set {where('hf_home')} to a folder that has it, and no link to another disk",
    "no-model": f"{ours('model ls')} shows who has it, for --from HOST; {ours('model pull', 'MODEL')} downloads it",
    "not-mounted": f"mount a folder there ({where('hf_home')}, {where('docker.args')})",
}
"""What to do about a cache that cannot be told of, by the program's word for it."""
NO_FOLDER = "no-folder"
NO_IMAGE = f"bring the image there: {ours('pull')}, or {ours('image copy')}"
ABSENT = re.compile(r"No such image|image not known|Unable to find image")
"""As Docker and Podman say of an image that they are not to pull."""


class State(StrEnum):
    """Whether a host has all files of a revision, by the hub's list or by the index of its weights."""

    WHOLE = "whole"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file of a model, and what is wrong with it, such as missing or short."""

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter. `of`: its base model, as it names it, empty where it does not; `rank`: 0 where it is not told."""

    of: str
    rank: int


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of a model on a host. `names`: what it is called, such as main; `files` of `of` are good.

    `missing`: bytes that are known to be missing; `bad`: the first of the bad files; `lacks`: of what vLLM needs;
    `offline`: whether vLLM finds all of it without the hub; `adapter`: what it is where it is no model.
    """

    commit: str
    names: tuple[str, ...]
    state: State
    files: int
    of: int
    bytes: int
    missing: int
    bad: tuple[BadFile, ...]
    lacks: tuple[str, ...]
    offline: bool = False
    adapter: Adapter | None = None


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model on a host. In bytes: all of it, what was begun and not ended, and what no revision has a link to.

    `astray`: names of revisions that lead to nothing that is there.
    """

    name: str
    bytes: int
    unfinished: int
    unused: int
    astray: tuple[str, ...]
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class ModelCache:
    """A host's cache of models, as its container sees it. `free`, `unused`: bytes on its disk, and of no model's.

    Where they were asked for: `gpus`, as far as they tell of themselves, and `shapes`, by model and commit.
    """

    hub: str
    free: int
    unused: int
    models: tuple[HeldModel, ...]
    gpus: tuple[Gpu, ...] = ()
    shapes: Mapping[tuple[str, str], Shape] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verified:
    """A revision whose every byte was read. `unknown`: files that have no hash to be compared with.

    `known`: whether anything tells what it consists of; `dropped`: how many damaged files were removed.
    """

    name: str
    commit: str
    names: tuple[str, ...]
    files: int
    bytes: int
    damage: tuple[BadFile, ...]
    unknown: int
    known: bool
    dropped: int


def is_name(model: str) -> bool:
    """Whether it can be the name of a model on the hub."""
    return bool(NAME.fullmatch(model)) and ".." not in model and "--" not in model


def of_address(word: str) -> tuple[str, str] | None:
    """The model that an address is of, and the revision in it, each empty where there is none; None of no address."""
    found = ADDRESS.fullmatch(word)
    if found is None:
        return None
    parts = [part for part in re.split(r"[?#]", found[1])[0].split("/") if part]
    model = "/".join(parts[:2]) if parts[1:] and is_name("/".join(parts[:2])) else ""
    revision = parts[3] if model and parts[2:3] in (["tree"], ["blob"], ["resolve"]) and parts[3:] else ""
    return model, revision if revision != "main" and is_revision(revision) else ""


def is_revision(revision: str) -> bool:
    """Whether it can be the name of a branch, a tag or a commit."""
    return bool(REVISION.fullmatch(revision)) and ".." not in revision


def title(name: str, names: tuple[str, ...], commit: str) -> str:
    """What people call a revision: `org/name main 0a1b2c3`."""
    return " ".join(filter(None, (name, ", ".join(names), commit[:SHORT])))


def parse_cache(stdout: str, stderr: str) -> ModelCache | Unreachable:
    """The answer of `look` or `fit`."""
    told = last_answer(stdout)
    try:
        if told is None or "trouble" in told:
            return (
                ModelCache("", 0, 0, ()) if told and told["trouble"] == NO_FOLDER else trouble(told, stderr)
            )
        models, gpus = tuple(map(_model, told["models"])), parse_gpus(told.get("gpus"))
        shapes = {
            (str(model["name"]), str(each["commit"])): shape
            for model in told["models"]
            for each in model["revisions"]
            if (shape := parse_shape(each.get("shape")))
        }
        return ModelCache(told["hub"], told["free"], told["unused"], models, gpus, shapes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Unreachable(f"its answer about models cannot be read: {error!r}", detail=stdout[-1000:])


def parse_verified(stdout: str, stderr: str) -> tuple[Verified, ...] | Unreachable:
    """The answer of `verify` or `drop`."""
    told = last_answer(stdout)
    try:
        if told is None or "verified" not in told:
            return () if told and told.get("trouble") == NO_FOLDER else trouble(told, stderr)
        return tuple(
            Verified(
                **{
                    name: each[name]
                    for name in ("name", "commit", "files", "bytes", "unknown", "known", "dropped")
                },
                names=tuple(each["names"]),
                damage=_bad(each["damage"]),
            )
            for each in told["verified"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Unreachable(f"its answer about models cannot be read: {error!r}", detail=stdout[-1000:])


def last_answer(stdout: str) -> Mapping[str, Any] | None:
    """The last line that is ours."""
    return next(iter([*answers(stdout)][::-1]), None)


def answers(stdout: str) -> Iterator[Mapping[str, Any]]:
    """All lines that are ours."""
    for line in stdout.split("\n"):
        _, marked, text = line.rpartition(RECORD)
        try:
            told = json.loads(text) if marked else None
        except ValueError:
            continue
        if isinstance(told, dict):
            yield told


@dataclass(frozen=True, slots=True)
class CopyFile:
    """A file to copy: `digest`, its hash, where its name or the hub's list tells one; `time`: when it was changed."""

    path: str
    size: int
    digest: str
    time: int


@dataclass(frozen=True, slots=True)
class CopyList:
    """What a revision consists of on the host that it is copied from. `identity`: tells its folder from any other."""

    model: str
    commit: str
    names: tuple[str, ...]
    files: tuple[CopyFile, ...]
    identity: str

    @property
    def is_folder(self) -> bool:
        """Whether it is in no cache."""
        return self.model.startswith("/")

    def json(self) -> dict[str, object]:
        """As the programs on the hosts read it."""
        files = [asdict(each) for each in self.files]
        return {"model": self.model, "commit": self.commit, "names": self.names, "files": files}


@dataclass(frozen=True, slots=True)
class Holding:
    """What a host has of such a list: bytes of each file; `ready`: and all of it is where it belongs.

    `free`: bytes on its disk, -1 if untold; `identity` is empty where there is no folder yet.
    """

    has: tuple[int, ...]
    ready: bool
    free: int
    identity: str


def parse_copy_list(stdout: str, stderr: str) -> CopyList | Unreachable:
    """The answer of `list`."""
    told = last_answer(stdout)
    try:
        if told is None or "copy" not in told:
            return trouble(told, stderr)
        listed = told["copy"]
        files = tuple(CopyFile(**each) for each in listed["files"])
        return CopyList(listed["model"], listed["commit"], tuple(listed["names"]), files, listed["identity"])
    except (KeyError, TypeError, ValueError) as error:
        return Unreachable(f"its answer about models cannot be read: {error!r}", detail=stdout[-1000:])


def parse_holding(stdout: str, stderr: str, wanted: CopyList) -> Holding | Unreachable:
    """The answer of `holding`. A host that lacks even the folder has nothing; its disk is looked at when bytes come."""
    told = last_answer(stdout)
    try:
        if told is None or "holding" not in told:
            absent = told is not None and told.get("trouble") == NO_FOLDER
            nothing = Holding((0,) * len(wanted.files), ready=False, free=-1, identity="")
            return nothing if absent else trouble(told, stderr)
        here = told["holding"]
        has = tuple(map(int, here["has"]))
        sizes = (each.size for each in wanted.files)
        if [0 <= had <= size for had, size in zip(has, sizes, strict=True)].count(False):
            return Unreachable(f"its answer about models cannot be read: {has}")
        return Holding(has, bool(here["ready"]), int(here["free"]), str(here["identity"]))
    except (KeyError, TypeError, ValueError) as error:
        return Unreachable(f"its answer about models cannot be read: {error!r}", detail=stdout[-1000:])


def parse_hub(stdout: str, _stderr: str) -> str:
    """The answer of `hub`: why it is not reached; empty where it answers, or nobody can say."""
    told = last_answer(stdout)
    return str(told.get("hub") or "") if told else ""


def how_far(lines: Sequence[str]) -> Progress | None:
    """What the last line says of how far it is."""
    told = last_answer(lines[-1]) if lines else None
    try:
        if told is None or "done" not in told:
            return None
        note = str(told.get("note") or "")
        return Progress(int(told["done"]), int(told["of"]), float(told.get("rate") or 0), note=note)
    except (KeyError, TypeError, ValueError):
        return None


def trouble(told: Mapping[str, Any] | None, stderr: str) -> Unreachable:
    """Why nothing was told, in the program's words, or in Docker's."""
    if told and "words" in told:
        return Unreachable(str(told["words"]), FIXES.get(str(told["trouble"]), ""))
    words = "\n".join(line.removeprefix("docker: ") for line in stderr.strip().splitlines())
    problem = quoted("", words, NO_IMAGE if ABSENT.search(words) else hint(words))
    return Unreachable(problem.text, problem.fix, problem.detail)


def _model(told: Mapping[str, Any]) -> HeldModel:
    numbers = {name: int(told[name]) for name in ("bytes", "unfinished", "unused")}
    revisions = tuple(map(_revision, told["revisions"]))
    return HeldModel(str(told["name"]), **numbers, astray=tuple(told["astray"]), revisions=revisions)


def _revision(told: Mapping[str, Any]) -> Revision:
    numbers = {name: int(told[name]) for name in ("files", "of", "bytes", "missing")}
    return Revision(
        commit=str(told["commit"]),
        names=tuple(told["names"]),
        state=State(told["state"]),
        **numbers,
        bad=_bad(told["bad"]),
        lacks=tuple(told["lacks"]),
        offline=bool(told.get("offline")),
        adapter=Adapter(str(adapter["of"]), int(adapter["rank"]))
        if (adapter := told.get("adapter"))
        else None,
    )


def _bad(told: Mapping[str, str]) -> tuple[BadFile, ...]:
    return tuple(BadFile(str(path), str(what)) for path, what in told.items())


def words_of(bad: tuple[BadFile, ...], count: int) -> str:
    """`model-00002.safetensors is missing, config.json cannot be read, and 4 more`. `count`: how many there are."""
    told = [f"{each.path} {WORDS.get(each.what, each.what)}" for each in bad[:NAMED]]
    more = [f"and {count - len(told)} more"] if count > len(told) else []
    return ", ".join([*told, *more])


WORDS = {
    "missing": "is missing",
    "short": "has another length",
    "differs": "is not what its hash says",
    "outside": "leads out of the cache",
    "pointer": "is what git leaves of it without LFS (git lfs pull brings it)",
    "garbled": "cannot be understood",
    "unreadable": "cannot be read",
}

Lookup = ModelCache | Unreachable
