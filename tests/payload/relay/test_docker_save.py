"""An archive without the layers that are there already."""

import io
import sys
import tarfile
from pathlib import Path

import pytest

from tests.payload.relay.chains import chain

BIG = 3_000_000


def archive(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w") as made:
        folder = tarfile.TarInfo("one")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
        for name, data in files.items():
            entry = tarfile.TarInfo(name.replace("_", "/"))
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("two/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../one/layer.tar"
        made.addfile(link)
    return path


@pytest.mark.parametrize("skip", [[], ["one/layer.tar"], ["one/layer.tar", "two/layer.tar", "no/such"]])
def test_all_else_comes_as_it_is(tmp_path: Path, skip: list[str]) -> None:
    saved = archive(tmp_path / "saved", one_VERSION=b"1.0", one_layer_tar=b"", manifest_json=b"[]")
    big = {"one/layer.tar": bytes(BIG), "blobs/sha256/2": b"x" * 700}
    with tarfile.open(saved, "a") as more:
        for name, data in big.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            more.addfile(entry, io.BytesIO(data))
    out = tmp_path / "out"
    source = {"source": {"kind": "docker save", "command": ["cat", str(saved)], "skip": skip}}
    sink = {"sink": {"kind": "command", "command": ["sh", "-c", 'cat >"$0"', str(out)]}}
    with chain(source, sink) as relays:
        relays[0].tell(start=True)
        relays[1].wait_for("done")
    with tarfile.open(saved) as whole, tarfile.open(out) as came:
        kept = [name for name in whole.getnames() if name not in skip or not whole.getmember(name).isfile()]
        assert came.getnames() == kept
        assert (out.stat().st_size < BIG) is bool(skip)
        for name in ("one/VERSION", "blobs/sha256/2"):
            wanted, got = whole.extractfile(name), came.extractfile(name)
            assert wanted
            assert got
            assert wanted.read() == got.read()


@pytest.mark.parametrize(
    ("history", "layers", "below", "total"),
    [
        ("500 0 300 0 200", 3, 2, 500),
        ("500 0 300 0 200", 4, 3, 500),
        ("500 300", 3, 2, 0),
        ("none", 3, 2, 0),
    ],
    ids=["lines without a layer", "a layer of nothing", "untold", "no answer"],
)
def test_how_much_will_come_is_told_beforehand(
    history: str, layers: int, below: int, total: int, tmp_path: Path
) -> None:
    saved = archive(tmp_path / "saved", one_layer_tar=b"x")
    sizes = {"command": ["printf", history.replace(" ", "\n")], "layers": layers, "below": below}
    config = {"kind": "docker save", "command": ["cat", str(saved)], "skip": ["one/layer.tar"]}
    with chain(
        {"source": {**config, "sizes": sizes}}, {"sink": {"kind": "command", "command": ["cat"]}}
    ) as relays:
        relays[0].tell(start=True)
        assert relays[0].wait_for("told")["total"] == total


def test_what_is_no_archive_is_said() -> None:
    command = [sys.executable, "-c", "print('x' * 5000)"]
    source = {"source": {"kind": "docker save", "command": command, "skip": ["a"]}}
    with chain(source, {"sink": {"kind": "command", "command": ["cat"]}}) as relays:
        relays[0].tell(start=True)
        assert relays[0].wait_for("failed")["why"] == "docker save gave no archive"
