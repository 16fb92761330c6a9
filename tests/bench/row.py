"""A measured claim, and how it is shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`what` was measured `beside` what; `value` of it, in `unit`, is to be `limit` at most (or at least, `more`).

    `note`: the seconds or bytes behind a ratio, in words. A row without a limit is there to be compared with.
    """

    what: str
    beside: str
    value: float
    unit: str = "×"  # noqa: RUF001
    limit: float | None = None
    more: bool = False
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the limit is kept; None where there is none."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.more else self.value <= self.limit
