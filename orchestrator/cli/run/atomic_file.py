"""Files that are written whole or not at all: others may read them at any moment."""

import os
from pathlib import Path

from orchestrator.cli.run.inventory_file import refuse


def make_sure(file: Path) -> None:
    """Exit code 2 where no file of that name can be."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        refuse(f"{file}: {'is a folder' if file.is_dir() else 'there is no such folder'}. Nothing was done.")


def replace(file: Path, text: str, mode: int | None = None) -> None:
    """Writes it beside the old one, and puts it in its place. Without a mode, readable for whom new files are."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text(text, newline="")
    if mode is not None:
        new.chmod(mode & 0o7777)
    new.replace(file)
