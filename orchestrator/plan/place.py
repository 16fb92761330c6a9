"""What a container's command line takes from its host."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: its data address, the interface that carries it, the user's home, InfiniBand or not."""

    ip: str
    interface: str
    home: str
    infiniband: bool
