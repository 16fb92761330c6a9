"""Who lacks what of a model is told before it is served."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Model
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.model_shape import Gpu, Shape
from orchestrator.plan.facts.model_weights import Weights
from orchestrator.plan.facts.models import Adapter, BadFile, HeldModel, Lookup, ModelCache, Revision, State
from orchestrator.plan.serving.presence import NOT_LOOKED_AT, is_looked_at, presence
from tests.typed_lines import plainly

NAME = "org/tiny"
MODEL = Model(NAME)


def cache(
    *lacks: str,
    commit: str = "a" * 40,
    names: tuple[str, ...] = ("main",),
    offline: bool = True,
    name: str = NAME,
) -> ModelCache:
    state = State.PARTIAL if lacks else State.WHOLE
    one = Revision(
        commit, names, state, 30 - len(lacks), 30, 10**9, 14 * 10**9, (), lacks, offline and not lacks
    )
    return ModelCache("/hub", 1 << 40, 0, (HeldModel(name, 10**9, 0, 0, (), (one,)),))


NOTHING = ModelCache("/hub", 1 << 40, 0, ())


def told(model: Model = MODEL, **caches: Lookup) -> list[tuple[str, str, str]]:
    found = presence(model, caches)
    return [
        (each.host, each.problem.text, plainly(each.problem.fix))
        for each in (*found.lacking, *found.refusals)
    ]


def test_where_all_have_all_of_it_the_hub_is_not_asked() -> None:
    found = presence(MODEL, {"gpu1": cache(), "gpu2": cache()})
    assert (found.offline, found.lacking) == (True, ())


def test_where_one_lacks_something_it_is_told_with_the_line_that_brings_it() -> None:
    part = cache("x.safetensors", "y", "z")
    assert not presence(MODEL, {"gpu1": cache(), "gpu2": part, "gpu3": NOTHING}).offline
    fix = "`raycluster model copy --from gpu1 org/tiny` brings it there"
    itself = "and each host downloads that by itself"
    assert told(gpu1=cache(), gpu2=part, gpu3=NOTHING) == [
        ("gpu2", f"lacks 3 files (14.0 GB) of org/tiny, {itself}", fix),
        ("gpu3", f"has nothing of org/tiny, {itself}", fix),
    ]


def test_the_one_file_that_is_lacking_is_named_and_what_is_wrong_with_it() -> None:
    folder = Model("/models/tiny")
    part = cache("x.safetensors", name=folder.name)
    (one,) = part.models[0].revisions
    one = replace(one, missing=0, bad=(BadFile("x.safetensors", "short"),))
    short = replace(part, models=(replace(part.models[0], revisions=(one,)),))
    (first, second) = told(folder, gpu1=part, gpu2=short)
    assert first[1] == "x.safetensors of /models/tiny is missing (14.0 GB)"
    assert second[1] == "x.safetensors of /models/tiny has another length"


@pytest.mark.parametrize(
    ("adapter", "whose", "line"),
    [
        (Adapter("org/base", 8), "org/base", "org/base -- --enable-lora --lora-modules tiny=org/tiny"),
        (
            Adapter("org/base", 24),
            "org/base",
            "org/base -- --enable-lora --max-lora-rank 32 --lora-modules tiny=org/tiny",
        ),
        (
            Adapter("", 0),
            "a model that it does not name",
            "BASE -- --enable-lora --lora-modules tiny=org/tiny",
        ),
    ],
)
def test_an_adapter_is_no_model_and_is_served_with_its_own(adapter: Adapter, whose: str, line: str) -> None:
    (one,) = cache("config.json").models[0].revisions
    held = HeldModel(NAME, 10**9, 0, 0, (), (replace(one, adapter=adapter),))
    found = presence(MODEL, {"gpu1": ModelCache("/hub", 1 << 40, 0, (held,)), "gpu2": NOTHING})
    ((host, problem),) = ((each.host, each.problem) for each in found.refusals)
    assert (host, problem.text) == ("gpu1", f"org/tiny is a LoRA adapter of {whose}, and no model")
    assert plainly(problem.fix) == f"raycluster serve {line}"


def test_where_nobody_has_it_it_can_be_downloaded_once() -> None:
    ((_, _, fix), _) = told(gpu1=NOTHING, gpu2=NOTHING)
    assert fix == "`raycluster model pull org/tiny` downloads it once, for all"


@pytest.mark.parametrize(
    "args",
    [
        '-sc {"model":"x/y"}',
        "--speculative-config.model x/y",
        "-sc.model=x/y",
        "--speculative x",
        "--lora_modules sql=x/y",
        "--hf-config-p x/y",
        "--generation-config x/y",
        "--tokenizer-revision v2",
        "--revision main --code-revision v2",
    ],
)
def test_what_may_name_another_repository_is_seen_in_every_spelling_and_the_hub_may_be_asked(
    args: str,
) -> None:
    assert not presence(Model(NAME, tuple(args.split())), {"gpu1": cache(), "gpu2": cache()}).offline


@pytest.mark.parametrize(
    "args", ["", "--generation-config vllm", "--revision main --tokenizer-revision main", "-cc.mode 3"]
)
def test_what_names_no_other_leaves_the_hub_alone(args: str) -> None:
    assert presence(Model(NAME, tuple(args.split())), {"gpu1": cache(), "gpu2": cache()}).offline


@pytest.mark.parametrize(
    "args", ["--load_format=gguf", "--load-f dummy", "--download_dir /x", "--download /x", "--omni"]
)
def test_other_ways_to_load_are_seen_in_every_spelling(args: str) -> None:
    assert not is_looked_at(Model(NAME, tuple(args.split())))


SILENT = "https://huggingface.co: timed out"


def test_who_lacks_something_that_another_has_and_does_not_reach_the_hub_is_refused_at_once() -> None:
    there = {"gpu1": cache(), "gpu2": cache("x"), "gpu3": NOTHING}
    assert presence(MODEL, there).downloading == ("gpu2", "gpu3")
    found = presence(MODEL, there, {"gpu3": SILENT})
    assert [each.host for each in found.lacking] == ["gpu2"]
    (refused,) = found.refusals
    why = f"has nothing of org/tiny, and does not reach the hub: {SILENT}"
    fix = "`raycluster model copy --from gpu1 org/tiny` brings it there"
    assert (refused.host, refused.problem.text, plainly(refused.problem.fix)) == ("gpu3", why, fix)


@pytest.mark.parametrize(
    ("args", "there"),
    [
        ((), {"gpu1": cache("x"), "gpu2": NOTHING}),
        (("--tokenizer", "other/repo"), {"gpu1": cache(), "gpu2": cache("tokenizer.json")}),
        (("--skip-tokenizer-init",), {"gpu1": cache(), "gpu2": cache("tokenizer.json")}),
    ],
    ids=["nobody has all of it", "another repository", "no tokenizer"],
)
def test_where_what_is_missing_may_not_be_needed_nobody_is_refused(
    args: tuple[str, ...], there: dict[str, ModelCache]
) -> None:
    found = presence(Model(NAME, args), there, {"gpu2": SILENT})
    assert (found.refusals, found.downloading) == ((), ())
    assert found.lacking


NOBODY = {"gpu1": NOTHING, "gpu2": NOTHING}


def test_what_nobody_has_and_nobody_can_download_is_refused_at_once() -> None:
    assert presence(MODEL, NOBODY).downloading == ("gpu1", "gpu2")
    found = presence(MODEL, NOBODY, {"gpu1": SILENT, "gpu2": SILENT})
    assert (found.lacking, [each.host for each in found.refusals]) == ((), ["gpu1", "gpu2"])
    refused = found.refusals[0].problem
    assert refused.text == f"has nothing of org/tiny, and does not reach the hub: {SILENT}"
    assert plainly(refused.fix) == (
        "let one host reach it, and `raycluster model pull org/tiny`; or "
        "`raycluster model copy --from laptop org/tiny` brings what this machine has; "
        "`raycluster serve org/tiny --force` starts it all the same"
    )


@pytest.mark.parametrize(
    ("model", "there", "no_hub"),
    [
        (MODEL, NOBODY, {"gpu2": SILENT}),  # the other one downloads it
        (MODEL, {**NOBODY, "gpu3": Unreachable("no answer")}, dict.fromkeys(NOBODY, SILENT)),
        (Model("tiny"), NOBODY, dict.fromkeys(NOBODY, SILENT)),  # it may be a folder
        (Model("./org/tiny"), NOBODY, dict.fromkeys(NOBODY, SILENT)),
    ],
)
def test_where_it_may_come_from_somewhere_nobody_is_refused(
    model: Model, there: dict[str, Lookup], no_hub: dict[str, str]
) -> None:
    assert not presence(model, there, no_hub).refusals


def test_another_revision_is_told_and_not_served_offline() -> None:
    found = presence(MODEL, {"gpu1": cache(), "gpu2": cache(commit="b" * 40)})
    assert not found.offline
    assert [(each.host, each.problem.text) for each in found.lacking] == [
        ("gpu2", "has another revision of org/tiny: bbbbbbb, and gpu1 has aaaaaaa")
    ]


def test_of_a_host_that_was_not_asked_nothing_is_said_and_the_hub_is_asked() -> None:
    found = presence(MODEL, {"gpu1": cache(), "gpu2": Unreachable("no answer")})
    assert (found.offline, found.lacking) == (False, ())


@pytest.mark.parametrize(
    "args", [("--tokenizer", "other/repo"), ("--speculative-config={}",), ("--lora_modules", "a=b")]
)
def test_with_further_repositories_the_hub_is_asked(args: tuple[str, ...]) -> None:
    assert not presence(Model(NAME, args), {"gpu1": cache()}).offline


def test_what_vllm_would_not_find_offline_is_served_online() -> None:
    assert not presence(MODEL, {"gpu1": cache(offline=False)}).offline


def test_the_revision_that_is_asked_for_counts() -> None:
    model = Model(NAME, ("--revision", "v1"))
    assert presence(model, {"gpu1": cache(names=("main", "v1"))}).offline
    ((_, text, fix),) = told(model, gpu1=cache())
    assert text.startswith("has another revision of org/tiny than v1, and")
    assert fix == "`raycluster model pull org/tiny --revision v1` downloads it once, for all"
    ((_, text, fix),) = told(model, gpu1=cache(names=("v1",)), gpu2=NOTHING)
    assert text.startswith("has nothing of org/tiny")
    assert fix == "`raycluster model copy --from gpu1 org/tiny --revision v1` brings it there"


@pytest.mark.parametrize(
    "model",
    [
        Model("s3://bucket/model"),
        Model("org/tiny:Q4_K_M"),
        Model("model.gguf"),
        Model(NAME, ("--load-format", "runai_streamer")),
        Model(NAME, ("--load-format=mistral",)),
        Model(NAME, ("--download-dir", "/x")),
    ],
)
def test_of_what_is_loaded_in_another_way_nothing_is_said(model: Model) -> None:
    assert not is_looked_at(model)
    assert presence(model, {"gpu1": NOTHING}) == NOT_LOOKED_AT


def test_a_folder_that_a_host_lacks_is_no_model_that_it_could_download() -> None:
    here = cache(commit="", names=(), name="/data/mine")
    found = presence(Model("/data/mine"), {"gpu1": here, "gpu2": NOTHING})
    ((host, text, fix),) = told(Model("/data/mine"), gpu1=here, gpu2=NOTHING)
    assert (host, text) == ("gpu2", "has nothing of /data/mine")
    assert fix == "`raycluster model copy --from gpu1 /data/mine` brings it there"
    assert found.refusals
    assert not found.lacking


SHAPE = Shape("llama", 2, 2, 2, 8, 4096, Weights(0))
SMALL, LARGE = Gpu("small", 24 << 30), Gpu("large", 80 << 30)


def knowing(shape: Shape | None, *gpus: Gpu, lacks: tuple[str, ...] = ()) -> ModelCache:
    here = cache(*lacks)
    return replace(here, gpus=gpus, shapes={(NAME, "a" * 40): shape} if shape else {})


def test_the_shape_is_told_by_whoever_has_it_best_of_all_with_its_weights() -> None:
    weighed = replace(SHAPE, weights=Weights(10, (5, 5)))
    found = presence(MODEL, {"gpu1": knowing(SHAPE), "gpu2": knowing(weighed, lacks=("x",)), "gpu3": NOTHING})
    assert found.shape == weighed
    assert presence(MODEL, {"gpu1": NOTHING}).shape is None


def test_the_smallest_gpu_of_hosts_is_known_where_each_of_them_tells() -> None:
    caches = {"gpu1": knowing(None, LARGE, SMALL), "gpu2": knowing(None, LARGE), "gpu3": NOTHING}
    found = presence(MODEL, caches)
    assert found.gpu(("gpu1", "gpu2")) == SMALL
    assert found.gpu(("gpu2",)) == LARGE
    assert found.gpu(("gpu2", "gpu3")) is None
    assert found.gpu(()) is None
