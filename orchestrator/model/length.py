"""How much of a host's command line an inventory fills."""

import shlex
from collections.abc import Iterable

from orchestrator.model.inventory import Host, Inventory
from orchestrator.model.problem import Path

LONGEST = 100_000
"""sshd hands the line to a shell as one argument, for which Linux has 131,071 bytes; ours take the rest."""


def lengths(part: Inventory | Host) -> dict[Path, int]:
    """The bytes on the line, by where they are written; nothing for what is not."""
    env = (f"{name}={value}" for name, value in (part.env or {}).items())
    docker = (part.docker and part.docker.args) or ()
    ray = (part.ray and part.ray.args) or ()
    filled = {
        ("env",): _length(env),
        ("docker", "args"): _length(docker),
        ("ray", "args"): _length(map(shlex.quote, ray)),
    }
    return {path: length for path, length in filled.items() if length}


def _length(words: Iterable[str]) -> int:
    return sum(len(shlex.quote(word).encode(errors="replace")) + len(" -e ") for word in words)
