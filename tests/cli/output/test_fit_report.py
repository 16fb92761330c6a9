"""What `serve --plan` says of a model, for people."""

import pytest

from orchestrator.cli.output.fit_report import show_fit
from orchestrator.model.cluster import Model
from orchestrator.plan.facts.model_shape import Gpu, Shape
from orchestrator.plan.serving.arguments import read
from orchestrator.plan.serving.sizing import size
from tests.plan.serving.shapes import GIB, H100, LLAMA_8B, LLAMA_70B, MIXTRAL, RTX4090, shape, whole

Capture = pytest.CaptureFixture[str]
MODEL = Model("org/model")


def told(
    capsys: Capture,
    of: Shape | None,
    *counts: int,
    gpu: Gpu | None = H100,
    args: str = "",
) -> str:
    gpus = {f"gpu{number}": count for number, count in enumerate(counts, 1)}
    sizing = size(gpus, read(tuple(args.split())), of, gpu)
    model = Model(MODEL.name, tuple(args.split()))
    show_fit(model, sizing)
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    return out


def test_one_that_fits_is_told_with_what_each_gpu_holds(capsys: Capture) -> None:
    assert (
        told(capsys, whole(LLAMA_8B), 8, 8)
        == """\
org/model fits on 8 GPUs
  sizes          tensor parallel 8, pipeline parallel 1, for 8 GPUs on 1 host; 8
                 of 16 GPUs are left
  GPU            NVIDIA H100 80GB HBM3, 79.6 GiB, of which vLLM may use 71.7
  weights        1.9 GiB on the fullest GPU
  besides        about 3 GiB: activations, CUDA graphs, NCCL
  KV cache       66.8 GiB for it
  one sequence   of 131072 tokens takes 2.0 GiB of KV cache
  longest        131072 tokens
  at once        33.4 sequences of 131072 tokens
"""
    )


def test_one_that_does_not_is_told_with_what_would_make_it_fit(capsys: Capture) -> None:
    out = told(capsys, whole(LLAMA_8B), 1, gpu=RTX4090)
    assert out.startswith("org/model does not fit on 1 GPU\n")
    assert "  longest        29744 tokens\n  at once        0.2 sequences of 131072 tokens\n" in out
    assert out.endswith(
        "\nIt would fit:\n  raycluster serve org/model -- --max-model-len 29696\n  1 more host of 1 such GPU\n"
    )


def test_weights_that_are_too_much_leave_nothing(capsys: Capture) -> None:
    out = told(capsys, whole(LLAMA_70B), 1)
    assert "  KV cache       nothing for it\n" in out
    assert "  longest        none\n" in out


def test_one_that_is_close_may_not_fit(capsys: Capture) -> None:
    out = told(capsys, whole(LLAMA_8B), 1, gpu=RTX4090, args="--max-model-len 16384")
    assert out.startswith("org/model may not fit on 1 GPU: it is within 10 % of what they have\n")
    assert "\nIt would fit for sure:\n" in out


def test_more_sequences_than_vllm_takes_are_not_promised(capsys: Capture) -> None:
    out = told(capsys, whole(MIXTRAL), 8, args="--max-model-len 256")
    assert "vLLM takes no more than 1024 (--max-num-seqs)" in " ".join(out.split())


@pytest.mark.parametrize(
    ("of", "gpu", "why"),
    [
        (None, H100, "no host has its configuration"),
        (whole(LLAMA_8B), None, "the memory of its GPUs is not known"),
        (shape(LLAMA_8B), H100, "the size of its weights is not known"),
    ],
)
def test_what_is_not_known_is_said(capsys: Capture, of: Shape | None, gpu: Gpu | None, why: str) -> None:
    out = told(capsys, of, 8, gpu=gpu)
    assert out.startswith(f"org/model on 8 GPUs: whether it fits is not estimated\n  because        {why}\n")
    assert ("  weights " in out) is (of is not None and of.weights.total > 0)


def test_sizes_that_cannot_be_are_said_first(capsys: Capture) -> None:
    model = Model("org/model", ("-tp", "3"))
    show_fit(model, size({"gpu1": 8}, read(model.args), whole(LLAMA_8B), H100))
    said = capsys.readouterr()
    assert said.out.startswith("org/model cannot be cut so\n")
    assert (
        said.err
        == "✗ --tensor-parallel-size 3: its 32 heads cannot be cut by 3\n      → raycluster serve org/model\n"
    )


def test_a_gpu_says_what_it_likes_without_steering_the_terminal(capsys: Capture) -> None:
    out = told(capsys, whole(LLAMA_8B), 8, gpu=Gpu("evil\x1b[31m", 80 * GIB))
    assert "\x1b" not in out
