"""Folders that start anew, and files that lock."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path


def empty(folder: Path, keep: str = "") -> None:
    """Make the folder exist with nothing in it; one that is mounted somewhere stays mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name != keep:
            delete(entry)


def delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else is in such a block with this file meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
