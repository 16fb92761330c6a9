"""Shapes of models are read from their configurations and the headers of their weights, and no weight is."""

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.facts.model_shape import Gpu
from orchestrator.plan.facts.models import parse_cache
from tests.payload.models.conftest import Run
from tests.payload.models.layouts import LAYOUTS, Repo, plain, tiny
from tests.payload.programs import loaded
from tests.plan.serving.shapes import LLAMA_8B, header, tensors

PAGE = 4096


def headed(told: dict[str, Any]) -> bytes:
    text = json.dumps(told).encode()
    return struct.pack("<Q", len(text)) + text


def small(*, index: bool = True) -> Repo:
    """A model of two layers in two files, with real bytes."""
    config = LLAMA_8B | {"vocab_size": 8, "hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 2}
    config |= {
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "id2label": dict.fromkeys(range(2000), "x"),
    }
    every = list(tensors(config))
    files = {"config.json": json.dumps(config).encode(), "tokenizer.json": b"{}"}
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    weights = dict[str, str]()
    for name, part in zip(names, (every[:7], every[7:]), strict=True):
        told = header(iter(part))
        length = max(each["data_offsets"][1] for each in told.values())
        files[name] = headed(told) + b"\1" * length
        weights |= dict.fromkeys(told, name)
    total = sum(each["data_offsets"][1] - each["data_offsets"][0] for each in header(iter(every)).values())
    told_by_index = {"metadata": {"total_size": total}, "weight_map": weights}
    return Repo(
        "org/small",
        files | ({"model.safetensors.index.json": json.dumps(told_by_index).encode()} if index else {}),
    )


def shape_of(run: Run, *names: str) -> Any:
    (model,) = run("fit", *names)["models"]
    (revision,) = model["revisions"]
    return revision["shape"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_parts_are_told_in_every_layout(layout: Any, hub: Path, run: Run) -> None:
    layout(hub, small())
    told = shape_of(run, "org/small")
    weights = told["weights"]
    assert (weights["read"], weights["of"]) == (2, 2)
    assert weights["parts"]["first"] == weights["parts"]["last"] == {"BF16": 8 * 4 * 2}
    assert weights["parts"]["layer 0"] == weights["parts"]["layer 1"]
    assert sum(each["BF16"] for each in weights["parts"].values()) == weights["total"]
    assert told["config"]["num_hidden_layers"] == 2


def test_a_look_tells_no_shape_and_asks_no_gpu(hub: Path, run: Run) -> None:
    plain(hub, small())
    told = run("look", "org/small")
    assert told["models"][0]["revisions"][0]["shape"] is None
    assert told["gpus"] == []


def test_a_shard_that_is_missing_leaves_the_index_to_tell_of_all(hub: Path, run: Run) -> None:
    repo = small()
    top = plain(hub, repo)
    shard = "model-00002-of-00002.safetensors"
    Path(os.path.realpath(top / "snapshots" / repo.commit / shard)).unlink()
    weights = shape_of(run, "org/small")["weights"]
    assert (weights["read"], weights["of"]) == (1, 2)
    assert weights["total"] > 0


def test_a_shard_that_was_cut_short_has_its_header(hub: Path, run: Run) -> None:
    repo = small()
    top = plain(hub, repo)
    shard = Path(os.path.realpath(top / "snapshots" / repo.commit / "model-00002-of-00002.safetensors"))
    os.truncate(shard, shard.stat().st_size - 10)
    assert shape_of(run, "org/small")["weights"]["read"] == 2


def test_weights_that_are_no_safetensors_have_their_size(hub: Path, run: Run) -> None:
    plain(hub, Repo("org/old", {"config.json": b"{}", "pytorch_model.bin": b"x" * 1000}))
    weights = shape_of(run, "org/old")["weights"]
    assert (weights["read"], weights["bytes"], weights["parts"]) == (0, 1000, {})


def test_what_modelopt_says_of_its_quantisation_beside_the_configuration_counts(hub: Path, run: Run) -> None:
    beside = b'{"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16}}'
    plain(hub, Repo("org/quantised", {"config.json": b"{}", "hf_quant_config.json": beside}))
    told = shape_of(run, "org/quantised")["config"]["quantization_config"]
    assert (told["quant_method"], told["kv_cache_quant_algo"]) == ("modelopt", "FP8")


def test_a_folder_is_told_of_too(tmp_path: Path, run: Run) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for path, data in small().files.items():
        (mine / path).write_bytes(data)
    assert shape_of(run, str(mine))["weights"]["read"] == 2


def test_a_model_as_large_as_they_are_is_read_by_its_header_alone(tmp_path: Path, run: Run) -> None:
    """Llama-3.1-8B of 15 GiB, of which the disk has no more than the header."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.json").write_text(json.dumps(LLAMA_8B))
    text = headed(told := header(tensors(LLAMA_8B)))
    with (mine / "model.safetensors").open("wb") as file:
        file.write(text)
        file.truncate(len(text) + max(each["data_offsets"][1] for each in told.values()))
    assert (mine / "model.safetensors").stat().st_blocks * 512 < 20 * PAGE + len(text)
    answer = run("fit", str(mine))
    cache = parse_cache(f"\x1e{json.dumps(answer)}", "")
    (shape,) = cache.shapes.values()  # type: ignore[union-attr]
    assert shape.weights.total == 2 * 8_030_261_248


def test_without_a_configuration_there_is_no_shape(hub: Path, run: Run) -> None:
    plain(hub, Repo("org/none", {"model.safetensors": headed({})}))
    assert shape_of(run, "org/none") is None


@pytest.mark.parametrize("config", [b"[]", b"{", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_a_configuration_that_is_none_tells_nothing(config: bytes, hub: Path, run: Run) -> None:
    plain(hub, Repo("org/bad", {"config.json": config, "model.safetensors": headed({})}))
    assert shape_of(run, "org/bad") is None


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": 7, "data_offsets": [0, 10]},
        {"dtype": "BF16", "data_offsets": ["0", 10]},
        {"dtype": "BF16", "data_offsets": [0]},
        {"dtype": "BF16"},
    ],
)
def test_a_header_that_is_none_is_passed_over(entry: Any) -> None:
    parts = dict[str, Any]()
    loaded("models/manage").add(parts, {"x": entry, "__metadata__": {"format": "pt"}})
    assert parts == {}


def test_long_lists_and_texts_of_a_configuration_stay_there() -> None:
    pruned = loaded("models/manage").pruned
    assert pruned({"a": list(range(2000)), "b": "x" * 1000, "c": {"d": None, "e": [1, {"f": 2}]}}) == {
        "c": {"e": [1, {"f": 2}]}
    }


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.embed_tokens.weight", "first"),
        ("transformer.wte.weight", "first"),
        ("lm_head.weight", "last"),
        ("output.weight", "last"),
        ("model.norm.weight", "rest"),
        ("model.layers.7.mlp.gate_proj.weight", "layer 7"),
        ("language_model.model.layers.7.self_attn.q_proj.weight", "layer 7"),
        ("transformer.h.11.attn.c_attn.weight", "layer 11"),
        ("model.layers.7.self_attn.k_proj.weight_scale_inv", "keys 7"),
        ("model.layers.7.self_attn.q_norm.weight", "copied 7"),
        ("model.layers.7.self_attn.kv_a_proj_with_mqa.weight", "copied 7"),
        ("model.layers.7.self_attn.indexer.wk.weight", "copied 7"),
        ("model.layers.7.mlp.gate.weight", "copied 7"),
        ("transformer.blocks.7.norm_attn_norm.attn.Wqkv.weight", "layer 7"),
        ("model.layers.3.mlp.experts.12.up_proj.weight", "experts 3"),
        ("model.layers.3.mlp.experts.gate_up_proj_blocks", "experts 3"),
        ("model.layers.3.mlp.shared_experts.up_proj.weight", "layer 3"),
        ("model.visual.blocks.3.attn.qkv.weight", "rest"),
        ("vision_tower.vision_model.encoder.layers.3.mlp.fc1.weight", "rest"),
    ],
)
def test_tensors_are_told_apart_by_their_names(name: str, part: str) -> None:
    assert loaded("models/manage").part_of(name) == part


@pytest.mark.parametrize(
    "name",
    [
        "mtp.layers.0.mlp.experts.1.up_proj.weight",
        "model.mtp_layers.0.self_attn.q_proj.weight",
        "model.mtp_block.0.mlp.up_proj.weight",
        "talker.model.layers.3.mlp.experts.0.up_proj.weight",
        "token2wav.code2wav_dit_model.x",
        "code2wav.decoder.0.x",
    ],
)
def test_what_vllm_does_not_load_is_not_counted(name: str) -> None:
    """Qwen3-Next's layers for speculative decoding were its layer 0; Qwen-Omni's voice is a tenth of the model."""
    parts = dict[str, Any]()
    loaded("models/manage").add(parts, {name: {"dtype": "BF16", "data_offsets": [0, 10]}})
    assert parts == {}


def shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0) -> None:
    """There is an nvidia-smi that prints this."""
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nprint({text!r}); raise SystemExit({code})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


@pytest.mark.parametrize(
    ("text", "code", "gpus"),
    [
        (
            "NVIDIA H100 80GB HBM3, 81559, Disabled\nNVIDIA H100 80GB HBM3, 81559, Disabled",
            0,
            (Gpu("NVIDIA H100 80GB HBM3", 81559 << 20),) * 2,
        ),
        ("NVIDIA GeForce RTX 4090, 24564, [N/A]", 0, (Gpu("NVIDIA GeForce RTX 4090", 24564 << 20),)),
        ("NVIDIA A100-SXM4-80GB, 81920, Enabled", 0, ()),  # cut up
        ("NVIDIA GB10, [N/A], [N/A]", 0, ()),  # the host's memory
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9, ()),
    ],
)
def test_gpus_tell_their_memory_or_nothing_is_known_of_it(
    text: str,
    code: int,
    gpus: tuple[Gpu, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hub: Path,
    run: Run,
) -> None:
    shows(tmp_path, monkeypatch, text, code)
    plain(hub, tiny())
    cache = parse_cache(f"\x1e{json.dumps(run('fit', 'org/tiny'))}", "")
    assert cache.gpus == gpus  # type: ignore[union-attr]


def test_of_amds_the_driver_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = loaded("models/manage")
    monkeypatch.setenv("PATH", str(tmp_path))
    for card, size in (("card0", 64 << 30), ("card1", 512 << 20), ("card0-DP-1", 64 << 30)):
        (tmp_path / card / "device").mkdir(parents=True)
        (tmp_path / card / "device/mem_info_vram_total").write_text(f"{size}\n")
    program.AMD = str(tmp_path)
    assert program.gpus() == [{"name": "AMD", "bytes": 64 << 30}]


APART = {"0": "cpu_cores_count 64\nsimd_count 0\n", "1": "cpu_cores_count 0\nsimd_count 1216\n"}
TOGETHER = {"0": "cpu_cores_count 32\nsimd_count 80\nmem_banks_count 1\n"}


@pytest.mark.parametrize(
    ("nodes", "partition", "known"),
    [(APART, "", True), (APART, "SPX", True), (APART, "CPX", False), (TOGETHER, "", False)],
    ids=["cards", "a whole card", "cut up", "one with the CPU"],
)
def test_what_a_driver_of_amd_tells_of_is_the_gpus_own_memory(
    nodes: dict[str, str], partition: str, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Strix Halo tells of what was set apart at boot, 4 GiB of 128; of an MI300X in parts each tells of all."""
    program = loaded("models/manage")
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "card0/device").mkdir(parents=True)
    (tmp_path / "card0/device/mem_info_vram_total").write_text(f"{4 << 30}\n")
    if partition:
        (tmp_path / "card0/device/current_compute_partition").write_text(f"{partition}\n")
    for node, text in nodes.items():
        (tmp_path / "nodes" / node).mkdir(parents=True)
        (tmp_path / "nodes" / node / "properties").write_text(text)
    program.AMD, program.KFD = str(tmp_path), str(tmp_path / "nodes")
    assert bool(program.gpus()) is known


@pytest.mark.parametrize(("hidden", "count"), [("", 2), ("0", 0)])
def test_of_unlike_gpus_some_of_which_are_hidden_nothing_is_known(
    hidden: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that only drives a screen would be taken for the smallest that a model has."""
    program = loaded("models/manage")
    shows(tmp_path, monkeypatch, "NVIDIA RTX 6000, 49140, [N/A]\nNVIDIA T400 4GB, 4096, [N/A]")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert len(program.gpus()) == count


def test_a_driver_that_hangs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = loaded("models/manage")
    stuck = tmp_path / "nvidia-smi"
    stuck.write_text('#!/bin/sh\nread never <"$0.pipe"\n')
    stuck.chmod(0o755)
    os.mkfifo(f"{stuck}.pipe")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program.GPU_SECONDS, program.AMD = 0.1, str(tmp_path / "none")
    assert program.gpus() == []
    Path(f"{stuck}.pipe").write_text("x\n")  # it may go on, and ends
