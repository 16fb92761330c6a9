"""A download goes on as long as something comes, and what has come is what the hub has listed."""

import errno
import fnmatch
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.payload.models.layouts import Repo, plain, tiny
from tests.payload.programs import loaded

SHARD = "model-00001-of-00002.safetensors"


class NoRepositoryError(Exception):
    """As the library's, with an answer of the hub."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.response = SimpleNamespace(status_code=status)


class GatedError(NoRepositoryError):
    pass


class NoRevisionError(NoRepositoryError):
    pass


class Library:
    """What `models/pull` asks of huggingface_hub, for one repository. `mishaps`: what befalls the next downloads."""

    utils = SimpleNamespace(
        GatedRepoError=GatedError,
        RepositoryNotFoundError=NoRepositoryError,
        RevisionNotFoundError=NoRevisionError,
    )

    def __init__(self, hub: Path, repo: Repo) -> None:
        self.hub, self.repo = hub, repo
        self.mishaps: list[Callable[[Path, list[str]], None]] = []
        self.asked: list[list[str]] = []
        self.refusal: Exception | None = None
        self.gated = False

    def get_token(self) -> str | None:
        return None

    def HfApi(self, token: str | None) -> "Library":  # noqa: ARG002, N802 - as it is called there
        return self

    def model_info(self, model: str, revision: str, files_metadata: bool, timeout: int) -> Any:
        assert (model, files_metadata, timeout) == (self.repo.name, True, 30)
        assert revision
        if self.refusal and not self.gated:
            raise self.refusal
        siblings = [
            SimpleNamespace(
                rfilename=path,
                size=each["size"],
                blob_id=each["blob_id"],
                lfs={"sha256": each["lfs_sha256"]} if "lfs_sha256" in each else None,
            )
            for path, each in self.repo.tree().items()
        ]
        return SimpleNamespace(sha=self.repo.commit, siblings=siblings, gated=self.gated)

    def list_repo_refs(self, model: str) -> Any:
        assert model == self.repo.name
        names = ("main", "pr/1"), ("v1.0",)
        branches, tags = ([SimpleNamespace(name=each) for each in some] for some in names)
        return SimpleNamespace(branches=branches, tags=tags)

    def hf_hub_url(self, model: str, path: str, revision: str) -> str:
        return f"{model}/{revision}/{path}"

    def get_hf_file_metadata(self, url: str, token: str | None) -> None:  # noqa: ARG002
        if self.refusal:
            raise self.refusal

    def snapshot_download(
        self, model: str, revision: str, allow_patterns: list[str], token: str | None, cache_dir: str
    ) -> None:
        assert (model, revision, token, cache_dir) == (self.repo.name, self.repo.commit, None, str(self.hub))
        paths = [
            each for each in self.repo.files if any(fnmatch.fnmatch(each, one) for one in allow_patterns)
        ]
        self.asked.append(paths)
        if self.mishaps:
            self.mishaps.pop(0)(self.hub / self.repo.folder, paths)
        here = {path: self.repo.files[path] for path in paths}
        there = self.hub / self.repo.folder / "blobs"
        missing = {path: data for path, data in here.items() if not (there / self.repo.digest(path)).exists()}
        top = self.hub / self.repo.folder / "snapshots" / self.repo.commit
        for path in [each for each in missing if (top / each).is_symlink()]:
            (top / path).unlink()
        plain(self.hub, Partial(self.repo.name, missing, self.repo))


class Partial(Repo):
    """Some files of a repository, at its commit."""

    def __init__(self, name: str, files: Any, whole: Repo) -> None:
        super().__init__(name, files)
        object.__setattr__(self, "whole", whole)

    @property
    def commit(self) -> str:
        commit: str = self.whole.commit  # type: ignore[attr-defined]
        return commit


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "hf/hub"


@pytest.fixture
def program(tmp_path: Path) -> Any:
    made = loaded("models/pull")
    made.mount_points = lambda: [str(tmp_path)]
    made.PAUSE = 0
    return made


@contextmanager
def pulled(program: Any, library: Library, **spec: Any) -> Iterator[Path]:
    program.imported = lambda _: library
    program.pull(library.repo.name, spec.get("revision", "main"), spec.get("everything", False), "")
    yield library.hub / library.repo.folder


def trouble(program: Any, library: Library, **spec: Any) -> str:
    with pytest.raises(program.Trouble) as raised, pulled(program, library, **spec):
        pass
    return str(raised.value)


def test_what_vllm_reads_is_brought_with_a_list_and_a_name(program: Any, hub: Path) -> None:
    repo = tiny(more={"pytorch_model.bin": b"x", "original/params.json": b"{}"})
    library = Library(hub, repo)
    with pulled(program, library) as top:
        kept = json.loads((top / ".raycluster" / f"{repo.commit}.json").read_text())
        assert (top / "refs/main").read_text() == repo.commit  # and no newline
    assert set(kept["files"]) == set(repo.files) - {"pytorch_model.bin", "original/params.json"}
    assert library.asked == [[each for each in repo.files if each in kept["files"]]]
    with pulled(program, library, everything=True) as top:
        kept = json.loads((top / ".raycluster" / f"{repo.commit}.json").read_text())
    assert set(kept["files"]) == set(repo.files)


def test_an_image_without_the_library_is_told_with_the_model(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(program.Trouble, match="has no huggingface_hub to download org/tiny: "):
        program.pull("org/tiny", "main", everything=False, token="")


def test_a_file_name_with_brackets_is_no_pattern(program: Any, hub: Path) -> None:
    repo = tiny(more={"[ab].txt": b"x"})
    library = Library(hub, repo)
    with pulled(program, library):
        assert "[ab].txt" in library.asked[0]


def test_a_commit_is_no_name_of_itself(program: Any, hub: Path) -> None:
    library = Library(hub, tiny())
    with pulled(program, library, revision=library.repo.commit) as top:
        assert [each.name for each in (top / "refs").iterdir()] == ["main"]  # the stand-in's own


def test_the_librarys_list_goes_where_only_a_part_was_brought(program: Any, hub: Path) -> None:
    """With it, offline, it would call that part incomplete."""
    for more, stays in (({"pytorch_model.bin": b"x"}, False), ({}, True)):
        repo = tiny(more=more)
        library = Library(hub, repo)

        def lists(top: Path, _: list[str], repo: Repo = repo) -> None:
            (top / "trees").mkdir(parents=True, exist_ok=True)
            (top / "trees" / f"{repo.commit}.json").write_text("{}")

        library.mishaps = [lists]
        with pulled(program, library) as top:
            assert (top / "trees" / f"{repo.commit}.json").exists() is stays


def breaks(error: Exception) -> Callable[[Path, list[str]], None]:
    def mishap(_top: Path, _paths: list[str]) -> None:
        raise error

    return mishap


def test_a_connection_that_breaks_is_tried_again(program: Any, hub: Path) -> None:
    library = Library(hub, tiny())
    library.mishaps = [breaks(ConnectionResetError(errno.ECONNRESET, "reset by peer"))] * 3
    with pulled(program, library):
        assert len(library.asked) == 4


def test_a_hub_that_stays_away_is_told_in_the_words_of_the_system(program: Any, hub: Path) -> None:
    library = Library(hub, tiny())
    library.mishaps = [breaks(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))] * 9
    assert (
        trouble(program, library) == "the hub cannot be reached: https://huggingface.co: Connection refused"
    )
    assert len(library.asked) == 5


def test_other_bytes_than_were_listed_are_sent_again_once(program: Any, hub: Path) -> None:
    library = Library(hub, tiny())

    def lies(top: Path, _: list[str]) -> None:
        blob = top / "blobs" / library.repo.digest(SHARD)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(library.repo.files[SHARD][::-1])
        link = top / "snapshots" / library.repo.commit / SHARD
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))

    library.mishaps = [lies]
    with pulled(program, library) as top:
        assert (top / "blobs" / library.repo.digest(SHARD)).read_bytes() == library.repo.files[SHARD]
    (top / "blobs" / library.repo.digest(SHARD)).unlink()
    (top / "snapshots" / library.repo.commit / SHARD).unlink()
    library.mishaps = [lies, lies]
    assert trouble(program, library) == f"the hub has sent other bytes than it has listed: {SHARD}"


def test_what_was_cut_short_before_is_removed_first_as_no_download_mends_it(program: Any, hub: Path) -> None:
    library = Library(hub, tiny())
    top = plain(hub, library.repo)
    os.truncate(top / "blobs" / library.repo.digest(SHARD), 10)
    with pulled(program, library):
        assert (top / "snapshots" / library.repo.commit / SHARD).read_bytes() == library.repo.files[SHARD]


def test_unfinished_files_go_that_nobody_goes_on_with(program: Any, hub: Path) -> None:
    library = Library(hub, tiny())
    blobs = hub / library.repo.folder / "blobs"
    blobs.mkdir(parents=True)
    for name in (f"{library.repo.digest(SHARD)}.incomplete", "ab.01234567.incomplete", "cd.incomplete"):
        (blobs / name).write_bytes(b"x")
    with pulled(program, library):
        assert sorted(each.name for each in blobs.glob("*.incomplete")) == ["cd.incomplete"]


def test_those_of_a_download_that_goes_on_stay(program: Any, hub: Path, capsys: Any) -> None:
    library = Library(hub, tiny())
    blobs, locks = hub / library.repo.folder / "blobs", hub / ".locks" / library.repo.folder
    blobs.mkdir(parents=True)
    locks.mkdir(parents=True)
    (blobs / "ab.01234567.incomplete").write_bytes(b"x")
    with (locks / "ab.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        with pulled(program, library):
            assert (blobs / "ab.01234567.incomplete").exists()
    assert "another download of it is under way" in capsys.readouterr().out


def test_a_disk_that_is_too_small_is_told_before_a_byte_comes(program: Any, hub: Path) -> None:
    library = Library(hub, tiny())
    program.MARGIN = 1 << 60
    assert " are to come, and " in trouble(program, library)
    assert library.asked == []


@pytest.mark.parametrize(
    ("error", "gated", "words"),
    [
        (
            NoRepositoryError("401", 401),
            False,
            "the hub has no model org/tiny, or it is private, and no token",
        ),
        (
            NoRevisionError("404", 404),
            False,
            "the hub has no such revision: org/tiny main; it has main, pr/1, v1.0",
        ),
        (GatedError("401", 401), True, "org/tiny is gated, and no token was given"),
        (RuntimeError("what\nmore"), False, "RuntimeError: what"),
        (NoRepositoryError("too many", 429), True, "the hub has no model"),
    ],
)
def test_the_hubs_refusals_are_told_apart(
    error: Exception, gated: bool, words: str, program: Any, hub: Path
) -> None:
    library = Library(hub, tiny())
    library.refusal, library.gated = error, gated
    assert words in trouble(program, library)
    assert not (hub / library.repo.folder).exists()


def test_without_a_token_the_first_line_is_empty(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"hf_token\n\n\n")
    monkeypatch.setattr(os, "read", lambda _, count, read=os.read: read(reader, count))
    assert (program.first_line(), program.first_line()) == ("hf_token", "")
