"""Progress of a step that has a size: how much of it is done, and how fast it goes."""

from enum import StrEnum

from orchestrator.frozen import dataclass

KB, MB, GB = 1e3, 1e6, 1e9


class Unit(StrEnum):
    """What is counted. Layers differ in size, so a count of them tells no time."""

    BYTES = "bytes"
    LAYERS = "layers"


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total`, which is 0 if untold. `rate`: a second, 0 if not known; `note`: what else there is to say."""

    done: int
    total: int = 0
    rate: float = 0.0
    unit: Unit = Unit.BYTES
    note: str = ""

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where the total is untold. A total may be about right only, so it ends at 1."""
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at this rate; None where nobody knows."""
        return (self.total - self.done) / self.rate if self.rate and self.done < self.total else None


def size(count: float) -> str:
    """`7 kB`, `340 MB`, `1.2 GB`."""
    unit, name = next(((unit, name) for unit, name in ((GB, "GB"), (MB, "MB")) if count >= unit), (KB, "kB"))
    return f"{count / unit:{'.1f' if unit == GB else '.0f'}} {name}"
