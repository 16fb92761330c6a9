"""A model's files as a stream, and back: only what is lacking, whole and right or not to be seen."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.payload.models.layouts import LAYOUTS, Repo, plain, shared, tiny
from tests.payload.programs import loaded

SHARD = "model-00001-of-00002.safetensors"


class Host:
    """A host's cache, and the program there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "hub").mkdir(parents=True)
        self.program = loaded("models/stream")
        self.program.mount_points = lambda: [str(home)]
        self.program.own_hub = lambda: os.path.realpath(home / "hub")

    def lists(self, model: str = "org/tiny", revision: str = "main") -> dict[str, Any]:
        return json.loads(json.dumps(self.program.made_of(model, revision)))  # type: ignore[no-any-return]

    def stream(self, listed: Any, begin: Mapping[int, int]) -> bytes:
        return b"".join(bytes(each) for each in self.program.pieces_of(listed, begin))

    def has(self, listed: Any) -> Any:
        return self.program.holding(listed)

    def receive(self, listed: Any, stream: bytes, piece: int = 100, *, cut: int | None = None) -> Any:
        receiver = self.program.Receiver(listed)
        try:
            for at in range(0, len(stream[:cut]), piece):
                receiver.write(stream[:cut][at : at + piece])
            if cut is None:
                return json.loads(receiver.close()["said"])
        finally:
            receiver.abort()
            receiver.release()

    @property
    def hub(self) -> Path:
        return self.home / "hub"


@pytest.fixture
def giver(tmp_path: Path) -> Host:
    return Host(tmp_path / "giver")


@pytest.fixture
def taker(tmp_path: Path) -> Host:
    return Host(tmp_path / "taker")


def wants(listed: Any, has: Any) -> dict[int, int]:
    """As the laptop decides."""
    seen, found = set[str](), dict[int, int]()
    for number, (file, here) in enumerate(zip(listed["files"], has["has"], strict=True)):
        known = file["digest"] or file["path"]
        if known not in seen and here < file["size"]:
            found[number] = here
        seen.add(known)
    return found


def is_same(repo: Repo, host: Host) -> bool:
    top = host.hub / repo.folder
    files = {path: (top / "snapshots" / repo.commit / path).read_bytes() for path in repo.files}
    return files == repo.files and (top / "refs/main").read_bytes() == repo.commit.encode()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("piece", [1, 77, 100_000])
def test_a_model_of_any_layout_arrives_whole(layout: Any, piece: int, giver: Host, taker: Host) -> None:
    repo = tiny(more={"sub/copy.txt": b"", "sub/same.json": b'{"model": {}}'})
    layout(giver.hub, repo)
    listed = giver.lists()
    had = taker.has(listed)
    assert (sum(had["has"]), had["ready"]) == (0, False)
    taker.receive(listed, giver.stream(listed, wants(listed, had)), piece)
    assert is_same(repo, taker)
    assert taker.has(listed)["ready"]
    assert wants(listed, taker.has(listed)) == {}
    assert not list(taker.hub.rglob("*.raycluster-part"))
    assert (taker.hub / repo.folder / "snapshots" / repo.commit / SHARD).is_symlink() is (
        layout.__name__ != "copied"
    )


def test_what_arrives_can_be_read_by_everybody(giver: Host, taker: Host) -> None:
    plain(giver.hub, tiny())
    old = os.umask(0o077)
    try:
        listed = giver.lists()
        taker.receive(listed, giver.stream(listed, wants(listed, taker.has(listed))))
    finally:
        os.umask(old)
    top = taker.hub / tiny().folder
    for path in [top / "blobs", top / "snapshots", *(top / "blobs").iterdir()]:
        assert path.stat().st_mode & 0o444 == 0o444, path
    assert not (top / "trees").exists()


def test_nothing_is_seen_of_what_was_cut_short_and_it_goes_on_from_there(giver: Host, taker: Host) -> None:
    repo = tiny()
    plain(giver.hub, repo)
    listed = giver.lists()
    whole = giver.stream(listed, wants(listed, taker.has(listed)))
    taker.receive(listed, whole, cut=len(whole) // 2)
    top = taker.hub / repo.folder
    assert not (top / "snapshots").exists()
    assert not (top / "refs").exists()
    rest = giver.stream(listed, wants(listed, taker.has(listed)))
    assert len(rest) < 0.7 * len(whole)
    taker.receive(listed, rest)
    assert is_same(repo, taker)


@pytest.mark.parametrize("cut", range(0, 3400, 170))
def test_a_cut_anywhere_is_made_good(cut: int, giver: Host, taker: Host) -> None:
    repo = tiny()
    plain(giver.hub, repo)
    listed = giver.lists()
    taker.receive(listed, giver.stream(listed, wants(listed, taker.has(listed))), piece=50, cut=cut)
    taker.receive(listed, giver.stream(listed, wants(listed, taker.has(listed))), piece=33)
    assert is_same(repo, taker)


def test_who_has_more_than_others_passes_over_it(giver: Host, taker: Host) -> None:
    """All hosts of a chain get the same stream, from where the last of them stands."""
    repo = tiny()
    plain(giver.hub, repo)
    listed = giver.lists()
    whole = giver.stream(listed, wants(listed, taker.has(listed)))
    taker.receive(listed, whole, cut=1500)
    came = taker.receive(listed, whole)["came"]
    assert came < sum(map(len, repo.files.values()))
    assert is_same(repo, taker)


def test_a_part_that_is_wrong_is_found_and_removed(giver: Host, taker: Host) -> None:
    repo = tiny()
    plain(giver.hub, repo)
    listed = giver.lists()
    blobs = taker.hub / repo.folder / "blobs"
    blobs.mkdir(parents=True)
    part = blobs / f"{repo.digest(SHARD)}.raycluster-part"
    part.write_bytes(b"wrong" * 20)
    stream = giver.stream(listed, wants(listed, taker.has(listed)))
    with pytest.raises(Exception, match=f"other bytes came than the hash of {SHARD} says"):
        taker.receive(listed, stream)
    assert not part.exists()
    assert not (blobs.parent / "snapshots").exists()
    taker.receive(listed, giver.stream(listed, wants(listed, taker.has(listed))))
    assert is_same(repo, taker)


def test_a_file_that_is_damaged_at_its_source_arrives_nowhere(giver: Host, taker: Host) -> None:
    repo = tiny()
    blob = plain(giver.hub, repo) / "blobs" / repo.digest(SHARD)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    listed = giver.lists()
    with pytest.raises(Exception, match="other bytes came"):
        taker.receive(listed, giver.stream(listed, wants(listed, taker.has(listed))))
    assert not (taker.hub / repo.folder / "refs").exists()


def test_a_file_that_changes_while_it_is_read_is_named(giver: Host) -> None:
    repo = tiny()
    top = plain(giver.hub, repo)
    listed = giver.lists()
    stream = giver.program.pieces_of(listed, dict.fromkeys(range(len(listed["files"])), 0))
    next(stream)
    with (top / "blobs" / repo.digest(listed["files"][0]["path"])).open("ab") as file:
        file.write(b"more")
    with pytest.raises(Exception, match=r"README.md changed while it was read"):
        b"".join(stream)


def test_a_model_that_is_not_whole_is_not_given(giver: Host) -> None:
    repo = tiny()
    (plain(giver.hub, repo) / "blobs" / repo.digest(SHARD)).unlink()
    with pytest.raises(Exception, match=f"does not have all of it: org/tiny: {SHARD} is missing"):
        giver.lists()
    with pytest.raises(Exception, match=r"has no org/none$"):
        giver.lists("org/none")
    with pytest.raises(Exception, match="has no /no/such"):
        giver.lists("/no/such")


def test_a_revision_is_taken_by_its_name_its_commit_or_as_the_only_one(giver: Host) -> None:
    repo = tiny()
    top = plain(giver.hub, repo)
    assert giver.lists(revision=repo.commit)["commit"] == repo.commit
    (top / "refs/main").unlink()
    assert giver.lists()["names"] == []
    with pytest.raises(Exception, match="has no org/tiny v1"):
        giver.lists(revision="v1")


def test_a_blob_that_is_being_downloaded_there_is_left_alone(giver: Host, taker: Host) -> None:
    repo = tiny()
    plain(giver.hub, repo)
    listed = giver.lists()
    locks = taker.hub / ".locks" / repo.folder
    locks.mkdir(parents=True)
    with (locks / f"{repo.digest(SHARD)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Exception, match="org/tiny is being downloaded at this moment"):
            taker.receive(listed, b"")
    assert not (taker.hub / repo.folder).exists()


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(giver: Host, taker: Host) -> None:
    plain(giver.hub, tiny())
    listed = giver.lists()
    taker.program.MARGIN = 1 << 60
    with pytest.raises(Exception, match=r"are to come, and .* has .* free"):
        taker.receive(listed, b"")
    assert list(taker.hub.iterdir()) == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", ".", ""])
def test_a_list_names_no_files_elsewhere(path: str, giver: Host, taker: Host) -> None:
    plain(giver.hub, tiny())
    listed = giver.lists()
    listed["files"][0]["path"] = path
    with pytest.raises(Exception, match="is no name of a model"):
        taker.has(listed)
    listed = giver.lists()
    listed["files"][0]["digest"] = "../../x"
    with pytest.raises(Exception, match="is no name of a model"):
        taker.has(listed)


@pytest.mark.parametrize("stream", [b"{}", b"hello\n", b"x" * 300_000, b'{"n": 0, "at": 5, "size": 9}\n'])
def test_what_is_no_stream_of_files_makes_none(stream: bytes, giver: Host, taker: Host) -> None:
    plain(giver.hub, tiny())
    with pytest.raises(Exception, match=r"no stream of files|not all of|a part of"):
        taker.receive(giver.lists(), stream)
    assert not (taker.hub / tiny().folder / "refs").exists()


def test_a_folder_of_ones_own_is_copied_by_size_and_time(tmp_path: Path) -> None:
    repo, top = tiny(), tmp_path / "mine"
    for path, data in repo.files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(data)
    giver, taker = Host(tmp_path / "giver"), Host(tmp_path / "taker")
    giver.program.mount_points = taker.program.mount_points = lambda: [str(tmp_path)]
    listed = giver.lists(str(top))
    kept = tmp_path / "kept"
    top.rename(kept)
    begin = wants(listed, taker.has(listed))
    kept.rename(top)
    stream = giver.stream(listed, begin)
    top.rename(kept)
    taker.receive(listed, stream)
    assert {
        str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()
    } == repo.files
    assert taker.has(listed)["ready"]
    (top / "config.json").write_bytes(b"{}" + b" " * 21)
    os.utime(top / "config.json", (1, 1))
    assert wants(listed, taker.has(listed)).keys() >= {
        [each["path"] for each in listed["files"]].index("config.json")
    }


def test_a_folder_that_no_container_would_have_is_refused(tmp_path: Path) -> None:
    taker = Host(tmp_path / "taker")
    with pytest.raises(Exception, match="/data/mine is in no folder of the host"):
        taker.has({"model": "/data/mine", "commit": "", "names": [], "files": []})


def test_one_folder_is_known_again_wherever_it_is_seen(giver: Host, taker: Host) -> None:
    plain(giver.hub, tiny())
    listed = giver.lists()
    assert giver.has(listed)["identity"] == listed["identity"]
    assert taker.has(listed)["identity"] != listed["identity"]


def test_links_into_the_shared_store_become_files(giver: Host, taker: Host) -> None:
    repo = tiny()
    shared(giver.hub, repo)
    listed = giver.lists()
    taker.receive(listed, giver.stream(listed, wants(listed, taker.has(listed))))
    blob = taker.hub / repo.folder / "blobs" / repo.digest(SHARD)
    assert blob.is_file()
    assert not blob.is_symlink()
    assert not (taker.hub / "blobs").exists()
