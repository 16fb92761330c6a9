"""Membership of hosts in the cluster, as an engine reports it."""

from collections.abc import Mapping

from orchestrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A host's membership; None: unknown.

    `gpus`: those that are seen. `trouble`: what is wrong with a container that runs; `fix`: what to do.
    """

    sound: bool
    ray: bool | None
    joined: bool | None
    gpus: int | None
    trouble: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """The hosts that are in the cluster now, each with its GPUs, None where unknown; `strangers`: other addresses."""

    summary_prefix: str
    gpus: Mapping[str, int | None]
    strangers: tuple[str, ...] = ()
