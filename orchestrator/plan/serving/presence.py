"""Presence of a model on the hosts that are to serve it: who lacks what, told before anything starts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import PurePath
from types import MappingProxyType

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model
from orchestrator.plan.facts.model_shape import Gpu, Shape
from orchestrator.plan.facts.models import BRING_FOLDER, WORDS, Lookup, ModelCache, Revision, is_name
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.progress import size
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import (
    DOWNLOADS,
    FURTHER,
    GENERATION,
    LOAD_FORMAT,
    NO_TOKENIZER,
    REVISION,
    REVISIONS,
    Given,
)
from orchestrator.plan.serving.servers import again, with_args
from orchestrator.plan.typed import ours

KNOWN_FORMATS = ("", "auto", "safetensors", "hf")
OWN_GENERATION = ("", "auto", "vllm")
"""Where the defaults for sampling come from: the model itself, or nowhere."""


@dataclass(frozen=True, slots=True)
class Presence:
    """`offline`: whether every host has all of it, the same, so that vLLM need not ask the hub.

    `lacking`: the hosts that lack something that they can download, or have another revision; `refusals`: those that
    lack something that they cannot. `downloading`: who would ask the hub for what another host has. `shape`: the
    model's, where a host has its configuration; `gpus`: of each host, the one with the least memory.
    """

    offline: bool = False
    lacking: tuple[HostProblem, ...] = ()
    refusals: tuple[HostProblem, ...] = ()
    downloading: tuple[str, ...] = ()
    shape: Shape | None = None
    gpus: Mapping[str, Gpu] = field(default_factory=dict)

    def gpu(self, hosts: Iterable[str]) -> Gpu | None:
        """The one with the least memory on these hosts; None where one of them does not tell."""
        found = [self.gpus.get(host) for host in hosts]
        told = [each for each in found if each]
        return min(told, key=lambda gpu: gpu.memory) if told and len(told) == len(found) else None


NOT_LOOKED_AT = Presence()


def is_looked_at(model: Model) -> bool:
    """Whether it is a repository of safetensors or a folder: of other ways to load one, nothing is told.

    VLLM-Omni loads more of a model than vLLM does, and models of other layouts.
    """
    given = arguments.read(model.args)
    return not (
        ":" in model.name
        or model.name.endswith(".gguf")
        or given.value(LOAD_FORMAT) not in KNOWN_FORMATS
        or DOWNLOADS in given
        or "--omni" in model.args
    )


def presence(
    model: Model, caches: Mapping[str, Lookup], no_hub: Mapping[str, str] = MappingProxyType({})
) -> Presence:
    """What hosts have of the model; where a cache is not known, nothing. `no_hub`: why some do not reach the hub."""
    if not is_looked_at(model):
        return NOT_LOOKED_AT
    known = {host: each for host, each in caches.items() if isinstance(each, ModelCache)}
    found = {host: revision(model, each) for host, each in known.items()}
    if adapters := tuple(_adapters(model, found)):
        return Presence(refusals=adapters)
    whole = {host: each for host, each in found.items() if each and not each.lacks}
    source = next(iter(whole), "")
    told = tuple(_lacking(model, found, known, source, no_hub))
    told_of = ((host, each) for host, each in (*whole.items(), *found.items()) if each)
    shapes = [shape for host, each in told_of if (shape := known[host].shapes.get((model.name, each.commit)))]
    shape = max(shapes, key=lambda shape: bool(shape.weights.layers), default=None)
    gpus = {host: min(each.gpus, key=lambda gpu: gpu.memory) for host, each in known.items() if each.gpus}
    if model.name.startswith("/"):
        return Presence(refusals=told, shape=shape, gpus=gpus)
    # Where nobody has all of it, it may be something else than is thought here; and what names another repository, or
    # needs no tokenizer, may make do without what is missing.
    given = arguments.read(model.args)
    further = _is_more_wanted(given)
    sure = bool(source) and not (further or NO_TOKENIZER in given)
    refusals = tuple(each for each in told if sure and each.host in no_hub)
    nowhere = _is_nowhere(model.name, caches, found)
    if nowhere and all(host in no_hub for host in found):
        refusals = tuple(_out_of_reach(model, known, no_hub))
    downloading = tuple(each.host for each in told) if sure or nowhere else ()
    refused = {each.host for each in refusals}
    told = tuple(each for each in told if each.host not in refused)
    same = len({each.commit for each in whole.values()}) == 1
    unlike = tuple(_unlike(model, whole)) if whole and not same else ()
    fit = all(each.offline for each in whole.values()) and not further
    offline = bool(whole) and len(whole) == len(caches) and same and fit
    return Presence(offline, (*told, *unlike), refusals, downloading, shape=shape, gpus=gpus)


LORA_RANKS = (16, 32, 64, 128, 256, 320, 512)
"""Of `--max-lora-rank`: `MaxLoRARanks` of vLLM 0.11 to 0.32, which has 16 unless it is told."""


def _adapters(model: Model, found: Mapping[str, Revision | None]) -> Iterator[HostProblem]:
    """That it is no model but a part of one, with the line that serves it on that."""
    for host, each in found.items():
        if each and (adapter := each.adapter):
            rank = next((str(most) for most in LORA_RANKS if most >= adapter.rank), "")
            wide = ("--max-lora-rank", rank) if rank not in ("", "16") else ()
            words = ("--enable-lora", *wide, "--lora-modules", f"{PurePath(model.name).name}={model.name}")
            line = with_args(replace(model, name=adapter.of or "BASE"), model.args, *words)
            text = f"{model.name} is a LoRA adapter of {adapter.of or 'a model that it does not name'}, and no model"
            yield HostProblem(host, Problem(text, line))


def _is_more_wanted(given: Given) -> bool:
    """Whether vLLM may want more than the model's repository in its revision."""
    same = ("", given.value(REVISION))
    return (
        any(each in given for each in FURTHER)
        or any(given.value(each) not in same for each in REVISIONS)
        or given.value(GENERATION) not in OWN_GENERATION
    )


def revision_of(model: Model) -> str:
    """The one that is to be served."""
    return arguments.read(model.args).value(REVISION) or "main"


def revision(model: Model, cache: ModelCache) -> Revision | None:
    """What a host has of the revision that is to be served."""
    wanted = revision_of(model)
    for found in cache.models:
        if found.name != model.name:
            continue
        for each in found.revisions:
            if wanted in each.names or each.commit in ("", wanted):
                return each
    return None


def _lacking(
    model: Model,
    found: Mapping[str, Revision | None],
    known: Mapping[str, ModelCache],
    source: str,
    no_hub: Mapping[str, str],
) -> Iterator[HostProblem]:
    name, fix = model.name, _fix(model, source)
    for host, each in found.items():
        itself = "" if name.startswith("/") else ", and each host downloads that by itself"
        if host in no_hub:
            itself = f", and does not reach the hub: {no_hub[host]}"
        if each is None:
            yield HostProblem(host, Problem(f"{_nothing(model, known[host])}{itself}", fix))
        elif each.lacks:
            much = f" ({size(each.missing)})" if each.missing else ""
            text = f"lacks {len(each.lacks)} files{much} of {name}"
            if len(each.lacks) == 1:
                (path,) = each.lacks
                how = next((bad.what for bad in each.bad if bad.path == path), "missing")
                text = f"{path} of {name} {WORDS.get(how, how)}{much}"
            yield HostProblem(host, Problem(text + itself, fix))


def _is_nowhere(name: str, caches: Mapping[str, Lookup], found: Mapping[str, Revision | None]) -> bool:
    """Whether it can only come from the hub: each host was asked, and none has anything of it, and it is no path."""
    return "/" in name and is_name(name) and 0 < len(found) == len(caches) and not any(found.values())


def _nothing(model: Model, cache: ModelCache) -> str:
    """That a host has nothing of what is to be served."""
    if any(held.name == model.name for held in cache.models):
        return f"has another revision of {model.name} than {revision_of(model)}"
    return f"has nothing of {model.name}"


def _out_of_reach(
    model: Model, known: Mapping[str, ModelCache], no_hub: Mapping[str, str]
) -> Iterator[HostProblem]:
    """That nobody can have it. Of a folder of that name, and of another hub than Hugging Face's, nobody knows."""
    laptop = ours("model copy", "--from", "laptop", *_words_for(model))
    fix = (
        f"let one host reach it, and {ours('model pull', *_words_for(model))}; "
        f"or {laptop} brings what this machine has; {again(model, force=True)} starts it all the same"
    )
    for host, cache in known.items():
        text = f"{_nothing(model, cache)}, and does not reach the hub: {no_hub[host]}"
        yield HostProblem(host, Problem(text, fix))


def _words_for(model: Model) -> tuple[str, ...]:
    """What is to be brought, in a line to type."""
    wanted = arguments.read(model.args).value(REVISION)
    return model.name, *(("--revision", wanted) if wanted else ())


def _fix(model: Model, source: str) -> str:
    if source:
        return f"{ours('model copy', '--from', source, *_words_for(model))} brings it there"
    if model.name.startswith("/"):
        return BRING_FOLDER
    return f"{ours('model pull', *_words_for(model))} downloads it once, for all"


def _unlike(model: Model, whole: Mapping[str, Revision]) -> Iterator[HostProblem]:
    name, first = model.name, next(iter(whole.values()))
    for host, each in whole.items():
        if each.commit != first.commit:
            text = f"has another revision of {name}: {each.commit[:7]}, and {next(iter(whole))} has {first.commit[:7]}"
            yield HostProblem(
                host, Problem(text, ours("model copy", "--from", next(iter(whole)), *_words_for(model)))
            )
