"""Caches of models in every layout that huggingface_hub has had from 0.23 to 2.4, made without it."""

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LFS = (".safetensors", ".bin", ".pth")


def safetensors(size: int, seed: str = "") -> bytes:
    """A file of that format with so many bytes of one tensor."""
    data = (hashlib.sha256(seed.encode()).digest() * (size // 32 + 1))[:size]
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Repo:
    """A repository of the hub at one commit."""

    name: str
    files: Mapping[str, bytes]
    revision: str = "main"

    @property
    def commit(self) -> str:
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    @property
    def folder(self) -> str:
        return f"models--{self.name.replace('/', '--')}"

    def digest(self, path: str) -> str:
        """What the hub has for an ETag, and so the name of the blob."""
        data = self.files[path]
        return sha256(data) if path.endswith(LFS) else git_sha1(data)

    def tree(self) -> dict[str, dict[str, object]]:
        return {path: self._listed(path, data) for path, data in sorted(self.files.items())}

    def _listed(self, path: str, data: bytes) -> dict[str, object]:
        told: dict[str, object] = {"size": len(data), "blob_id": git_sha1(data)}
        return told | ({"lfs_sha256": sha256(data), "lfs_size": len(data)} if path.endswith(LFS) else {})


def tiny(name: str = "org/tiny", *, more: Mapping[str, bytes] | None = None) -> Repo:
    """A model of two shards, as vLLM serves one."""
    shards = {f"model-0000{n}-of-00002.safetensors": safetensors(1000 + n, f"{name}{n}") for n in (1, 2)}
    index = {"weight_map": {f"layer.{n}": shard for n, shard in enumerate(shards)}}
    files = {
        "config.json": b'{"model_type": "llama"}',
        "tokenizer.json": b'{"model": {}}',
        "model.safetensors.index.json": json.dumps(index).encode(),
        "README.md": b"# tiny\n",
        "empty.txt": b"",
        **shards,
        **(more or {}),
    }
    return Repo(name, files)


def _link(path: Path, to: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(to, path.parent))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _refer(top: Path, repo: Repo) -> None:
    _write(top / "refs" / repo.revision, repo.commit.encode())


def plain(hub: Path, repo: Repo) -> Path:
    """0.23 to 1.21, and whatever has no Xet: snapshots of links to blobs."""
    top = hub / repo.folder
    for path, data in repo.files.items():
        blob = top / "blobs" / repo.digest(path)
        _write(blob, data)
        _link(top / "snapshots" / repo.commit / path, blob)
        _write(hub / ".locks" / repo.folder / f"{repo.digest(path)}.lock", b"")
    _refer(top, repo)
    return top


def with_tree(hub: Path, repo: Repo) -> Path:
    """From 1.22 on: the same, and a list of the commit's files."""
    top = plain(hub, repo)
    tree = {"format_version": 1, "files": repo.tree()}
    _write(top / "trees" / f"{repo.commit}.json", json.dumps(tree).encode())
    return top


def shared(hub: Path, repo: Repo) -> Path:
    """From 1.32 on, by Xet: blobs are themselves links, into a store that all models share."""
    top, store = with_tree(hub, repo), hub / "blobs"
    _write(store / ".huggingface-shared-blobs", b"1\n")
    for path, data in repo.files.items():
        if not path.endswith(LFS):
            continue
        blob, xet = top / "blobs" / repo.digest(path), sha256(b"xet" + data)
        kept = store / xet[:2] / xet
        _write(kept, data)
        kept.with_name(f"{xet}.lock").touch()
        with kept.with_name(f"{xet}.refs").open("a") as refs:
            refs.write(f"{repo.folder}/blobs/{blob.name}\n")
        blob.unlink(missing_ok=True)
        _link(blob, kept)
    return top


def copied(hub: Path, repo: Repo) -> Path:
    """What `cp -L` makes of it, and the library where there are no links: snapshots of plain files, no blobs."""
    top = hub / repo.folder
    for path, data in repo.files.items():
        _write(top / "snapshots" / repo.commit / path, data)
    _refer(top, repo)
    return top


def copied_with_list(hub: Path, repo: Repo) -> Path:
    """The same with the list of a new library."""
    top = copied(hub, repo)
    _write(
        top / "trees" / f"{repo.commit}.json",
        json.dumps({"format_version": 1, "files": repo.tree()}).encode(),
    )
    return top


LAYOUTS = (plain, with_tree, shared, copied, copied_with_list)
