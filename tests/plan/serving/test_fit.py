"""What a GPU holds of a model, and whether it does: by formula, and as vLLM itself has told of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plan.facts.model_shape import Gpu, Shape, parse_shape, stages
from orchestrator.plan.serving.arguments import CONTEXT, DATA, PIPELINE, TENSOR, read
from orchestrator.plan.serving.fit import (
    OVERHEAD,
    Asked,
    Cache,
    Estimate,
    Verdict,
    asked,
    count,
    estimate,
    grouped,
    kv_caches,
    loads,
    per_token,
)

from .shapes import (
    A100,
    DEEPSEEK_V3,
    GEMMA3_27B,
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
    tensors,
    told,
    whole,
)


def sizes(tensor: int = 1, pipeline: int = 1, data: int = 1) -> Any:
    return {TENSOR: tensor, PIPELINE: pipeline, DATA: data, CONTEXT: 0}


def fit(of: Shape, gpu: Gpu | None, args: str = "", **cut: int) -> Estimate:
    return estimate(of, sizes(**cut), read(tuple(args.split())), gpu)


def caches(of: Shape, args: str = "", *, overlaps: bool = True, **cut: int) -> list[Cache]:
    told = replace(asked(read(tuple(args.split())), of), overlaps=overlaps)
    return list(kv_caches(of, sizes(**cut), told, H200))


def per_token_of_all(of: Shape, args: str = "") -> int:
    (only,) = caches(of, args)
    full = sum(window == 0 for window in only.windows)
    return full * only.pool * only.page // only.block


# --- what hf.md has measured and computed ---


@pytest.mark.parametrize(
    ("config", "norms", "parameters", "gib", "per_token"),
    [
        (LLAMA_8B, False, 8_030_261_248, 14.96, 131072),
        (QWEN3_32B, True, 32_762_123_264, 61.02, 262144),
        (LLAMA_70B, False, 70_553_706_496, 131.42, 327680),
        (MIXTRAL, False, 46_702_792_704, 86.99, 131072),
    ],
)
def test_weights_and_cache_per_token_are_those_of_the_published_models(
    config: dict[str, Any], norms: bool, parameters: int, gib: float, per_token: int
) -> None:
    of = whole(config, norms=norms)
    assert of.weights.total == 2 * parameters
    assert loads(of, sizes()) == (2 * parameters,)
    assert round(of.weights.total / GIB, 2) == gib
    assert per_token_of_all(of) == per_token


@pytest.mark.parametrize(
    ("args", "per_token"),
    [
        ("", 70272),
        ("--kv-cache-dtype bfloat16", 70272),
        ("--kv-cache-dtype fp8", 35136),
        ("--kv-cache-dtype fp8_ds_mla", 40016),
    ],
)
def test_latent_attention_keeps_one_head_on_every_rank(args: str, per_token: int) -> None:
    of = shape(DEEPSEEK_V3)
    assert per_token_of_all(of, args) == per_token
    assert caches(of, args, tensor=8)[0].page == caches(of, args)[0].page


def test_of_windowed_layers_only_the_full_ones_grow_with_the_text() -> None:
    of = shape(GPT_OSS_120B)
    assert [(window, len(layers)) for window, layers in grouped(of.windows)] == [(128, 18), (0, 18)]
    assert per_token_of_all(of) == 36864
    (only,) = caches(of)
    window = (128 - 1 + 2 * 8192) / 16
    assert only.blocks(131072) == 131072 / 16 + -(-window // 1) + 1


def test_a_small_llama_has_as_many_tokens_as_vllm_says() -> None:
    """VLLM 0.32 on CPUs, with VLLM_CPU_KVCACHE_SPACE=1: "GPU KV cache size: 1,048,576 tokens"."""
    tiny = LLAMA_8B | {
        "num_hidden_layers": 4,
        "hidden_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    (only,) = caches(shape(tiny), "--block-size 128")
    assert only.pool * only.page // only.block == 1024
    assert only.blocks_in(GIB) * only.block == 1_048_576


def test_a_small_gemma_has_as_many_sequences_as_vllm_says() -> None:
    """VLLM 0.32 on CPUs: "Maximum concurrency for 8,192 tokens per request: 51.52x"."""
    text = GEMMA3_27B["text_config"] | {
        "num_hidden_layers": 12,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "sliding_window": 256,
    }
    of = shape({"model_type": "gemma3", "text_config": text})
    assert of.windows.count(256) == 10
    (only,) = caches(of, "--block-size 128 --max-num-batched-tokens 2048", overlaps=False)
    assert round(only.blocks_in(GIB) / only.blocks(8192), 2) == 51.52


def test_groups_of_layers_are_alike_in_size_and_the_last_are_padded() -> None:
    of = shape(GEMMA3_27B)
    assert (of.windows.count(1024), of.windows.count(0)) == (52, 10)
    groups = grouped(of.windows)
    assert [window for window, _ in groups] == [1024] * 6 + [0]
    assert max(len(layers) for _, layers in groups) == 10
    assert round(7 * 10 / 62, 2) == 1.13


def test_kinds_of_layers_that_are_almost_as_many_share_groups_of_the_larger() -> None:
    windows = (128,) * 12 + (0,) * 13
    assert [len(layers) for _, layers in grouped(windows)] == [12, 13]


def test_windows_count_as_full_where_their_own_management_is_off() -> None:
    of = shape(GPT_OSS_120B)
    (only,) = caches(of, "--disable-hybrid-kv-cache-manager")
    assert (only.windows, only.pool) == ((0,), 36)


# --- how it is cut ---


@pytest.mark.parametrize(("tensor", "heads"), [(1, 8), (2, 4), (8, 1), (16, 1)])
def test_heads_of_the_cache_are_cut_and_copied_where_there_are_fewer(tensor: int, heads: int) -> None:
    assert per_token(shape(LLAMA_70B), tensor, 2) == 2 * heads * 128 * 2


@pytest.mark.parametrize(
    ("layers", "count", "dealt"),
    [
        (32, 1, [32]),
        (32, 2, [16, 16]),
        (61, 2, [31, 30]),
        (62, 4, [15, 16, 16, 15]),
        (80, 3, [27, 27, 26]),
        (5, 4, [1, 1, 2, 1]),
    ],
)
def test_layers_are_dealt_to_stages_as_vllm_does(layers: int, count: int, dealt: list[int]) -> None:
    assert [len(stage) for stage in stages(layers, count)] == dealt


def test_each_end_of_a_pipeline_has_its_own_matrix_and_the_fullest_stage_counts() -> None:
    of = whole(LLAMA_8B)
    first, last = loads(of, sizes(pipeline=2)) or ()
    embedding = 2 * 128256 * 4096
    assert first + last == of.weights.total
    assert of.weights.first == of.weights.last == embedding
    assert abs(first - last) < embedding / 100
    tied = replace(of, weights=replace(of.weights, last=0))
    assert loads(tied, sizes(pipeline=2)) == (first, last)
    assert loads(tied, sizes()) == (of.weights.total - embedding,)


def test_experts_are_spread_over_data_parallel_ranks_and_all_else_is_copied() -> None:
    of = whole(MIXTRAL)
    experts, copied = sum(of.weights.experts), sum(of.weights.copied)
    (here,) = loads(of, sizes(tensor=8, data=2)) or ()
    assert here == (of.weights.total - experts - copied) // 8 + copied + experts // 16


@pytest.mark.parametrize(
    ("config", "names", "here"),
    [
        (LLAMA_8B, ("q_proj", "k_proj", "v_proj"), 3 * 128),
        (LLAMA_8B | {"num_key_value_heads": 2}, ("q_proj", "k_proj", "v_proj"), 128 + 2 * 512),
        (LLAMA_8B | {"num_key_value_heads": 1}, ("q_proj", "k_proj", "v_proj"), 128 + 2 * 1024),
        (DEEPSEEK_V3, ("q_a_proj", "q_b_proj"), 1024 + 128),
        (DEEPSEEK_V3, ("q_a_layernorm", "kv_a_proj_with_mqa", "kv_b_proj"), 2 * 1024 + 128),
    ],
    ids=["as many heads", "two heads", "one head", "latent queries", "latent keys"],
)
def test_of_attention_each_of_eight_ranks_holds_what_vllm_gives_it(
    config: dict[str, Any], names: tuple[str, ...], here: int
) -> None:
    """Compared with the parameters of the models that vLLM 0.32 makes."""
    of = shape(config, *((f"model.layers.0.self_attn.{name}.weight", "BF16", (512,)) for name in names))
    assert loads(of, sizes(tensor=8)) == (here,)


def test_layers_for_speculative_decoding_are_not_counted() -> None:
    """DeepSeek-V3's file has a 62nd layer, which vLLM leaves out."""
    of = shape(DEEPSEEK_V3, ("model.layers.60.x", "BF16", (10,)), ("model.layers.61.x", "BF16", (1000,)))
    assert of.weights.total == 20


def test_numbers_are_counted_as_they_are_loaded() -> None:
    """Without quantisation vLLM has two bytes for each; with it, what the file has."""
    of = ("model.layers.0.x", "F32", (10,)), ("model.layers.0.y", "BF16", (10,))
    assert shape(LLAMA_8B, *of).weights.total == 40
    assert shape(LLAMA_8B | {"quantization_config": {"quant_method": "awq"}}, *of).weights.total == 60


def test_an_output_that_is_the_embedding_is_loaded_once() -> None:
    """Whatever the file has of it."""
    of = ("model.embed_tokens.weight", "BF16", (1000,)), ("lm_head.weight", "BF16", (1000,))
    assert shape(LLAMA_8B | {"tie_word_embeddings": True}, *of).weights.total == 2000
    assert shape(LLAMA_8B | {"tie_word_embeddings": False}, *of).weights.total == 4000
    within = {"text_config": LLAMA_8B | {"tie_word_embeddings": False}, "tie_word_embeddings": True}
    assert shape(within, *of).weights.total == 4000


def test_without_all_headers_the_index_tells_of_the_weights() -> None:
    half = told(LLAMA_8B, *list(tensors(LLAMA_8B))[:100], total=16_060_522_496)
    half["weights"] |= {"read": 2, "of": 4}
    of = parse_shape(half)
    assert of
    assert (of.weights.total, of.weights.layers) == (16_060_522_496, ())
    assert loads(of, sizes(tensor=8, pipeline=2)) == (16_060_522_496 // 16,) * 2
    of = replace(of, experts=8)
    assert loads(of, sizes(tensor=8, data=2)) is None


# --- whether it fits ---


@pytest.mark.parametrize(
    ("config", "gpu", "cut", "args", "verdict"),
    [
        (LLAMA_8B, H100, {}, "", Verdict.FITS),
        (LLAMA_8B, RTX4090, {}, "", Verdict.NOT),
        (LLAMA_8B, RTX4090, {}, "--max-model-len 8192", Verdict.FITS),
        (LLAMA_8B, RTX4090, {}, "--max-model-len 16384", Verdict.CLOSE),
        (LLAMA_8B, RTX4090, {"tensor": 2}, "", Verdict.FITS),
        (LLAMA_70B, H100, {"tensor": 2}, "", Verdict.NOT),
        (LLAMA_70B, H100, {"tensor": 4}, "", Verdict.FITS),
        (LLAMA_70B, H100, {"tensor": 2, "pipeline": 2}, "", Verdict.FITS),
        (QWEN3_32B, H100, {}, "", Verdict.CLOSE),
        (QWEN3_32B, H100, {}, "--kv-cache-dtype fp8", Verdict.CLOSE),
        (QWEN3_32B, H200, {}, "", Verdict.FITS),
        (QWEN3_32B, H200, {}, "--gpu-memory-utilization 0.3", Verdict.NOT),
    ],
)
def test_a_model_is_compared_with_what_may_be_used(
    config: dict[str, Any], gpu: Gpu, cut: dict[str, int], args: str, verdict: Verdict
) -> None:
    assert fit(whole(config), gpu, args, **cut).verdict is verdict


def test_an_estimate_adds_up() -> None:
    found = fit(whole(LLAMA_8B), H100, "--max-model-len 32768")
    assert found.weights
    assert found.room
    assert found.sequence
    assert found.usable == int(H100.memory * 0.9) == found.weights + OVERHEAD + found.room
    assert (found.length, found.sequence) == (32768, 32768 * 131072)
    assert found.longest == 131072  # the model's own
    assert found.sequences == pytest.approx(found.room / found.sequence, rel=0.001)
    assert found.most == 1024
    assert fit(whole(LLAMA_8B), A100).most == 256
    assert [caches(shape(GPT_OSS_120B), pipeline=stages)[0].batched for stages in (1, 2)] == [16384, 24576]
    (huge,) = kv_caches(shape(GPT_OSS_120B), sizes(), Asked(overlaps=False), Gpu("NVIDIA B200", 180 * GIB))
    assert huge.batched == 16384


def test_the_longest_sequence_is_the_last_that_there_is_room_for() -> None:
    found = fit(whole(QWEN3_32B), H100)
    assert found.longest
    assert found.room
    (only,) = caches(whole(QWEN3_32B))
    assert only.bytes(found.longest) <= found.room < only.bytes(found.longest + 1)


def test_data_parallel_ranks_have_a_cache_each() -> None:
    one, two = (fit(whole(MIXTRAL), H200, tensor=8, data=data) for data in (1, 2))
    assert one.sequences
    assert two.sequences
    assert two.sequences > 2 * one.sequences


def test_a_cache_of_a_given_size_has_to_hold_one_sequence() -> None:
    of = whole(LLAMA_8B)
    assert fit(of, H100, f"--kv-cache-memory-bytes {8 * GIB}").verdict is Verdict.NOT
    held = fit(of, H100, f"--kv-cache-memory-bytes {8 * GIB} --max-model-len 32768")
    assert (held.verdict, held.room, held.usable) == (Verdict.FITS, 8 * GIB, H100.memory)
    assert held.sequences == 2
    assert fit(of, H100, "--kv-cache-memory-bytes 90G --max-model-len 1k").verdict is Verdict.NOT


@pytest.mark.parametrize("length", ["-1", "auto", "AUTO"])
def test_as_long_as_fits_is_found(length: str) -> None:
    found = fit(whole(LLAMA_8B), RTX4090, f"--max-model-len {length}")
    assert found.verdict is Verdict.FITS
    assert found.length == found.longest
    assert 0 < found.length < 131072


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4096", 4096),
        ("131_072", 131072),
        ("32k", 32000),
        ("32K", 32768),
        ("1.5k", 1500),
        ("1M", 1 << 20),
        ("", 0),
        ("-1", 0),
        ("x", 0),
    ],
)
def test_numbers_are_read_as_vllm_reads_them(text: str, number: int) -> None:
    assert count(text) == number


# --- what is not estimated ---


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ("--quantization fp8", "--quantization is given"),
        ("-q fp8", "--quantization is given"),
        ("--cpu-offload-gb 10", "--cpu-offload-gb is given"),
        ("--speculative-config {}", "--speculative-config is given"),
        ("--hf-overrides.rope_scaling.factor 4", "--hf-overrides is given"),
        ("-sc.method=ngram -sc.num_speculative_tokens 3", "--speculative-config is given"),
        ("-cc.mode 3", ""),
        ("--enable-lora", "--enable-lora is given"),
        ("--config file.yaml", "--config is given"),
        ("--disable-sliding-window", "--disable-sliding-window is given"),
        ("-dcp 2", "--decode-context-parallel-size is given"),
        ("--dtype float32", "--dtype is given"),
        ("--kv-cache-dtype nvfp4", "--kv-cache-dtype nvfp4 is given"),
    ],
)
def test_arguments_that_make_it_another_model_leave_it_to_vllm(args: str, why: str) -> None:
    found = fit(whole(LLAMA_8B), H100, args)
    assert found.why == why
    assert (found.verdict is Verdict.UNKNOWN) is bool(why)


def test_the_quantisation_that_a_model_has_may_be_named() -> None:
    awq = shape(LLAMA_8B | {"quantization_config": {"quant_method": "awq"}}, *tensors(LLAMA_8B))
    assert fit(awq, H100, "--quantization awq").verdict is Verdict.FITS


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"mamba_d_state": 128}, "a state in place of a KV cache"),
        ({"linear_num_key_heads": 16}, "a state in place of a KV cache"),
        ({"layer_types": ["linear_attention"] * 32}, "a state in place of a KV cache"),
        ({"is_encoder_decoder": True}, "cross-attention"),
        ({"attention_chunk_size": 8192}, "works in chunks"),
        ({"kv_lora_rank": 256}, "latent attention"),
        ({"attn_type_list": [0, 0, 1, 0]}, "a state in place of a KV cache"),  # MiniMax-Text-01
        ({"layer_group_size": 5}, "a state in place of a KV cache"),  # Ring-linear
        ({"model_type": "rwkv6"}, "a state in place of a KV cache"),
        ({"conv_L_cache": 3}, "a state in place of a KV cache"),  # LFM2
        ({"mixer_types": ["minicpm4", "lightning"]}, "a state in place of a KV cache"),  # MiniCPM-SALA
        ({"use_cla": True}, "share KV caches"),  # Hunyuan-Large
        ({"sparse_attention_config": {"sparse_topk": 16}}, "keeps an index"),  # MiniMax-M3
        ({"zero_expert_num": 256}, "attention twice"),  # LongCat-Flash
        ({"per_layer_config": {"7": {"head_dim": 512}}}, "differ from each other"),  # Gemma 4
        ({"model_type": "xlm-roberta"}, "an encoder"),
        ({"is_causal": False}, "an encoder"),  # gte-Qwen2
        ({"use_bidirectional_attention": True}, "an encoder"),  # EmbeddingGemma
        ({"dual_chunk_attention_config": {"chunk_size": 262144}}, "works in chunks"),  # Qwen2.5-1M
        ({"index_topk": 2048}, "keeps an index"),
        ({"sliding_window": 4096}, "only the last 4096 tokens"),
        ({"swa_num_key_value_heads": 4}, "heads of several sizes"),
        ({"quantization_config": {"quant_method": "fp8", "kv_cache_scheme": {"num_bits": 8}}}, "of its own"),
    ],
)
def test_of_another_cache_only_the_weights_are_told(more: dict[str, Any], why: str) -> None:
    of = shape(LLAMA_8B | more, *tensors(LLAMA_8B))
    found = fit(of, H100)
    assert (found.verdict, found.sequence) == (Verdict.UNKNOWN, None)
    assert why in found.why
    assert found.weights == 2 * 8_030_261_248
    assert fit(of, Gpu("small", 12 * GIB)).verdict is Verdict.NOT


@pytest.mark.parametrize(
    ("kind", "left", "why"),
    [
        ("llama", ("num_key_value_heads",), "num_key_value_heads"),
        ("llama", ("max_position_embeddings",), "max_position_embeddings"),
        ("qwen3", ("head_dim",), "head_dim"),
        ("deepseek_v2", (), "kv_lora_rank"),
        ("llama", ("head_dim",), ""),
    ],
)
def test_what_a_language_model_in_another_leaves_to_its_class_is_not_guessed(
    kind: str, left: tuple[str, ...], why: str
) -> None:
    """As transformers before 5 wrote it: without what is as its class has it."""
    inner = {key: value for key, value in {**LLAMA_8B, "head_dim": 128}.items() if key not in left}
    of = shape({"model_type": "llava", "text_config": inner | {"model_type": kind}}, *tensors(LLAMA_8B))
    found = fit(of, H100)
    assert found.why == (why and f"its configuration leaves out {why}")
    assert (found.verdict is Verdict.UNKNOWN) is bool(why)
    assert found.weights == 2 * 8_030_261_248


def test_what_each_layer_has_of_an_attention_that_is_all_full_is_told() -> None:
    """MiniMax-M2 lists the kinds of attention, too."""
    assert not shape(LLAMA_8B | {"attn_type_list": [1] * 32}).odd


@pytest.mark.parametrize(
    ("more", "total"),
    [
        ({"torch_dtype": "bfloat16"}, 1000),
        ({"torch_dtype": "float32"}, 500),
        ({"dtype": "float32"}, 500),
        ({"torch_dtype": "float32", "quantization_config": {"quant_method": "awq"}}, 1000),
        ({}, 0),
    ],
)
def test_files_without_headers_count_as_their_numbers_are_loaded(more: dict[str, Any], total: int) -> None:
    """A pytorch_model.bin of four bytes a number takes half of its size."""
    of = told(LLAMA_8B | more)
    of["weights"] |= {"bytes": 1000}
    found = parse_shape(of)
    assert found
    assert found.weights.total == total


def test_without_the_memory_of_a_gpu_what_it_would_hold_is_told() -> None:
    found = fit(whole(LLAMA_8B), None)
    assert (found.verdict, found.why) == (Verdict.UNKNOWN, "the memory of its GPUs is not known")
    assert (found.weights, found.sequence, found.room) == (2 * 8_030_261_248, 131072 * 131072, None)
    assert fit(shape(LLAMA_8B), H100).why == "the size of its weights is not known"


# --- what a configuration tells ---


@pytest.mark.parametrize(
    ("config", "longest"),
    [
        (LLAMA_8B, 131072),
        (DEEPSEEK_V3, 163840),
        (GPT_OSS_120B, 131072),
        (GEMMA3_27B, 131072),
        (LLAMA_8B | {"rope_scaling": {"type": "linear", "factor": 2.0}}, 262144),
        (LLAMA_8B | {"rope_scaling": {"type": "longrope"}, "original_max_position_embeddings": 4096}, 4096),
        (LLAMA_8B | {"rope_scaling": {"type": "linear", "factor": 0.5}}, 65536),
        (LLAMA_8B | {"rope_scaling": {"type": "su"}, "original_max_position_embeddings": 4096}, 4096),
        ({**LLAMA_8B, "max_position_embeddings": None}, 2048),
    ],
)
def test_the_longest_sequence_is_derived_as_vllm_does(config: dict[str, Any], longest: int) -> None:
    assert shape(config).longest == longest


def test_of_the_length_of_its_tokenizer_no_more_may_be_asked_for() -> None:
    assert shape(LLAMA_8B | {"model_max_length": 2048}).most == 2048


@pytest.mark.parametrize(
    "config",
    [{}, {"num_hidden_layers": 32}, {"num_hidden_layers": "32", "num_attention_heads": True}, [], None, 7],
)
def test_what_is_no_shape_is_none(config: Any) -> None:
    assert parse_shape({"config": config, "weights": None}) is None


def test_windows_of_all_layers_are_one_group() -> None:
    of = shape(MIXTRAL | {"model_type": "mistral", "sliding_window": 4096})
    (only,) = caches(of)
    assert (only.windows, only.pool) == ((4096,), 32)
    assert Asked().windows


KEYS = sorted({*LLAMA_8B, *DEEPSEEK_V3, *GPT_OSS_120B, *GEMMA3_27B, "attn_config", "ffn_dim", "index_topk"})
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 1 << 51) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=8),
    ANYTHING,
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
)
def test_whatever_a_configuration_says_is_read_or_passed_over(
    more: dict[str, Any], weights: Any, cut: tuple[int, int, int]
) -> None:
    for config in (more, LLAMA_8B | more, GEMMA3_27B | {"text_config": GEMMA3_27B["text_config"] | more}):
        of = parse_shape({"config": config, "weights": weights})
        if of:
            fit(of, H100, tensor=cut[0], pipeline=cut[1], data=cut[2])
            fit(of, None, "--max-model-len auto --kv-cache-dtype fp8")
