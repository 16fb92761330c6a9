"""When what was seen on a terminal."""

import pytest

from tests.bench.measure import BenchError
from tests.bench.terminal import marks

FRAME = "Look at the hosts\n{} h1\n{} h2\n"


def shown(*frames: str) -> list[str]:
    return ["sh", "-c", "; sleep 0.3; ".join(f"printf '{frame}'" for frame in frames)]


def test_marks_are_counted_in_the_last_frame_alone() -> None:
    frames = (FRAME.format("✓", "."), FRAME.format("✓", "."), FRAME.format("✓", "✓"), FRAME.format("✗", "✓"))
    done, failed = marks(shown(*frames), others=2)
    assert 0.5 < done < failed
    assert failed - done > 0.2


def test_a_terminal_on_which_no_host_failed_is_an_error() -> None:
    with pytest.raises(BenchError, match="not all hosts were marked"):
        marks(shown(FRAME.format("✓", "✓")), others=2)
