"""How a model is spread: all GPUs, and no tensor-parallel group over two hosts, unless a person says so."""

from collections.abc import Mapping
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.cluster import Model
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.arguments import DATA, PIPELINE, TENSOR, Given, read
from orchestrator.plan.serving.data_parallel import FILL, SPAN, Placement, placed_by_ray
from orchestrator.plan.serving.parallelism import choose, too_many
from orchestrator.plan.serving.servers import again


def on(*counts: int) -> dict[str, int]:
    return {f"10.0.0.{number}": count for number, count in enumerate(counts, 1)}


def what(told: str) -> Given:
    return read(tuple(told.split()))


def placed(told: str, gpus: Mapping[str, int]) -> Placement | Problem:
    model = Model("a/b", tuple(told.split()))
    return placed_by_ray(model, choose(gpus, what(told)), gpus, "10.0.0.1", "10.0.0.1")


def sizes(*counts: int, told: str = "") -> tuple[int, int]:
    """What vLLM goes by in the end: tensor, pipeline. What a person has told comes last; 1 where nobody says."""
    args = read((*choose(on(*counts), what(told)).args, *told.split()))
    return args.number(TENSOR) or 1, args.number(PIPELINE) or 1


@pytest.mark.parametrize(
    ("counts", "tensor", "pipeline"),
    [
        ((1,), 1, 1),
        ((8,), 8, 1),
        ((8, 8), 8, 2),
        ((8, 8, 8), 8, 3),
        ((8, 4), 4, 3),
        ((8, 6), 2, 7),
        ((3, 2), 1, 5),
        ((1, 1), 1, 2),
        ((0, 8), 8, 1),  # a head without GPUs
        ((0, 4, 4), 4, 2),
        ((0, 0), 1, 1),
        ((), 1, 1),
    ],
)
def test_tensor_parallel_within_a_host_and_pipeline_parallel_across(
    counts: tuple[int, ...], tensor: int, pipeline: int
) -> None:
    assert sizes(*counts) == (tensor, pipeline)


@given(st.lists(st.integers(0, 64), max_size=20))
def test_all_gpus_are_used_and_no_group_leaves_its_host(counts: list[int]) -> None:
    tensor, pipeline = sizes(*counts)
    assert tensor * pipeline == max(1, sum(counts))
    assert all(count % tensor == 0 for count in counts)


def test_without_a_gpu_nothing_is_chosen_and_nothing_claimed() -> None:
    chosen = choose(on(0, 0), what(""))
    assert (chosen.args, chosen.why) == ((), "")


@pytest.mark.parametrize(
    ("told", "tensor", "pipeline"),
    [
        ("-tp 4", 4, 4),
        ("-tp=4", 4, 4),
        ("--tensor_parallel_size=4", 4, 4),
        ("--tensor-parallel-size 16", 16, 1),
        ("-tp 4 -tp 2", 2, 8),
        ("--tensor-parallel-size 2 -tp 4", 4, 4),
        ("-tp 4 --tensor-parallel-size 2", 2, 8),
        ("-pp 4", 4, 4),
        ("-pp 3", 4, 3),
        ("-pp 5", 2, 5),
        ("-pp 9", 1, 9),
        ("-tp 3", 3, 4),
        ("-tp 5", 5, 2),
        ("-tp 9", 9, 1),
        ("--pipeline_parallel_size=1", 16, 1),
        ("-tp 2 -pp 2", 2, 2),
    ],
)
def test_what_a_person_says_wins_and_the_other_size_follows(told: str, tensor: int, pipeline: int) -> None:
    assert sizes(8, 8, told=told) == (tensor, pipeline)


@given(st.lists(st.sampled_from([1, 2, 4, 6, 8]), min_size=1, max_size=5), st.integers(1, 12))
def test_with_so_many_stages_a_group_is_a_part_of_a_host_or_whole_hosts(
    counts: list[int], stages: int
) -> None:
    within = gcd(*counts)
    tensor, pipeline = sizes(*counts, told=f"-pp {stages}")
    assert pipeline == stages
    assert within % tensor == 0 or tensor % within == 0
    assert tensor * stages <= sum(counts) or tensor == 1


@pytest.mark.parametrize("told", ["-tp two", "-tp", "-tp=", "-tp -1", "-tp 0"])
def test_nonsense_is_left_for_vllm_to_refuse(told: str) -> None:
    assert choose(on(8, 8), what(told)).args == (TENSOR.name, "8", PIPELINE.name, "2")


@pytest.mark.parametrize(
    ("counts", "told", "chosen"),
    [
        ((8, 8), "-dp 2", "-tp 8 -pp 1"),
        ((8, 8), "--data-parallel-size=4", "-tp 4 -pp 1"),
        ((8, 8), "-dp 16 --enable-expert-parallel", "-tp 1 -pp 1"),
        ((8, 8), "-dp 2 -tp 4", "-pp 2"),
        ((8, 8), "-dp 2 -pp 4", "-tp 2"),
        ((8, 8), "-dp 2 -tp 8 -pp 1", ""),
        ((8, 8, 8, 8), "-dp 2", "-tp 8 -pp 2"),  # each rank on two hosts
        ((8, 4), "-dp 3", "-tp 4 -pp 1"),
        ((8, 8), "-pcp 2", "-tp 8 -pp 1"),
        ((8, 8), "--prefill-context-parallel-size 2 -dp 2", "-tp 4 -pp 1"),
        ((8, 8), "-dcp 4", "-tp 8 -pp 2"),  # it shares the GPUs of tensor parallelism
        ((8, 8), "--tensor-parallel 4", "-pp 4"),
        ((8, 8), "--tensor-parallel 16", "-pp 1"),
        # What does not come out even is left to the person.
        ((8, 8), "-dp 3", ""),
        ((8, 8, 8), "-dp 8", ""),
        ((8, 4), "-dp 2", ""),
        ((8, 8), "-dp 32", ""),
    ],
)
def test_data_and_context_parallel_ranks_have_gpus_of_their_own(
    counts: tuple[int, ...], told: str, chosen: str
) -> None:
    short = {TENSOR.name: "-tp", PIPELINE.name: "-pp"}
    assert [short.get(word, word) for word in choose(on(*counts), what(told)).args] == chosen.split()


@pytest.mark.parametrize(
    ("counts", "told", "said"),
    [
        ((8, 8), "", ()),
        ((8, 8), "-dp 1", ()),
        ((8, 8), "-dp 2 -tp 8", ("-dpb", "ray", "-dpl", "1")),
        ((8, 8), "-dp 2 -tp 8 -dpb ray", ("-dpl", "1")),
        ((8, 8), "-dp 2 -tp 8 -dpl 1", ("-dpb", "ray")),
        ((8, 8), "-dp 4", ("-dpb", "ray", "-dpl", "2")),
        ((8, 8), "-dp 2 -tp 4 -pp 1", ("-dpb", "ray", "-dpl", "2")),  # the head has room for both
        ((8, 8, 8, 8), "-dp 2", ("-dpb", "ray", SPAN)),
        ((8, 4), "-dp 3", ("-dpb", "ray", "-dpl", "2", FILL)),
        ((8, 8), "-dp 2 -tp 4 -pp 1 -dpb mp", ()),
    ],
)
def test_ray_places_data_parallel_ranks_on_all_hosts(
    counts: tuple[int, ...], told: str, said: tuple[object, ...]
) -> None:
    gpus = on(*counts)
    found = placed(told, gpus)
    assert not isinstance(found, Problem)
    short = {"--data-parallel-backend": "-dpb", "--data-parallel-size-local": "-dpl"}
    env = (found.env,) if found.env else ()
    assert (*(short.get(word, word) for word in found.args), *env) == said


@pytest.mark.parametrize(
    ("counts", "told", "why", "works"),
    [
        (
            (8, 4),
            "-dp 5 -tp 4 -pp 1",
            "5 data-parallel ranks of 4 GPUs each find no place: vLLM wants the first of them on the head",
            "-tp 4 -pp 1 --data-parallel-size 3",
        ),
        (
            (8, 8),
            "-dp 2 -tp 8 -pp 1 -dpb mp",
            "--data-parallel-backend mp: all ranks would be on the head, which has 8 of the 16 GPUs",
            "-dp 2 -tp 8 -pp 1",
        ),
        (
            (8, 4),
            "-dp 2 -tp 6 -pp 1",
            "2 data-parallel ranks of 6 GPUs each find no place: vLLM wants the first of them on the head",
            "",
        ),
        (
            (0, 8, 8),
            "-dp 2 -tp 8 -pp 1",
            "2 data-parallel ranks of 8 GPUs each find no place: vLLM wants the first of them on the head",
            "",
        ),
    ],
)
def test_data_parallel_ranks_that_would_be_waited_for_in_vain_are_refused(
    counts: tuple[int, ...], told: str, why: str, works: str
) -> None:
    gpus = on(*counts)
    found = placed(told, gpus)
    assert found == Problem(why, again(Model("a/b", tuple(works.split()))))
    assert isinstance(placed(works, gpus), Placement)


@given(st.lists(st.sampled_from([0, 2, 4, 8]), min_size=1, max_size=6), st.integers(2, 16))
def test_whatever_sizes_are_chosen_beside_data_parallelism_use_every_gpu(
    counts: list[int], data: int
) -> None:
    chosen = choose(on(*counts), what(f"-dp {data}"))
    assert chosen.sizes[DATA] == data
    assert chosen.ranks == (sum(counts) if chosen.args else data)


@pytest.mark.parametrize(
    ("counts", "told", "why"),
    [
        ((1,), "", "tensor parallel 1, pipeline parallel 1, for 1 GPU on 1 host"),
        ((8, 8), "", "tensor parallel 8, pipeline parallel 2, for 8 GPUs on each of 2 hosts"),
        ((0, 8), "", "tensor parallel 8, pipeline parallel 1, for 8 GPUs on 1 host"),
        ((8, 4), "", "tensor parallel 4, pipeline parallel 3, for 12 GPUs on 2 hosts (8, 4)"),
        ((8, 8), "-tp 4", "pipeline parallel 4, for 8 GPUs on each of 2 hosts"),
        ((8, 8), "-pp 1", "tensor parallel 16, for 8 GPUs on each of 2 hosts"),
        ((8, 8, 8), "-pp 2", "tensor parallel 8, for 8 GPUs on each of 3 hosts; 16 of 24 are used"),
        ((8, 8), "-tp 3", "pipeline parallel 4, for 8 GPUs on each of 2 hosts; 12 of 16 are used"),
    ],
)
def test_only_what_was_chosen_is_explained(counts: tuple[int, ...], told: str, why: str) -> None:
    assert choose(on(*counts), what(told)).why == why


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("-tp 16", ""),
        ("-tp 17", "tensor parallel 17 needs 17 GPUs, and Ray lists 16"),
        ("-tp 8 -pp 3", "tensor parallel 8 times pipeline parallel 3 needs 24 GPUs, and Ray lists 16"),
        ("-dp 2 -tp 16", "tensor parallel 16 times data parallel 2 needs 32 GPUs, and Ray lists 16"),
        (
            "-pcp 2 -tp 16",
            "tensor parallel 16 times prefill-context parallel 2 needs 32 GPUs, and Ray lists 16",
        ),
        ("-dcp 2 -tp 16 -ep", ""),
        (f"-tp {'9' * 5000}", ""),
    ],
)
def test_more_gpus_than_there_are(told: str, why: str) -> None:
    assert too_many(on(8, 8), what(told)) == why
