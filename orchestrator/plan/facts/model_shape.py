"""Shape of a model: what its configuration and the headers of its weights tell of layers, heads and bytes.

The names are those of transformers' configurations; how they are read is vLLM's way, seen in
`transformers_utils/model_arch_config_convertor.py` and `config/model.py` of vLLM 0.32.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.model_weights import MOST, Weights, counted, narrowed, parse_weights, word

MOST_LAYERS = 10_000
REGROUPED, FINEST = ("awq", "gptq", "auto-round"), 32
"""Quantisations by groups, which vLLM makes smaller for experts that cannot be cut in them, and the smallest.

`check_moe_marlin_supports_layer` and `quantization/moe_wna16.py`, vLLM 0.9 to 0.32.
"""
SCALED = ("llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling")
"""Kinds of RoPE whose factor is in the number of positions already."""
DEFAULT_LENGTH = 2048
"""VLLM's, where a configuration tells none."""
TEXT = ("text_config", "language_config", "llm_config", "thinker_config")
"""Where a model of several kinds of input keeps the configuration of its language model."""
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "encoder_attention_heads")
KV_HEADS = (
    "n_head_kv",
    "num_kv_heads",
    "num_key_value_heads",
    "multi_query_group_num",
    "num_attention_groups",
)
HIDDEN = ("hidden_size", "n_embd", "d_model")
EXPERTS = ("num_experts", "moe_num_experts", "n_routed_experts", "num_local_experts")
LENGTHS = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"),
    *("max_target_positions", "max_sequence_length", "max_seq_length", "seq_len"),
)
MLA = frozenset(
    (
        *(
            "deepseek_v2",
            "deepseek_v3",
            "deepseek_v32",
            "deepseek_mtp",
            "glm_moe_dsa",
            "glm4_moe_lite",
            "kimi_k2",
        ),
        *("longcat_flash", "pangu_ultra_moe"),
    )
)
"""Types of models that vLLM 0.17 and 0.32 serve with multi-head latent attention: `is_deepseek_mla`."""
ALL_WINDOWED = frozenset(("mistral", "mixtral", "phi3", "phimoe", "starcoder2", "ministral"))
"""Types of models whose `sliding_window` is every layer's."""
EVERY_NTH_IS_FULL = {"gemma2": 2, "gemma3_text": 6, "gemma3": 6, "cohere2": 4}
"""Types of models of which every so many layers have none, where the configuration does not list them."""
OWN_HEAD_DIM = re.compile(
    r"gemma|qwen3|glm|gpt_oss|llama4|ministral|helium|ernie|minimax|seed_oss|hunyuan|cohere2_moe|mimo|nemotron_h|cwm"
)
"""Types of models whose size of a head transformers fills in by itself, be the others what they are."""
ENCODER = re.compile(r"bert|electra|^(gte|new)$")
UNSTAGED = re.compile(r"whisper|^gemma3n|^zamba2|^aria_text|^phi4mm|^paddleocr_vl|^clip|^siglip")
"""Types that vLLM, as those of encoders, does not deal out to stages: none of their classes is `SupportsPP` (0.32)."""
DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131072,
        "vocab_size": 262208,
    },
    "gemma2": {"head_dim": 256, "sliding_window": 4096},
    "gemma4_text": {"global_head_dim": 512},
}
"""What transformers fills in, and configurations on the hub leave out."""

STATES = re.compile(
    r"mamba|ssm_|linear_(conv|num|attn|key|value)|attn_layer_period|full_attention_interval|hybrid_override_pattern"
    r"|layers_block_type|lru_width|state_size|time_mix|rwkv|^layer_group_size$|^block_types$|^mixer_types$"
    r"|^conv_L_cache$|^fla_"
)
OWN_WAYS = (
    ("is_encoder_decoder", "it has cross-attention"),
    ("add_cross_attention", "it has cross-attention"),
    ("cross_attention_layers", "it has cross-attention"),
    ("attention_chunk_size", "its attention works in chunks"),
    ("compress_ratios", "it compresses its KV cache"),
    ("index_topk", "its sparse attention keeps an index, too"),
    ("sparse_attention_config", "its sparse attention keeps an index, too"),
    ("use_cla", "its layers share KV caches"),
    ("num_kv_shared_layers", "its layers share KV caches"),
    ("global_head_dim", "its layers have heads of several sizes"),
    ("block_configs", "its layers differ from each other"),
    ("per_layer_config", "its layers differ from each other"),
    ("attn_config", "its attention is configured in a way of its own"),
    ("attention_other_setting", "its layers differ from each other"),
    ("zero_expert_num", "each of its layers has attention twice"),
    ("dual_chunk_attention_config", "its attention works in chunks"),
)
"""Keys that, with a value, tell of another KV cache than the formulae know, and why."""
STATE = "some of its layers keep a state in place of a KV cache (mamba, linear attention)"


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides how a model can be cut and what it takes.

    `latent`: numbers that MLA keeps per token and layer, 0 without it; `windows`: of each layer, 0 where it sees all.
    `cut`: widths that tensor parallelism divides, in multiples of `grain`, that of its quantisation; `expert`: an
    expert's, in multiples of `expert_grain`. `quantized`: how, empty if not; `own_cache`: whether that tells of a KV
    cache of its own. `longest`: tokens of a sequence, `most`: that may be asked for, 0 where nobody knows. `odd`: why
    its KV cache cannot be told.
    """

    kind: str
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    longest: int
    weights: Weights
    vocabulary: int = 0
    cut: tuple[int, ...] = ()
    experts: int = 0
    expert: int = 0
    grain: int = 1
    expert_grain: int = 1
    latent: int = 0
    windows: tuple[int, ...] = ()
    quantized: str = ""
    own_cache: bool = False
    most: int = 0
    odd: str = ""

    @property
    def most_stages(self) -> int:
        """Into how many pipeline stages its layers can be dealt."""
        return 1 if ENCODER.search(self.kind) or UNSTAGED.search(self.kind) else self.layers


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU's name and memory in bytes."""

    name: str
    memory: int


def parse_shape(told: Any) -> Shape | None:
    """What `payload/models/shape.py` tells; None where that is no shape that is known.

    Configurations come from anybody.
    """
    try:
        return _shape(told)
    except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError):
        return None


def _shape(told: Any) -> Shape | None:
    if not isinstance(told, dict) or not isinstance(root := told.get("config"), dict):
        return None
    inner = _language(root)
    kind = word(inner, "model_type") or word(root, "model_type")
    config = {**DEFAULTS.get(kind, {}), **inner}
    layers, heads = _first(config, LAYERS), _first(config, HEADS)
    if not layers or not heads or layers > MOST_LAYERS:
        return None
    head_dim = _first(config, ("head_dim", "kv_channels")) or _first(config, HIDDEN) // heads
    if not head_dim:
        return None
    quantization = next(
        (each for of in (root, config) if isinstance(each := of.get("quantization_config"), dict)), {}
    )
    quantized = word(quantization, "quant_method")
    experts, expert, cut = _widths(config)
    tied = [of.get("tie_word_embeddings") for of in (root, config)]
    latent = _latent(kind, config)
    windows, unclear = _windows(kind, config, layers)
    left_out = () if inner is root else _left_out(kind, config)
    return Shape(
        kind=kind,
        layers=layers,
        heads=heads,
        kv_heads=_kv_heads(config, heads),
        head_dim=head_dim,
        longest=(longest := _longest(config)),
        most=_most(config, longest),
        weights=parse_weights(
            told.get("weights"),
            layers,
            quantized,
            narrowed((root, config), quantized),
            tied=True in tied and False not in tied,
        ),
        vocabulary=counted(config, "vocab_size") or counted(root, "vocab_size"),
        cut=cut,
        experts=experts,
        expert=expert,
        grain=(grain := _grain(quantization)),
        expert_grain=min(grain, FINEST) if quantized in REGROUPED else grain,
        latent=latent,
        windows=windows,
        quantized=quantized,
        own_cache=any(quantization.get(each) for each in ("kv_cache_scheme", "kv_cache_quant_algo")),
        odd=next(chain(_odd(kind, config, latent), left_out), unclear),
    )


def parse_gpus(told: Any) -> tuple[Gpu, ...]:
    """The GPUs that it tells of."""
    rows = told if isinstance(told, list) else []
    return tuple(Gpu(str(each["name"]), int(each["bytes"])) for each in rows)


def _language(root: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in TEXT:
        if isinstance(inner := root.get(name), dict):
            return _language(inner)
    return root


def _first(config: Mapping[str, Any], names: Sequence[str]) -> int:
    return next((value for name in names if (value := counted(config, name))), 0)


def _kv_heads(config: Mapping[str, Any], heads: int) -> int:
    """As many as heads, where nothing else is told; Falcon's older models have one."""
    if config.get("multi_query") is True and config.get("new_decoder_architecture") is not True:
        return 1
    return _first(config, KV_HEADS) or heads


def _widths(config: Mapping[str, Any]) -> tuple[int, int, tuple[int, ...]]:
    """How many experts, how wide each, and what else is as wide as it is told."""
    experts = _first(config, EXPERTS)
    inner = _first(config, ("intermediate_size", "ffn_dim", "n_inner"))
    if not experts:
        return 0, 0, (inner,) if inner else ()
    expert = counted(config, "moe_intermediate_size") or inner
    dense = inner if counted(config, "first_k_dense_replace") else 0
    shared = counted(config, "shared_expert_intermediate_size")
    return experts, expert, tuple(filter(None, (dense, shared)))


def _latent(kind: str, config: Mapping[str, Any]) -> int:
    rank = counted(config, "kv_lora_rank")
    return rank + counted(config, "qk_rope_head_dim") if rank and kind in MLA else 0


def _longest(config: Mapping[str, Any]) -> int:
    """The longest sequence, as vLLM derives it: `_get_and_verify_max_len` of `config/model.py`.

    With LongRoPE it takes the length from before by itself. With YaRN the positions are what is told (vLLM 0.32; 0.17
    scales those from before, which is longer where the factor was put in by hand).
    """
    told = [value for name in LENGTHS if (value := counted(config, name))]
    longest = float(counted(config, "model_max_length") or min(told, default=DEFAULT_LENGTH))
    scaling = config.get("rope_scaling") or config.get("rope_parameters")
    kind = word(config, "model_type")
    if isinstance(scaling, dict) and "gemma3" not in kind:
        way, factor = word(scaling, "rope_type") or word(scaling, "type"), scaling.get("factor")
        if way in ("longrope", "su"):
            longest = counted(config, "original_max_position_embeddings") or longest
        elif way not in SCALED and isinstance(factor, int | float) and 0 < factor < MOST:
            longest *= factor
    return int(longest)


def _most(config: Mapping[str, Any], longest: int) -> int:
    """The longest that vLLM takes. Of YaRN it depends on the version."""
    told = counted(config, "model_max_length") or max(counted(config, name) for name in LENGTHS)
    is_yarn = any("yarn" in str(config.get(name)) for name in ("rope_scaling", "rope_parameters"))
    return 0 if not told or is_yarn else max(longest, told)


def _windows(kind: str, config: Mapping[str, Any], layers: int) -> tuple[tuple[int, ...], str]:
    """The window of each layer, and why they are not known."""
    window, types = counted(config, "sliding_window"), config.get("layer_types")
    if isinstance(types, list):
        if set(types) <= {"full_attention", "sliding_attention"} and len(types) == layers:
            return tuple(window if each == "sliding_attention" else 0 for each in types), ""
        return (), STATE
    if not window or config.get("use_sliding_window") is False:
        return (0,) * layers, ""
    if nth := EVERY_NTH_IS_FULL.get(kind):
        nth = counted(config, "sliding_window_pattern") or nth
        return tuple(window if number % nth else 0 for number in range(1, layers + 1)), ""
    if kind in ALL_WINDOWED:
        return (window,) * layers, ""
    return (), f"which of its layers see only the last {window} tokens is not told"


def _odd(kind: str, config: Mapping[str, Any], latent: int) -> Iterator[str]:
    """Why its KV cache is none that is known here."""
    both_ways = config.get("is_causal") is False or config.get("use_bidirectional_attention") in (True, "all")
    if ENCODER.search(kind) or both_ways:
        yield "it reads a text as a whole (an encoder), without a KV cache"
    yield from (why for name, why in OWN_WAYS if config.get(name))
    linear = config.get("attn_type_list")
    named = (kind, *(name for name, value in config.items() if value))
    if any(map(STATES.search, named)) or (isinstance(linear, list) and 0 in linear):
        yield STATE
    if any(name.startswith("swa_") and value for name, value in config.items()):
        yield "its layers have heads of several sizes"
    if counted(config, "kv_lora_rank") and not latent:
        yield "it has latent attention (MLA), and whether vLLM uses that is not known"
    if not latent and counted(config, "v_head_dim") not in (0, counted(config, "head_dim")):
        yield "its keys and values differ in size"


def _left_out(kind: str, inner: Mapping[str, Any]) -> Iterator[str]:
    """What the configuration of a language model within another leaves to what transformers fills in, as a reason.

    Before its version 5 it did not write what is as it would be anyway.
    """
    latent = kind in MLA and inner.get("use_mla") is not False
    needed = {
        "num_key_value_heads": latent or _first(inner, KV_HEADS),
        "max_position_embeddings": _first(inner, LENGTHS),
        "head_dim": latent or counted(inner, "head_dim") or not OWN_HEAD_DIM.match(kind),
        "kv_lora_rank": not latent or counted(inner, "kv_lora_rank"),
    }
    yield from (f"its configuration leaves out {name}" for name, found in needed.items() if not found)


def _grain(quantization: Mapping[str, Any]) -> int:
    """What a shard of a quantised matrix has to be a multiple of: a block of its scales, or a group."""
    blocks = quantization.get("weight_block_size")
    if isinstance(blocks, list):
        return max((1, *(each for each in blocks if isinstance(each, int))))
    return counted(quantization, "group_size") or 1


def stages(layers: int, count: int) -> Iterator[range]:
    """The layers of each pipeline stage, as vLLM deals them out: `get_pp_indices` of `distributed/utils.py`.

    What does not come out even goes to the stages before the last.
    """
    each, left = divmod(layers, count)
    sizes = [each] * count
    for number in range(2, left + 2):
        sizes[-number] += 1
    begin = 0
    for size in sizes:
        yield range(begin, begin + size)
        begin += size
