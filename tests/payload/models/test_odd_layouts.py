"""Caches and folders as people and other tools leave them: told to be there is what vLLM finds, no more and no less."""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.payload.models.conftest import Run
from tests.payload.models.layouts import Repo, plain, safetensors, with_tree
from tests.payload.models.test_manage import only
from tests.payload.programs import loaded

WEIGHTS = safetensors(500)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9085657\n"
SMALL = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}"}
WHOLE = {**SMALL, "model.safetensors": WEIGHTS}


def index(*files: str) -> bytes:
    return json.dumps({"weight_map": {str(number): file for number, file in enumerate(files)}}).encode()


def headed(told: Any) -> bytes:
    header = json.dumps(told).encode()
    return struct.pack("<Q", len(header)) + header + b"1234"


def folder(top: Path, files: Mapping[str, bytes]) -> str:
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    return str(top)


@pytest.mark.parametrize(
    ("files", "bad", "lacks"),
    [
        ({**WHOLE, "pytorch_model.bin.index.json": index("pytorch_model-1.bin")}, {}, []),
        ({**WHOLE, "consolidated.safetensors.index.json": index("consolidated-1.safetensors")}, {}, []),
        ({**SMALL, "model.safetensors.index.json": index("model-1.safetensors"), "x.bin": b"0"}, {}, []),
        (
            {**WHOLE, "model.safetensors.index.json": index("model-1.safetensors")},
            {"model-1.safetensors": "missing"},
            ["model-1.safetensors"],
        ),
        ({**SMALL, "training_args.bin": b"0"}, {}, ["model.safetensors"]),
        ({**WHOLE, "config.json": b'{"model_ty'}, {"config.json": "garbled"}, ["config.json"]),
        (
            {**WHOLE, "model.safetensors.index.json": b'{"weight_map": {"a": "model-1.saf'},
            {"model.safetensors.index.json": "garbled"},
            ["model.safetensors.index.json"],
        ),
        (
            {**WHOLE, "model.safetensors": headed({"w": {"dtype": "U8"}})},
            {"model.safetensors": "short"},
            ["model.safetensors"],
        ),
        (
            {**WHOLE, "model.safetensors": headed({"w": {"data_offsets": ["a", "b"]}})},
            {"model.safetensors": "short"},
            ["model.safetensors"],
        ),
        ({**WHOLE, "tokenizer.json": POINTER}, {"tokenizer.json": "pointer"}, ["tokenizer.json"]),
        (
            {**SMALL, "pytorch_model.bin": POINTER},
            {"pytorch_model.bin": "pointer"},
            ["pytorch_model.bin"],
        ),
    ],
    ids=[
        *("an index of bin", "an index of Mistral's", "bin alone", "a shard of the index"),
        *("of training", "configuration cut", "index cut", "no offsets", "offsets of text"),
        *("a tokenizer in git", "weights in git"),
    ],
)
def test_what_vllm_would_not_find_is_lacking_and_nothing_else(
    files: dict[str, bytes], bad: dict[str, str], lacks: list[str], hub: Path, run: Run
) -> None:
    plain(hub, Repo("org/m", files))
    told = only(run("look"))
    assert (told["bad"], told["lacks"]) == (bad, lacks)
    assert told["state"] != "whole" or not lacks


def test_pieces_of_a_tokenizer_need_no_merges_beside(hub: Path, run: Run) -> None:
    files = {"vocab.json": b"{}", "sentencepiece.bpe.model": b"0"}
    plain(hub, Repo("org/m", {"config.json": b"{}", "model.safetensors": WEIGHTS, **files}))
    assert only(run("look"))["lacks"] == []


@pytest.mark.parametrize("name", ["preprocessor_config.json", "chat_template.jinja"])
def test_a_configuration_that_was_listed_is_wanted(name: str, hub: Path, run: Run) -> None:
    repo = Repo("org/m", {**WHOLE, name: b"{ }"})
    top = with_tree(hub, repo)
    (top / "blobs" / repo.digest(name)).unlink()
    told = only(run("look"))
    assert (told["state"], told["lacks"], told["offline"]) == ("partial", [name], False)


def test_what_sees_is_not_served_offline_without_a_word_of_how_pictures_are_prepared(
    hub: Path, run: Run
) -> None:
    plain(hub, Repo("org/m", {**WHOLE, "config.json": b'{"vision_config": {"depth": 2}}'}))
    assert only(run("look"))["offline"] is False


def test_other_formats_of_a_list_are_not_missed(hub: Path, run: Run) -> None:
    others = ("onnx/model.onnx_data", "onnx/config.json", "openvino/openvino_model.xml", "rust_model.ot")
    repo = Repo("org/m", {**WHOLE, **dict.fromkeys(others, b"0")})
    top = with_tree(hub, repo)
    for name in others:
        (top / "snapshots" / repo.commit / name).unlink()
    assert only(run("look"))["state"] == "whole"


@pytest.mark.parametrize("how", ["itself", "a link to it", "links to its files"])
def test_a_snapshot_is_served_by_its_path(how: str, hub: Path, tmp_path: Path, run: Run) -> None:
    repo = Repo("org/m", WHOLE)
    snapshot = plain(hub, repo) / "snapshots" / repo.commit
    path = snapshot if how == "itself" else tmp_path / "mine"
    if how == "a link to it":
        path.symlink_to(snapshot)
    elif how == "links to its files":
        path.mkdir()
        for each in snapshot.iterdir():
            (path / each.name).symlink_to(os.path.realpath(each))
    told = only(run("look", str(path)))
    assert (told["state"], told["lacks"]) == ("whole", [])


def test_links_into_another_mounted_folder_are_files_of_the_model(
    hub: Path, tmp_path: Path, run: Run
) -> None:
    """And are neither removed with it nor counted as freed."""
    repo = Repo("org/m", WHOLE)
    link = plain(hub, repo) / "snapshots" / repo.commit / "model.safetensors"
    link.unlink()
    folder(tmp_path / "disk", {"w.safetensors": WEIGHTS})
    link.symlink_to(tmp_path / "disk/w.safetensors")
    assert only(run("look"))["state"] == "whole"
    assert run("remove", "org/m")["bytes"] == sum(
        map(len, (*SMALL.values(), WEIGHTS))
    )  # with the blob of before
    assert (tmp_path / "disk/w.safetensors").exists()


def test_what_is_damaged_in_another_folder_stays_there(hub: Path, tmp_path: Path, run: Run) -> None:
    repo = Repo("org/m", WHOLE)
    link = plain(hub, repo) / "snapshots" / repo.commit / "model.safetensors"
    link.unlink()
    folder(tmp_path / "disk", {"w.safetensors": WEIGHTS[:-1]})
    link.symlink_to(tmp_path / "disk/w.safetensors")
    run("drop", "org/m")
    assert (tmp_path / "disk/w.safetensors").exists()


def test_a_folder_that_may_not_be_read_hides_no_other(
    hub: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("org/a", "org/b"):
        plain(hub, Repo(name, WHOLE))
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if "models--org--b" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    told = {each["name"]: each["revisions"][0] for each in run("look")["models"]}
    assert told["org/a"]["state"] == "whole"
    assert (told["org/b"]["bad"], told["org/b"]["lacks"]) == ({"snapshots": "unreadable"}, ["snapshots"])


def test_a_list_whose_sizes_are_none_has_names_all_the_same(hub: Path, run: Run) -> None:
    repo = Repo("org/m", WHOLE)
    top = plain(hub, repo)
    (top / "blobs" / repo.digest("tokenizer.json")).unlink()
    listed = {name: {"size": "12", "blob_id": ["x"]} for name in WHOLE}
    folder(top / "trees", {f"{repo.commit}.json": json.dumps({"files": listed}).encode()})
    told = only(run("look"))
    assert (told["bad"], told["missing"]) == ({"tokenizer.json": "missing"}, 0)
    assert run("verify", "org/m")["verified"][0]["damage"] == {"tokenizer.json": "missing"}


def test_a_file_beside_the_snapshots_is_none(hub: Path, run: Run) -> None:
    repo = Repo("org/m", WHOLE)
    (plain(hub, repo) / "snapshots/.DS_Store").write_bytes(b"0")
    assert only(run("look"))["commit"] == repo.commit


def test_only_the_variable_that_decides_may_not_be_empty() -> None:
    program = loaded("models/manage")
    assert program.hub_folder({"HF_HOME": "/h", "XDG_CACHE_HOME": ""}) == "/h/hub"
    for decides in (
        {"HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "/old"},
        {"HF_HOME": "", "XDG_CACHE_HOME": "/c"},
    ):
        with pytest.raises(program.Trouble, match=r"^(HF_HUB_CACHE|HF_HOME) is set, and empty"):
            program.hub_folder(decides)


def test_a_clone_without_its_weights_is_not_dropped(tmp_path: Path, run: Run) -> None:
    top = folder(tmp_path / "clone", {**SMALL, "model.safetensors": POINTER})
    run("drop", top)
    assert Path(top, "model.safetensors").read_bytes() == POINTER
    sender = loaded("models/stream")
    with pytest.raises(sender.Trouble, match=r"model.safetensors is what git leaves of it without LFS$"):
        sender.made_of(top, "main")


@pytest.mark.parametrize(
    ("config", "adapter"),
    [
        ({"peft_type": "LORA", "base_model_name_or_path": "org/base", "r": 8}, {"of": "org/base", "rank": 8}),
        ({"base_model_name_or_path": None, "r": "8"}, {"of": "", "rank": 0}),
        ([], None),
    ],
)
def test_an_adapter_is_told_as_one_unless_its_model_is_beside_it(
    config: Any, adapter: Any, tmp_path: Path, run: Run
) -> None:
    files = {"adapter_config.json": json.dumps(config).encode(), "adapter_model.safetensors": WEIGHTS}
    alone, merged = folder(tmp_path / "alone", files), folder(tmp_path / "merged", {**files, **WHOLE})
    assert only(run("look", alone))["adapter"] == adapter
    assert only(run("look", merged))["adapter"] is None
