"""A value that may be sent to a host but never shown."""

from dataclasses import field

from orchestrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """A named secret. Not a `str`, so it cannot be joined, formatted or quoted by accident."""

    name: str
    value: str = field(repr=False)

    def __str__(self) -> str:
        return f"<{self.name}>"
