"""Folders that start anew."""

import shutil
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
