"""Models as they are published: their configurations, and the tensors that these have, as headers tell of them."""

from collections.abc import Iterator
from math import prod
from typing import Any

from orchestrator.plan.facts.model_shape import Gpu, Shape, parse_shape
from tests.payload.programs import loaded

GIB = 1 << 30
H100, H200 = Gpu("NVIDIA H100 80GB HBM3", 81559 << 20), Gpu("NVIDIA H200", 143771 << 20)
A100, RTX4090 = Gpu("NVIDIA A100-SXM4-80GB", 81920 << 20), Gpu("NVIDIA GeForce RTX 4090", 24564 << 20)
MODELS = loaded("models/manage")
BYTES = {"BF16": 2, "F16": 2, "F32": 4, "U8": 1, "F8_E4M3": 1}

LLAMA_8B: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}
    | {"low_freq_factor": 1.0, "high_freq_factor": 4.0},
}
LLAMA_70B: dict[str, Any] = LLAMA_8B | {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
}
QWEN3_32B: dict[str, Any] = {
    "model_type": "qwen3",
    "vocab_size": 151936,
    "hidden_size": 5120,
    "intermediate_size": 25600,
    "num_hidden_layers": 64,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "sliding_window": None,
    "use_sliding_window": False,
}
MIXTRAL: dict[str, Any] = {
    "model_type": "mixtral",
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "max_position_embeddings": 32768,
    "sliding_window": None,
}
DEEPSEEK_V3: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "vocab_size": 129280,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "first_k_dense_replace": 3,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "max_position_embeddings": 163840,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}
GPT_OSS_120B: dict[str, Any] = {
    "model_type": "gpt_oss",
    "vocab_size": 201088,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_local_experts": 128,
    "num_hidden_layers": 36,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 18,
    "max_position_embeddings": 131072,
    "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096},
    "quantization_config": {"quant_method": "mxfp4"},
}
GEMMA3_27B: dict[str, Any] = {
    "model_type": "gemma3",
    "text_config": {
        "model_type": "gemma3_text",
        "hidden_size": 5376,
        "intermediate_size": 21504,
        "num_attention_heads": 32,
        "num_hidden_layers": 62,
        "num_key_value_heads": 16,
        "head_dim": 128,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    },
}
Tensor = tuple[str, str, tuple[int, ...]]


def tensors(config: dict[str, Any], *, norms: bool = False, kind: str = "BF16") -> Iterator[Tensor]:
    """Name, type and shape of what such a model has. `norms`: of its heads, as Qwen3."""
    hidden, width = config["hidden_size"], config["intermediate_size"]
    heads, keys = config["num_attention_heads"], config["num_key_value_heads"]
    of = config.get("head_dim") or hidden // heads
    yield "model.embed_tokens.weight", kind, (config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        yield f"{at}.self_attn.q_proj.weight", kind, (heads * of, hidden)
        yield f"{at}.self_attn.k_proj.weight", kind, (keys * of, hidden)
        yield f"{at}.self_attn.v_proj.weight", kind, (keys * of, hidden)
        yield f"{at}.self_attn.o_proj.weight", kind, (hidden, heads * of)
        for norm in ("q_norm", "k_norm") if norms else ():
            yield f"{at}.self_attn.{norm}.weight", kind, (of,)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{at}.{norm}.weight", kind, (hidden,)
        if experts := config.get("num_local_experts"):
            yield f"{at}.block_sparse_moe.gate.weight", kind, (experts, hidden)
            for number in range(experts):
                for name in ("w1", "w2", "w3"):
                    yield f"{at}.block_sparse_moe.experts.{number}.{name}.weight", kind, (width, hidden)
        else:
            for name in ("gate_proj", "up_proj", "down_proj"):
                yield f"{at}.mlp.{name}.weight", kind, (width, hidden)
    yield "model.norm.weight", kind, (hidden,)
    yield "lm_head.weight", kind, (config["vocab_size"], hidden)


def header(of: Iterator[Tensor]) -> dict[str, Any]:
    """The header of a file that has them."""
    found, at = {}, 0
    for name, kind, shape in of:
        end = at + prod(shape) * BYTES[kind]
        found[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    return found


def told(config: dict[str, Any], *of: Tensor, total: int = 0) -> dict[str, Any]:
    """What a host tells of it."""
    parts = dict[str, Any]()
    MODELS.add(parts, header(iter(of)))
    weights = {"parts": parts, "read": 1 if of else 0, "of": 1, "total": total, "bytes": 0}
    return {"config": config, "weights": weights}


def shape(config: dict[str, Any], *of: Tensor, total: int = 0) -> Shape:
    found = parse_shape(told(config, *of, total=total))
    assert found
    return found


def whole(config: dict[str, Any], *, norms: bool = False) -> Shape:
    """With all of its weights."""
    return shape(config, *tensors(config, norms=norms))
