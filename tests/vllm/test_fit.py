"""Will it fit: shapes, and what a KV cache takes, compared with what the real vLLM's own functions say of them."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.plan.facts.model_shape import Shape, parse_shape
from orchestrator.plan.facts.model_weights import Weights
from orchestrator.plan.serving.arguments import CONTEXT, DATA, PIPELINE, TENSOR
from orchestrator.plan.serving.fit import Asked, kv_caches
from tests.lab import image, lifecycle
from tests.lab.host import VLLM_RELEASE
from tests.lab.processes import UnavailableError
from tests.plan.serving import shapes

from . import site

BEFORE = """
import json, os, sys, tempfile
from types import SimpleNamespace as Some
sys.path.insert(0, sys.argv[1])
os.environ.update(VLLM_LOGGING_LEVEL="ERROR", HF_HUB_OFFLINE="1")
asked = json.load(sys.stdin)
import vllm.config
"""
SHAPES = (
    BEFORE
    + """
from vllm.config.model import _get_and_verify_max_len as longest
from vllm.transformers_utils.config import get_config
from vllm.transformers_utils.model_arch_config_convertor import (
    MODEL_ARCH_CONFIG_CONVERTORS as CONVERTORS, ModelArchConfigConvertorBase as Base)
for config in asked:
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/config.json", "w") as file:
            json.dump(config, file)
        read = get_config(folder, trust_remote_code=False)
    text = read.get_text_config()
    of = CONVERTORS.get(read.model_type, Base)(read, text).convert()
    window, types = getattr(text, "sliding_window", None) or 0, getattr(text, "layer_types", None)
    every = [window] * of.total_num_hidden_layers
    print(json.dumps([of.total_num_hidden_layers, of.total_num_attention_heads, of.total_num_kv_heads, of.head_size,
        of.vocab_size, of.num_experts, of.is_deepseek_mla, longest(text, of, None, None, False, None),
        [window if each == "sliding_attention" else 0 for each in types] if types else every]))
"""
)
CACHES = (
    BEFORE
    + """
import torch
from vllm.distributed.utils import get_pp_indices
from vllm.v1.core import kv_cache_utils as core
from vllm.v1.kv_cache_interface import FullAttentionSpec, MLAAttentionSpec, SlidingWindowSpec
try:
    from vllm.v1.kv_cache_layout import KVCacheLayout
except ImportError:
    KVCacheLayout = {"LBNHC": None}

def spec(case, window):
    kind = torch.bfloat16 if case["size"] == 2 else torch.uint8
    if case["latent"]:
        return MLAAttentionSpec(block_size=case["block"], num_kv_heads=1, head_size=case["latent"], dtype=kind)
    heads = max(1, case["heads"] // case["tensor"])
    same = {"block_size": case["block"], "num_kv_heads": heads, "head_size": case["dim"], "dtype": kind}
    return SlidingWindowSpec(sliding_window=window, **same) if window else FullAttentionSpec(**same)

for case in asked:
    count = len(case["windows"])
    stages = [range(*get_pp_indices(count, rank, case["pipeline"])) for rank in range(case["pipeline"])]
    workers = [{str(layer): spec(case, case["windows"][layer]) for layer in stage} for stage in stages]
    config = Some(
        model_config=Some(max_model_len=case["length"], original_max_model_len=case["length"]),
        scheduler_config=Some(max_num_batched_tokens=case["batched"], disable_hybrid_kv_cache_manager=False),
        max_in_flight_tokens=case["batched"], speculative_config=None, attention_config=Some(hisparse_config=None),
        parallel_config=Some(decode_context_parallel_size=1, prefill_context_parallel_size=1),
        cache_config=Some(num_gpu_blocks_override=None, attn_group_size=None, enable_prefix_caching=True,
            prefix_cache_retention_interval=None, get_resolved_kv_cache_layout=lambda: KVCacheLayout["LBNHC"]))
    groups = core.get_kv_cache_groups(config, {name: each for worker in workers for name, each in worker.items()})
    here = [core._project_kv_cache_groups_to_worker(groups, worker) for worker in workers]
    made = core.get_kv_cache_config_from_groups(config, here[0], case["room"])
    print(json.dumps({
        "groups": len(groups),
        "bytes": [core._max_memory_usage_bytes_from_groups(config, each) for each in here],
        "longest": [core._estimate_max_model_len_from_groups(config, each, case["room"]) for each in here],
        "blocks": made.num_blocks, "sequences": core.get_max_concurrency_for_kv_cache_config(config, made)}))
"""
)
GEMMA2 = shapes.LLAMA_8B | {
    "model_type": "gemma2",
    "head_dim": 256,
    "sliding_window": 4096,
    "rope_scaling": None,
}
CONFIGS = (
    *(shapes.LLAMA_8B, shapes.LLAMA_70B, shapes.QWEN3_32B, shapes.MIXTRAL, shapes.DEEPSEEK_V3),
    *(shapes.GPT_OSS_120B, shapes.GEMMA3_27B, GEMMA2),
    shapes.MIXTRAL | {"model_type": "mistral", "sliding_window": 4096, "num_local_experts": None},
    shapes.LLAMA_8B | {"model_type": "cohere2", "sliding_window": 4096, "rope_scaling": None},
    {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "num_hidden_layers": 34, "hidden_size": 2560}
     | {"intermediate_size": 10240, "sliding_window": 1024}},
)  # fmt: skip
Ask = Callable[[str, Any], list[Any]]


@pytest.fixture(scope="module")
def vllm(say: lifecycle.Say) -> Ask:
    """Has vLLM's Python answer a line for each of what is asked."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("vLLM was installed for Python 3.11")
    try:
        with image.alone():
            made = site.make(say)
    except UnavailableError as reason:
        pytest.skip(str(reason))

    def ask(program: str, asked: Any) -> list[Any]:
        argv = [sys.executable, "-c", program, str(made / "site")]
        ran = subprocess.run(
            argv, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=300
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        return [json.loads(line) for line in ran.stdout.splitlines() if line[:1] in "[{"]

    return ask


def test_configurations_are_read_as_vllm_reads_them(vllm: Ask) -> None:
    told = vllm(SHAPES, CONFIGS)
    assert len(told) == len(CONFIGS)
    for config, theirs in zip(CONFIGS, told, strict=True):
        ours = parse_shape({"config": config, "weights": None})
        assert ours
        read = [ours.layers, ours.heads, ours.kv_heads, ours.latent or ours.head_dim, ours.vocabulary]
        assert [*read, ours.experts, bool(ours.latent), ours.longest, list(ours.windows)] == theirs


def case(luck: random.Random) -> dict[str, Any]:
    """A model and a way to cut it."""
    layers, nth, latent = luck.randint(2, 70), luck.choice([0, 1, 2, 4, 6]), luck.choice([0, 0, 0, 576])
    window = luck.choice([128, 512, 1024, 4096])
    layers += nth == 2 and layers % 2  # of kinds that are almost as many, 0.17.1 makes other groups
    windows = [window if not latent and nth and (number % nth or nth == 1) else 0 for number in range(layers)]
    return {
        "windows": windows,
        "latent": latent,
        "heads": luck.choice([1, 2, 4, 8]),
        "dim": luck.choice([64, 128, 256]),
        "block": luck.choice([16, 32, 64, 128]),
        "tensor": luck.choice([1, 2, 4, 8]),
        "pipeline": min(layers, luck.choice([1, 1, 2, 3])),
        "size": luck.choice([1, 2]),
        "length": luck.choice([100, 4096, 8192, 40960, 131072]),
        "batched": luck.choice([2048, 8192, 16384]),
        "room": luck.choice([1, 5, 40]) << 30,
    }


def test_a_kv_cache_takes_what_vllm_says(vllm: Ask) -> None:
    luck = random.Random(7)
    cases = [case(luck) for _ in range(300)]
    summed = VLLM_RELEASE != "0.17.1"  # which counted the first group alone
    for each, theirs in zip(cases, vllm(CACHES, cases), strict=True):
        of = Shape("", len(each["windows"]), 64, each["heads"], each["dim"], each["length"], Weights(0))
        of = replace(of, latent=each["latent"], windows=tuple(each["windows"]))
        sizes = {TENSOR: each["tensor"], PIPELINE: each["pipeline"], DATA: 0, CONTEXT: 0}
        asked = Asked(cache_type=each["size"], block=each["block"], overlaps=False)
        ours = [replace(cache, batched=each["batched"]) for cache in kv_caches(of, sizes, asked, None)]
        room, length = each["room"], each["length"]
        assert len(ours[0].windows) == theirs["groups"]
        assert ours[0].blocks_in(room) == theirs["blocks"]
        assert ours[0].blocks_in(room) / ours[0].blocks(length) == pytest.approx(theirs["sequences"])
        if summed or theirs["groups"] == 1:
            assert [cache.bytes(length) for cache in ours] == theirs["bytes"]
            assert [cache.longest(room, length) for cache in ours] == theirs["longest"]
