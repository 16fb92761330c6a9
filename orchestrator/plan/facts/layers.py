"""Layers that a host has, of whatever image, where its store takes an image without the layers that are there."""

import json
from contextlib import suppress

from orchestrator.plan.facts.sections import RECORD

CLASSIC = {"overlay2", "vfs", "aufs", "devicemapper"}
"""Drivers of Docker's older image store. That of containerd has other names, and wants every layer, as Podman does."""

Stack = tuple[str, ...]
"""The layers of an image, the lowest first."""


def parse_stacks(stdout: str) -> tuple[Stack, ...]:
    """The answer to `docker.inspect_layers`: the layers of each image of an older store; none where it is another."""
    found = []
    for line in stdout.rpartition(RECORD)[2].splitlines():
        identity, _, rest = line.partition(" ")
        driver, _, layers = rest.partition(" ")
        if takes_without(identity, driver):
            with suppress(ValueError):
                found.append(tuple(json.loads(layers) or ()))
    return tuple(found)


def takes_without(identity: str, driver: str) -> bool:
    """Whether an image that has layers of this one may come without them."""
    return identity.startswith("sha256:") and driver in CLASSIC  # Podman's IDs lack that


def shared(wanted: Stack, stacks: tuple[Stack, ...]) -> int:
    """How many of the lowest layers of an image are there, one on another as in it."""
    return max((_common(wanted, stack) for stack in stacks), default=0)


def _common(one: Stack, other: Stack) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
