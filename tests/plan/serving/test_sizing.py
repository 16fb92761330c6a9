"""Sizes for a model whose shape is known: what vLLM can cut it to, on the fewest hosts, and what would make it fit."""

from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import settings
from hypothesis import strategies as st

from orchestrator.model.cluster import Model
from orchestrator.plan.facts.model_shape import Gpu, Shape
from orchestrator.plan.serving.arguments import DATA, PIPELINE, TENSOR, read
from orchestrator.plan.serving.fit import Verdict
from orchestrator.plan.serving.parallelism import choose, too_many, uncut
from orchestrator.plan.serving.sizing import Sizing, close, doubts, misfit, size
from tests.typed_lines import plainly

from .shapes import (
    DEEPSEEK_V3,
    GIB,
    GPT_OSS_120B,
    H100,
    H200,
    LLAMA_8B,
    LLAMA_70B,
    MIXTRAL,
    QWEN3_32B,
    RTX4090,
    shape,
    whole,
)

QWEN2_7B: dict[str, Any] = LLAMA_8B | {
    "model_type": "qwen2",
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
}
QWEN3_235B_FP8: dict[str, Any] = MIXTRAL | {
    "model_type": "qwen3_moe",
    "vocab_size": 151936,
    "num_hidden_layers": 94,
    "num_attention_heads": 64,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_local_experts": None,
    "moe_intermediate_size": 1536,
    "intermediate_size": 12288,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}
QWEN2_72B_AWQ: dict[str, Any] = LLAMA_70B | {
    "intermediate_size": 29568,
    "quantization_config": {"quant_method": "awq", "group_size": 128},
}
THREES = LLAMA_8B | {"num_attention_heads": 96, "num_key_value_heads": 96, "intermediate_size": 12288}
TINY = LLAMA_8B | {"num_hidden_layers": 2}
SHORT = {TENSOR.name: "-tp", PIPELINE.name: "-pp", DATA.name: "-dp", "--enable-expert-parallel": "-ep"}


def on(*counts: int) -> dict[str, int]:
    return {f"gpu{number}": count for number, count in enumerate(counts, 1)}


def sized(of: Shape | None, *counts: int, args: str = "", gpu: Gpu | None = H100) -> Sizing:
    return size(on(*counts), read(tuple(args.split())), of, gpu)


def chosen(sizing: Sizing) -> str:
    return " ".join(SHORT.get(word, word) for word in sizing.chosen.args)


# --- what vLLM can cut it to ---


@pytest.mark.parametrize(
    ("config", "tensor", "why"),
    [
        (LLAMA_8B, 8, ""),
        (LLAMA_8B, 16, ""),  # its eight heads of the cache are copied
        (LLAMA_8B, 3, "its 32 heads cannot be cut by 3"),
        (QWEN2_7B, 8, "its 28 heads cannot be cut by 8"),
        (QWEN2_7B, 4, ""),
        (QWEN2_7B, 7, "its 4 heads of the KV cache cannot be cut by 7"),
        (QWEN2_7B, 14, "its 4 heads of the KV cache cannot be cut by 14"),
        (QWEN3_235B_FP8, 4, ""),
        (QWEN3_235B_FP8, 8, "its width of 1536 cannot be cut by 8 in blocks of 128"),
        (QWEN2_72B_AWQ, 8, "its width of 29568 cannot be cut by 8 in blocks of 128"),
        (THREES, 3, ""),
        (THREES | {"intermediate_size": 14336}, 3, "its width of 14336 cannot be cut by 3"),
        (THREES | {"vocab_size": 64000}, 3, "its vocabulary of 64000 cannot be cut by 3"),
        (DEEPSEEK_V3, 16, ""),
    ],
)
def test_sizes_that_vllm_could_not_cut_it_to_are_known(config: Any, tensor: int, why: str) -> None:
    assert uncut(shape(config), tensor) == why


@pytest.mark.parametrize(("tensor", "why"), [(8, ""), (16, ""), (48, "its 32 heads cannot be cut by 48")])
@pytest.mark.parametrize("way", ["awq", "gptq", "auto-round"])
def test_groups_of_experts_are_made_smaller_where_they_do_not_come_out(
    way: str, tensor: int, why: str
) -> None:
    """Qwen3-30B-A3B in four bits: vLLM falls back to kernels for any group from 32 on."""
    quantized = {"quantization_config": {"quant_method": way, "group_size": 128}}
    config = QWEN3_235B_FP8 | quantized | {"num_attention_heads": 32, "moe_intermediate_size": 768 * 2}
    assert uncut(shape(config), tensor) == why


@pytest.mark.parametrize(
    ("more", "args", "told"),
    [
        ({}, "--max-model-len 131072", ""),
        ({}, "--max-model-len 128K", ""),
        ({}, "", ""),
        ({}, "--max-model-len 262144", "131072"),
        ({}, "--max-model-len 1M -tp 2", "131072"),
        ({}, '--max-model-len 262144 --hf-overrides {"a":1}', ""),
        (
            {"rope_scaling": {"type": "longrope"}, "original_max_position_embeddings": 4096},
            "--max-model-len 128K",
            "",
        ),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "--max-model-len 262144", ""),
        ({"model_max_length": 300000}, "--max-model-len 262144", ""),
        ({"max_position_embeddings": None}, "--max-model-len 262144", ""),
    ],
)
def test_a_length_that_vllm_refuses_is_warned_of(more: dict[str, Any], args: str, told: str) -> None:
    model = Model("a/b", tuple(args.split()))
    found = doubts("gpu1", model, sized(shape(LLAMA_8B | more, total=16 << 30), 8, args=args))
    texts = [each.problem.text for each in found if "tokens at most" in each.problem.text]
    assert bool(texts) is bool(told)
    assert not told or f"tells of {told} tokens" in texts[0]


WHISPER = {
    "model_type": "whisper",
    "is_encoder_decoder": True,
    "d_model": 1280,
    "num_hidden_layers": 32,
    "encoder_attention_heads": 20,
    "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "max_target_positions": 448,
    "vocab_size": 51866,
}
BGE = {
    "model_type": "xlm-roberta",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "max_position_embeddings": 8194,
    "vocab_size": 250002,
}


@pytest.mark.parametrize(
    ("config", "args"),
    [(WHISPER, "-tp 4 -pp 1"), (BGE, "-tp 8 -pp 1"), (BGE | {"model_type": "new"}, "-tp 8 -pp 1")],
)
def test_what_has_no_pipeline_gets_none_and_stays_on_a_host(config: Any, args: str) -> None:
    found = sized(shape(config, total=3 << 30), 8, 8)
    assert chosen(found) == args
    refused = misfit(Model("a/b", ("-pp", "2")), sized(shape(config), 8, 8, args="-pp 2"))
    assert refused
    assert refused.text == "--pipeline-parallel-size 2: vLLM has no pipeline for it"


def test_experts_that_stay_whole_are_not_cut() -> None:
    assert uncut(shape(QWEN3_235B_FP8), 8, whole=True) == ""


@pytest.mark.parametrize(
    ("config", "counts", "args"),
    [
        (QWEN2_7B, (8,), "-tp 4 -pp 2"),
        (QWEN2_7B, (6,), "-tp 2 -pp 3"),
        (LLAMA_8B, (6,), "-tp 2 -pp 3"),
        (LLAMA_8B, (3,), "-tp 1 -pp 3"),
        (TINY, (3,), "-tp 1 -pp 2"),
    ],
)
def test_a_size_that_does_not_divide_it_gives_way_to_stages_and_none_is_empty(
    config: Any, counts: tuple[int, ...], args: str
) -> None:
    sizing = sized(shape(config), *counts, gpu=None)
    assert chosen(sizing) == args
    assert "cannot be cut by" in sizing.chosen.why


@settings(deadline=None)
@each(
    st.sampled_from([LLAMA_8B, QWEN2_7B, TINY, MIXTRAL, QWEN3_235B_FP8, GPT_OSS_120B, DEEPSEEK_V3]),
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.sampled_from(["", "-tp 2", "-pp 2", "-dp 2"]),
    st.sampled_from([None, H100, RTX4090]),
)
def test_what_is_chosen_can_be_cut_and_uses_no_more_than_there_is(
    config: Any, counts: list[int], args: str, gpu: Gpu | None
) -> None:
    of, given = shape(config), read(tuple(args.split()))
    found = size(on(*counts), given, of, gpu).chosen
    if TENSOR.name in found.args:
        assert not uncut(of, found.sizes[TENSOR], whole="--enable-expert-parallel" in found.args)
    if PIPELINE.name in found.args:
        assert found.sizes[PIPELINE] <= of.layers
    if found.args and not too_many(on(*counts), given):
        assert found.ranks <= sum(counts)


def test_where_nothing_is_known_sizes_are_as_ever() -> None:
    for counts in ((8, 8), (8, 4), (0, 8), ()):
        assert sized(None, *counts).chosen == choose(on(*counts), read(()))


# --- the fewest hosts ---


@pytest.mark.parametrize(
    ("config", "gpu", "counts", "args", "why"),
    [
        (LLAMA_8B, H100, (8, 8), "-tp 8 -pp 1", "for 8 GPUs on 1 host; 8 of 16 GPUs are left"),
        (LLAMA_70B, H100, (2, 2, 2), "-tp 2 -pp 2", "for 2 GPUs on each of 2 hosts; 2 of 6 GPUs are left"),
        (LLAMA_70B, RTX4090, (2, 2), "-tp 2 -pp 2", "for 2 GPUs on each of 2 hosts"),  # fits nowhere
        (LLAMA_8B, None, (8, 8), "-tp 8 -pp 2", "for 8 GPUs on each of 2 hosts"),
        (
            LLAMA_8B,
            H100,
            (8, 4),
            "-tp 4 -pp 3",
            "for 12 GPUs on 2 hosts (8, 4)",
        ),  # unlike hosts: all, as ever
    ],
)
def test_a_dense_model_takes_the_fewest_hosts_that_it_fits(
    config: Any, gpu: Gpu | None, counts: tuple[int, ...], args: str, why: str
) -> None:
    sizing = sized(whole(config), *counts, gpu=gpu)
    assert chosen(sizing) == args
    assert sizing.chosen.why.endswith(why)


def test_experts_are_spread_over_hosts_and_attention_is_as_wide_as_its_cache_has_heads() -> None:
    sizing = sized(whole(MIXTRAL), 4, 4, gpu=Gpu("x", 26 * GIB))
    assert chosen(sizing) == "-tp 4 -dp 2 -ep"
    assert sizing.chosen.why == (
        "its 8 experts over all, tensor parallel 4, data parallel 2, for 4 GPUs on each of 2 hosts"
    )
    assert (sizing.chosen.ranks, sizing.chosen.data, sizing.verdict) == (8, 2, Verdict.FITS)


def test_a_model_of_experts_that_fits_one_host_stays_there() -> None:
    assert chosen(sized(whole(MIXTRAL), 8, 8)) == "-tp 8 -pp 1"


def deepseek() -> Shape:
    """As large as it is: 671 GB in fp8, of which 16 GB are no experts'."""
    layers = [(f"model.layers.{layer}.self_attn.x", "U8", (260_000_000,)) for layer in range(61)]
    experts = [(f"model.layers.{layer}.mlp.experts.0.x", "U8", (11_300_000_000,)) for layer in range(3, 61)]
    return shape(DEEPSEEK_V3, *layers, *experts)


def test_latent_attention_is_copied_to_each_gpu_whose_cache_is_its_own_then() -> None:
    sizing = sized(deepseek(), 8, 8, gpu=Gpu("x", 90 * GIB))
    assert chosen(sizing) == "-tp 1 -dp 16 -ep"
    assert sizing.verdict is Verdict.FITS
    assert chosen(sized(deepseek(), 8, 8, gpu=H100)) == "-tp 8 -dp 2 -ep"  # where copies are too many
    assert chosen(sized(deepseek(), 8, 8, gpu=H200)) == "-tp 8 -pp 1"


def test_one_whose_cache_cannot_be_told_takes_the_fewest_hosts_on_which_its_weights_leave_half() -> None:
    linear = ["linear_attention", "full_attention"] * 47
    experts, dense = (
        whole(QWEN3_235B_FP8 | {"layer_types": linear}),
        whole(LLAMA_70B | {"layer_types": linear}),
    )
    assert chosen(sized(experts, 8, 8)) == chosen(sized(experts, 8))
    assert chosen(sized(dense, 8, 8)) == "-tp 8 -pp 1"
    assert chosen(sized(dense, 4, 4, gpu=RTX4090)) == "-tp 4 -pp 2", "16 of 24 GiB"
    assert sized(dense, 4, 4, gpu=RTX4090).verdict is Verdict.UNKNOWN
    assert why(dense, 4, gpu=RTX4090)[1] == "1 more host of 4 such GPUs"


def test_without_the_memory_experts_take_the_least_of_it_on_all_hosts() -> None:
    assert chosen(sized(deepseek(), 8, 8, gpu=None)) == "-tp 8 -dp 2 -ep"


def test_more_gpus_than_experts_are_not_used_for_them() -> None:
    of = whole(MIXTRAL)
    assert chosen(sized(of, 8, 8, gpu=None)) == "-tp 8 -pp 2"


@pytest.mark.parametrize("args", ["-tp 8", "-pp 2", "-dp 2", "-ep"])
def test_what_a_person_says_wins(args: str) -> None:
    words = read(tuple(args.split()))
    sizing = size(on(8, 8), words, whole(MIXTRAL), H100)
    assert sizing.chosen.ranks == 16
    assert not set(sizing.chosen.args) & {option.name for option in words.values}


# --- what would make it fit ---


def why(of: Shape, *counts: int, args: str = "", gpu: Gpu = H100) -> tuple[str, str]:
    model = Model("org/model", tuple(args.split()))
    sizing = sized(of, *counts, args=args, gpu=gpu)
    found = misfit(model, sizing) or close(model, sizing)
    return (found.text, plainly(found.fix)) if found else ("", "")


def test_a_model_that_fits_has_nothing_said_of_it() -> None:
    assert why(whole(LLAMA_8B), 8) == ("", "")


def test_one_that_does_not_fit_is_told_with_what_would() -> None:
    text, fix = why(whole(LLAMA_8B), 1, gpu=RTX4090)
    assert text == (
        "org/model does not fit: a GPU would hold 15.0 GiB of weights, 16.0 GiB of KV cache for a sequence of "
        "131072 tokens and some 3 GiB besides, and vLLM may use 21.6 of its 24.0 GiB"
    )
    assert fix == ("`raycluster serve org/model -- --max-model-len 29696`, or 1 more host of 1 such GPU")


def test_one_that_is_close_may_not_fit() -> None:
    text, fix = why(whole(QWEN3_32B), 1)
    assert text.startswith(
        "org/model may not fit: a GPU would hold 61.0 GiB of weights, 10.0 GiB of KV cache"
    )
    assert fix == "if it does not: 1 more host of 1 such GPU"
    _, fix = why(whole(LLAMA_8B), 1, args="--max-model-len 20000", gpu=RTX4090)
    assert fix == (
        "if it does not: `raycluster serve org/model -- --max-model-len 11264`, or "
        "`raycluster serve org/model -- --max-model-len 20000 --kv-cache-dtype fp8`, or 1 more host of 1 such GPU"
    )


def test_weights_alone_may_be_too_much_and_then_only_more_gpus_help() -> None:
    text, fix = why(whole(LLAMA_70B), 1)
    assert "131.4 GiB of weights" in text
    assert fix == "2 more hosts of 1 such GPU"


def test_a_larger_tensor_size_is_told_where_a_smaller_one_was_given() -> None:
    _, fix = why(whole(LLAMA_70B), 8, args="-tp 1 -pp 1")
    assert fix == "raycluster serve org/model -- -pp 1 --tensor-parallel-size 4"


def test_every_line_that_is_proposed_is_not_refused_itself() -> None:
    of = whole(LLAMA_8B)
    _, fix = why(of, 1, gpu=RTX4090)
    length = fix.partition("--max-model-len ")[2].partition("`")[0]
    assert why(of, 1, args=f"--max-model-len {length}", gpu=RTX4090)[0].startswith("org/model may not fit")


def test_what_was_asked_for_beside_is_in_the_line_and_more_gpus_are_for_its_own_number() -> None:
    model = Model("org/model", gpus=2, named="big", hosts="gpu1")
    found = misfit(model, sized(whole(LLAMA_8B), 2, gpu=Gpu("small", 16 * GIB)))
    assert found
    fix = plainly(found.fix)
    assert fix.startswith(
        "`raycluster serve org/model --name big -l gpu1 --gpus 2 -- --max-model-len 63488`, or "
    )
    assert fix.endswith(", or 4 GPUs (--gpus 4)")


def test_a_key_is_in_no_line() -> None:
    _, fix = why(whole(LLAMA_8B), 1, args="--api-key s3cret", gpu=RTX4090)
    assert fix.startswith("`-- --max-model-len 29696`, or ")
    assert "s3cret" not in fix


@pytest.mark.parametrize(
    ("config", "args", "text"),
    [
        (QWEN2_7B, "-tp 8", "--tensor-parallel-size 8: its 28 heads cannot be cut by 8"),
        (TINY, "-pp 3", "--pipeline-parallel-size 3: it has 2 layers"),
        (QWEN3_235B_FP8, "-tp 8 -ep", ""),
        (LLAMA_8B, "-tp 8 -pp 2", ""),
    ],
)
def test_sizes_that_cannot_be_are_told(config: Any, args: str, text: str) -> None:
    found = misfit(Model("org/model", tuple(args.split())), sized(shape(config), 8, args=args))
    assert (found.text if found else "") == text
