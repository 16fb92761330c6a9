"""Hops: a host's part in a chain, and what runs there."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.command import Command


@dataclass(frozen=True, slots=True)
class Hop:
    """One host of a chain. `command` runs a relay's program there, with its standard input open.

    `ip`: where it listens, or `network`, in which it finds its own. The first has a `source`, the others a `sink`.
    """

    host: str
    command: Command
    ip: str = ""
    network: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    sink: Mapping[str, Any] = field(default_factory=dict)
