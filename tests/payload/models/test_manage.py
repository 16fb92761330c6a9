"""What lies in the cache of models is told of as it is, in every layout, whole or not."""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hub import Hub
from tests.payload.models.conftest import Run
from tests.payload.models.layouts import LAYOUTS, Repo, copied, plain, safetensors, shared, tiny, with_tree
from tests.payload.programs import loaded

SHARD = "model-00001-of-00002.safetensors"


def only(told: Any) -> Any:
    """The one revision of the one model that is told of."""
    (model,) = told["models"]
    (revision,) = model["revisions"]
    return revision


def blob_of(top: Path, repo: Repo, path: str) -> Path:
    return Path(os.path.realpath(top / "snapshots" / repo.commit / path))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_model_is_told_as_whole_in_every_layout(layout: Any, hub: Path, run: Run) -> None:
    repo = tiny()
    layout(hub, repo)
    revision = only(run("look"))
    assert (revision["state"], revision["bad"], revision["lacks"]) == ("whole", {}, [])
    assert (revision["commit"], revision["names"]) == (repo.commit, ["main"])
    assert revision["bytes"] == sum(map(len, repo.files.values()))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_that_is_gone_is_missing_in_every_layout(layout: Any, hub: Path, run: Run) -> None:
    repo = tiny()
    top = layout(hub, repo)
    blob_of(top, repo, SHARD).unlink()
    revision = only(run("look"))
    assert (revision["state"], revision["bad"], revision["lacks"]) == ("partial", {SHARD: "missing"}, [SHARD])
    assert revision["of"] - revision["files"] == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_shard_that_was_cut_short_is_short_in_every_layout(layout: Any, hub: Path, run: Run) -> None:
    repo = tiny()
    top = layout(hub, repo)
    os.truncate(blob_of(top, repo, SHARD), 700)
    assert only(run("look"))["bad"] == {SHARD: "short"}


def test_of_many_files_all_that_are_lacking_are_counted(hub: Path, run: Run) -> None:
    shards = [f"model-{at:05}-of-00030.safetensors" for at in range(30)]
    index = json.dumps({"weight_map": {str(at): each for at, each in enumerate(shards)}}).encode()
    plain(
        hub,
        Repo(
            "org/wide", {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors.index.json": index}
        ),
    )
    assert only(run("look"))["lacks"] == shards


@pytest.mark.parametrize(
    ("config", "offline"),
    [
        ({}, True),
        ({"auto_map": {"AutoModel": "modeling_x.X"}}, False),  # that file is not there
        ({"auto_map": {"AutoModel": "org/code--modeling_x.X"}}, False),
        ({"text_model_id": "meta-llama/Llama-3.3-70B-Instruct"}, False),  # Ultravox
        ({"audio_model_id": "openai/whisper-large-v3-turbo"}, False),
    ],
)
def test_a_model_whose_code_or_weights_are_another_repository_is_not_served_offline(
    config: dict[str, Any], offline: bool, hub: Path, run: Run
) -> None:
    plain(hub, tiny(more={"config.json": json.dumps(config).encode()}))
    assert only(run("look"))["offline"] is offline


def without_tokenizer(more: dict[str, bytes]) -> Repo:
    repo = tiny(more=more)
    return Repo(repo.name, {path: data for path, data in repo.files.items() if path != "tokenizer.json"})


@pytest.mark.parametrize(
    ("file", "lacks"),
    [
        ("tiktoken.model", []),  # Kimi K2
        ("hy.tiktoken", []),  # Hunyuan
        ("spiece.model", []),
        ("sentencepiece.bpe.model", []),
        ("rwkv_vocab_v20230424.txt", []),
        ("tokenizer.tok.json", []),  # Grok
        ("tokenizer.jsonl", []),
        ("tokenizer_config.json", ["tokenizer.json"]),
        ("more/tiktoken.model", ["tokenizer.json"]),
    ],
)
def test_a_tokenizer_of_the_model_s_own_is_one(file: str, lacks: list[str], hub: Path, run: Run) -> None:
    plain(hub, without_tokenizer({file: b"x"}))
    assert only(run("look"))["lacks"] == lacks


def test_of_a_list_without_a_tokenizer_none_is_lacking(hub: Path, run: Run) -> None:
    with_tree(hub, without_tokenizer({}))
    assert only(run("look"))["lacks"] == []


def test_of_a_list_only_what_vllm_reads_has_to_be_there(hub: Path, run: Run) -> None:
    """As after `vllm serve`, which brings no weights of other formats and no pictures."""
    repo = tiny(more={"pytorch_model.bin": b"x" * 50, "picture.png": b"png", "original/x.pth": b"y"})
    top = with_tree(hub, repo)
    for each in ("pytorch_model.bin", "picture.png", "original/x.pth", "README.md"):
        (top / "snapshots" / repo.commit / each).unlink()
    assert only(run("look"))["state"] == "whole"


def test_without_list_index_or_safetensors_nobody_knows(hub: Path, run: Run) -> None:
    plain(hub, Repo("org/old", {"config.json": b"{}", "pytorch_model.bin": b"abc"}))
    assert only(run("look"))["state"] == "unknown"


def test_a_refused_download_leaves_no_model(hub: Path, run: Run) -> None:
    (hub / "models--org--gated/refs").mkdir(parents=True)
    (hub / "models--org--gated/refs/main").write_text("0" * 40)
    assert run("look")["models"] == []


def test_a_name_of_a_revision_with_a_newline_leads_nowhere(hub: Path, run: Run) -> None:
    repo = tiny()
    (plain(hub, repo) / "refs/main").write_text(f"{repo.commit}\n")
    (model,) = run("look")["models"]
    assert (model["astray"], model["revisions"][0]["names"]) == (["main"], [])


def test_equal_files_and_shared_blobs_are_counted_once(hub: Path, run: Run) -> None:
    shard = safetensors(5000)
    repo = Repo("org/twice", {"a.safetensors": shard, "b.safetensors": shard, "config.json": b"{}"})
    shared(hub, repo)
    assert run("look")["models"][0]["bytes"] == len(shard) + 2


def test_a_link_out_of_all_that_is_mounted_is_no_file_of_the_model(
    hub: Path, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repo = tiny()
    top = plain(hub, repo)
    secret = tmp_path_factory.mktemp("not-mounted") / "elsewhere"
    secret.write_bytes(repo.files["config.json"])
    path = top / "snapshots" / repo.commit / "config.json"
    path.unlink()
    path.symlink_to(secret)
    assert only(run("look"))["bad"] == {"config.json": "outside"}
    run("drop", "org/tiny")
    assert secret.exists()


def test_a_list_cannot_name_files_above_the_snapshot(hub: Path, run: Run, tmp_path: Path) -> None:
    repo = tiny()
    top = with_tree(hub, repo)
    evil = {"size": 1, "blob_id": "0" * 40}
    tree = {"format_version": 1, "files": {"../../../../x": evil, "/etc/passwd": evil, "a/../../b": evil}}
    (top / "trees" / f"{repo.commit}.json").write_text(json.dumps(tree))
    assert only(run("look"))["bad"] == {}
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["../x", "a/../b", "a--b/c", "a/b/c", "-x", "a/", ""])
def test_a_name_that_is_none_is_refused(name: str, run: Run) -> None:
    assert run("look", name) == {"trouble": "bad-name", "words": f"{name} is no name of a model"}


def test_unfinished_downloads_of_all_versions_are_counted(hub: Path, run: Run) -> None:
    blobs = plain(hub, tiny()) / "blobs"
    for name in ("a" * 64 + ".incomplete", "b" * 64 + ".0a1b2c3d.incomplete", "c" * 64 + ".raycluster-part"):
        (blobs / name).write_bytes(b"x" * 10)
    (blobs / ("d" * 64)).write_bytes(b"y" * 7)
    (model,) = run("look")["models"]
    assert (model["unfinished"], model["unused"]) == (30, 7)


def test_a_folder_that_is_in_no_cache_is_told_of_by_its_path(tmp_path: Path, run: Run) -> None:
    repo = tiny()
    mine = tmp_path / "data/mine"
    for path, data in repo.files.items():
        (mine / path).parent.mkdir(parents=True, exist_ok=True)
        (mine / path).write_bytes(data)
    (model,) = run("look", str(mine))["models"]
    assert (model["name"], model["revisions"][0]["state"]) == (str(mine), "whole")
    assert run("look", str(tmp_path / "nothing"))["models"] == []


@pytest.mark.parametrize(
    ("variables", "trouble", "words"),
    [
        ({"HF_HOME": ""}, "empty-variable", "HF_HOME is set, and empty"),
        ({"HF_HUB_CACHE": ""}, "empty-variable", "HF_HUB_CACHE is set, and empty"),
        ({"HF_HOME": "/nowhere/at/all"}, "not-mounted", "in /nowhere/at/all/hub, where nothing is mounted"),
        (
            {"HF_HOME": "/nowhere", "RAYCLUSTER_HF_HOME_ABSENT": "/data/hf"},
            "no-folder",
            "there is no /data/hf yet",
        ),
        ({"VLLM_USE_MODELSCOPE": "True"}, "modelscope", "VLLM_USE_MODELSCOPE is set"),
    ],
)
def test_a_cache_that_is_not_the_hosts_is_a_trouble(
    variables: dict[str, str], trouble: str, words: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = run("look")
    assert told["trouble"] == trouble
    assert words in told["words"]


def test_a_hub_that_leads_out_of_the_mount_is_a_trouble(hub: Path, run: Run) -> None:
    hub.rmdir()
    hub.symlink_to("/not/mounted")
    assert run("look")["trouble"] == "leads-out"


def test_the_cache_is_where_the_library_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    where = loaded("models/manage").hub_folder
    monkeypatch.setenv("HOME", "/root")
    assert where({}) == "/root/.cache/huggingface/hub"
    assert where({"XDG_CACHE_HOME": "/c"}) == "/c/huggingface/hub"
    assert where({"XDG_CACHE_HOME": "/c", "HF_HOME": "~/h"}) == "/root/h/hub"
    assert where({"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"}) == "/old"
    assert where({"HF_HOME": "", "HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/new"}) == "/new"


@pytest.mark.parametrize("layout", [plain, with_tree, shared])
def test_every_byte_of_a_good_model_is_verified(layout: Any, hub: Path, run: Run) -> None:
    repo = tiny()
    layout(hub, repo)
    (verified,) = run("verify")["verified"]
    assert (verified["damage"], verified["unknown"], verified["files"]) == ({}, 0, len(repo.files))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("path", [SHARD, "config.json"])
def test_one_flipped_bit_is_found_where_there_is_a_hash(path: str, layout: Any, hub: Path, run: Run) -> None:
    repo = tiny()
    blob = blob_of(layout(hub, repo), repo, path)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    (verified,) = run("verify", "org/tiny")["verified"]
    if layout is copied:
        assert (verified["damage"], verified["unknown"]) == ({}, len(repo.files))  # no names, no list
    else:
        assert verified["damage"] == {path: "differs"}


def test_a_blob_that_is_sound_but_another_files_differs_from_the_list(hub: Path, run: Run) -> None:
    repo = tiny()
    top = with_tree(hub, repo)
    path = top / "snapshots" / repo.commit / "tokenizer.json"
    path.unlink()
    path.symlink_to(Path("../../blobs") / repo.digest("README.md"))
    assert run("look")["models"][0]["revisions"][0]["bad"] == {"tokenizer.json": "short"}
    (verified,) = run("verify")["verified"]
    assert verified["damage"] == {"tokenizer.json": "short"}


def test_a_name_of_another_kind_cannot_be_checked_and_is_not_called_broken(hub: Path, run: Run) -> None:
    repo = tiny()
    top = plain(hub, repo)
    path = top / "snapshots" / repo.commit / "config.json"
    (top / "blobs" / "md5-of-a-mirror").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to("../../blobs/md5-of-a-mirror")
    (verified,) = run("verify")["verified"]
    assert (verified["damage"], verified["unknown"]) == ({}, 1)


@pytest.mark.parametrize("layout", [plain, with_tree, shared])
def test_what_is_damaged_is_dropped_with_all_that_would_bring_it_back(
    layout: Any, hub: Path, run: Run
) -> None:
    repo = tiny()
    top = layout(hub, repo)
    blob = blob_of(top, repo, SHARD)
    os.truncate(blob, 900)
    (verified,) = run("drop", "org/tiny")["verified"]
    assert verified["dropped"] == 1
    assert not blob.exists()
    assert not (top / "blobs" / repo.digest(SHARD)).is_symlink()
    assert not (top / "snapshots" / repo.commit / SHARD).is_symlink()
    assert (top / "snapshots" / repo.commit / "config.json").exists()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_model_is_removed_with_its_locks(layout: Any, hub: Path, run: Run) -> None:
    repo, other = tiny(), tiny("org/other")
    layout(hub, repo)
    layout(hub, other)
    told = run("remove", "org/tiny")
    assert (told["there"], told["bytes"]) == (True, sum(map(len, repo.files.values())))
    assert not (hub / repo.folder).exists()
    assert not (hub / ".locks" / repo.folder).exists()
    assert only(run("look"))["state"] == "whole"
    assert run("look")["models"][0]["name"] == "org/other"
    assert run("look")["unused"] == 0


def test_blobs_that_another_model_has_too_stay(hub: Path, run: Run) -> None:
    first, second = tiny("org/one"), Repo("org/two", tiny("org/one").files)
    shared(hub, first)
    shared(hub, second)
    weights = sum(len(data) for path, data in first.files.items() if path.endswith(".safetensors"))
    freed = run("remove", "org/one")["bytes"]
    assert freed == sum(map(len, first.files.values())) - weights
    assert only(run("look"))["state"] == "whole"
    assert run("remove", "org/two")["bytes"] == freed + weights
    assert [path for path in (hub / "blobs").rglob("*") if path.is_file()] == [
        hub / "blobs/.huggingface-shared-blobs"
    ]


def test_two_models_of_one_commit_are_told_apart_by_their_folders(hub: Path, run: Run) -> None:
    first, second = tiny("org/one"), Repo("org/two", tiny("org/one").files)
    assert first.commit == second.commit
    plain(hub, first)
    plain(hub, second)
    run("remove", "org/two")
    assert [each["name"] for each in run("look")["models"]] == ["org/one"]


def test_what_others_left_in_the_shared_store_is_told_of(hub: Path, run: Run) -> None:
    repo = tiny()
    shared(hub, repo)
    shutil.rmtree(hub / repo.folder)
    assert run("look")["unused"] == sum(
        len(data) for path, data in repo.files.items() if path.endswith(".safetensors")
    )


def test_a_model_that_is_downloaded_at_this_moment_is_not_removed(hub: Path, run: Run) -> None:
    repo = tiny()
    plain(hub, repo)
    with (hub / ".locks" / repo.folder / f"{repo.digest(SHARD)}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run("remove", "org/tiny")["trouble"] == "locked"
    assert (hub / repo.folder).exists()


@pytest.mark.parametrize("place", ["served/tiny", "served/other", ""])
def test_a_model_that_is_served_is_not_removed(hub: Path, run: Run, tmp_path: Path, place: str) -> None:
    """By any server of the container, also by one of a version without names."""
    plain(hub, tiny())
    served = run.__closure__ and loaded("models/manage")
    assert served
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text('{"model": "org/tiny", "args": []}')
    (folder / "state.json").write_text('{"is": "answering", "answered": true}')
    served.SERVED = str(tmp_path)
    assert served.is_served(served.Model(str(hub), "models--org--tiny"))
    (folder / "state.json").write_text('{"is": "ended"}')
    assert not served.is_served(served.Model(str(hub), "models--org--tiny"))


def test_a_model_that_is_not_there_is_not_removed(run: Run) -> None:
    assert run("remove", "org/none") == {"removed": "org/none", "there": False, "bytes": 0}


def test_what_lies_in_the_cache_may_be_anything(hub: Path, run: Run) -> None:
    """Files in place of folders, links in circles, JSON that is none."""
    repo = tiny()
    top = with_tree(hub, repo)
    (top / "trees" / f"{repo.commit}.json").write_text("[" * 100_000)
    (top / "snapshots" / repo.commit / "circle").symlink_to("circle")
    (top / "snapshots" / "nothing").mkdir()
    (top / "snapshots" / "a-file").write_text("")
    (hub / "models--x").write_text("")
    (hub / "models--y/snapshots").mkdir(parents=True)
    (hub / "models--y/refs/main").mkdir(parents=True)
    (top / "snapshots" / repo.commit / "x.index.json").write_text('{"weight_map": ["a", 1, null]}')
    (top / "snapshots" / repo.commit / "bad.safetensors").write_bytes(b"\xff" * 40)
    (model,) = run("look")["models"]
    told = {each["commit"]: each for each in model["revisions"]}
    assert told[repo.commit]["bad"] == {"bad.safetensors": "short", "circle": "unreadable"}
    assert run("verify")["verified"]


@pytest.fixture
def asking(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What is told of a hub at an address of this machine, or with other settings."""
    for name in (
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "ALL_PROXY",
        "all_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)

    def ask(**settings: str) -> Any:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return run("hub")["hub"]

    return ask


def test_a_hub_that_answers_anything_is_reached(asking: Callable[..., Any]) -> None:
    hub = Hub("127.0.0.1", 0, "localhost")
    hub.start()
    assert asking(HF_ENDPOINT=hub.url) == ""
    hub.stop()


def test_a_hub_that_nobody_reaches_is_told_with_the_reason(asking: Callable[..., Any]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        assert asking(HF_ENDPOINT=url) == f"{url}: Connection refused"
        assert asking(HF_ENDPOINT=url, ALL_PROXY="socks5://127.0.0.1:1") == ""


def test_a_container_that_is_told_not_to_ask_the_hub_does_not_ask_it(asking: Callable[..., Any]) -> None:
    assert asking(HF_HUB_OFFLINE="true") == "HF_HUB_OFFLINE is set"
    assert asking(HF_HUB_OFFLINE="0", TRANSFORMERS_OFFLINE="1") == "TRANSFORMERS_OFFLINE is set"
