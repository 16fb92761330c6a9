"""How a model is spread: all GPUs, and no tensor-parallel group over two hosts, unless a person says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan.serving import spec
from orchestrator.plan.serving.parallelism import PIPELINE, TENSOR, choose, too_many


def on(*counts: int) -> dict[str, int]:
    return {f"10.0.0.{number}": count for number, count in enumerate(counts, 1)}


def sizes(*counts: int, told: str = "") -> tuple[int, int]:
    """What vLLM goes by in the end: tensor, pipeline. What a person has told comes last; 1 where nobody says."""
    args = (*choose(on(*counts), tuple(told.split())).args, *told.split())
    return spec.option_number(args, *TENSOR) or 1, spec.option_number(args, *PIPELINE) or 1


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
    chosen = choose(on(0, 0), ())
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
        ("--pipeline_parallel_size=1", 16, 1),
        ("-tp 2 -pp 2", 2, 2),
    ],
)
def test_what_a_person_says_wins_and_the_other_size_follows(told: str, tensor: int, pipeline: int) -> None:
    assert sizes(8, 8, told=told) == (tensor, pipeline)


@pytest.mark.parametrize("told", ["-tp two", "-tp", "-tp=", "-tp -1", "-tp 0"])
def test_nonsense_is_left_for_vllm_to_refuse(told: str) -> None:
    assert choose(on(8, 8), tuple(told.split())).args == (TENSOR[0], "8", PIPELINE[0], "2")


@pytest.mark.parametrize(
    "told",
    [
        *("-dp 2", "--data-parallel-size=2", "--data_parallel_size_local 4", "-tp 2 -dp 8"),
        "--config /models/qwen.yaml",
    ],
)
def test_whoever_spreads_it_in_another_way_is_left_alone(told: str) -> None:
    chosen = choose(on(8, 8), tuple(told.split()))
    assert (chosen.args, chosen.why) == ((), "")


@pytest.mark.parametrize(
    ("counts", "told", "why"),
    [
        ((1,), "", "tensor parallel 1, pipeline parallel 1, for 1 GPU on 1 host"),
        ((8, 8), "", "tensor parallel 8, pipeline parallel 2, for 8 GPUs on each of 2 hosts"),
        ((0, 8), "", "tensor parallel 8, pipeline parallel 1, for 8 GPUs on 1 host"),
        ((8, 4), "", "tensor parallel 4, pipeline parallel 3, for 12 GPUs on 2 hosts (8, 4)"),
        ((8, 8), "-tp 4", "pipeline parallel 4, for 8 GPUs on each of 2 hosts"),
        ((8, 8), "-pp 1", "tensor parallel 16, for 8 GPUs on each of 2 hosts"),
    ],
)
def test_only_what_was_chosen_is_explained(counts: tuple[int, ...], told: str, why: str) -> None:
    assert choose(on(*counts), tuple(told.split())).why == why


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("-tp 16", ""),
        ("-tp 17", "tensor parallel 17 needs 17 GPUs, and Ray lists 16"),
        ("-tp 8 -pp 3", "tensor parallel 8 times pipeline parallel 3 needs 24 GPUs, and Ray lists 16"),
        (f"-tp {'9' * 5000}", ""),
    ],
)
def test_more_gpus_than_there_are(told: str, why: str) -> None:
    assert too_many(on(8, 8), tuple(told.split())) == why
