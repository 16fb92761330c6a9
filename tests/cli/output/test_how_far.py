"""A step that has a size: bar, percent and time left on a terminal, the same in words elsewhere."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from orchestrator.cli.output import live_table, progress
from orchestrator.cli.output.how_far import drawn, in_words
from orchestrator.cli.run.run_log import Mask
from orchestrator.plan.command import Command
from orchestrator.plan.progress import Progress, Unit
from orchestrator.plan.steps import Run
from orchestrator.remote.execute.events import StepAdvanced, StepBegan

HALF_WAY = Progress(done=10_200_000_000, total=20_400_000_000, rate=110e6)
LAYERS = Progress(3, 12, unit=Unit.LAYERS, note="4 more downloaded")
LOAD = Run("gpu4", "load raylab:latest from gpu1", Command(("load",)))


def test_in_words() -> None:
    assert in_words(HALF_WAY) == "10.2 GB of 20.4 GB (50 %), 110 MB/s, 93 s left"
    assert in_words(Progress(88_000_000, rate=9e6)) == "88 MB, 9 MB/s"
    assert in_words(LAYERS) == "3 of 12 layers, 4 more downloaded"


@pytest.mark.parametrize(
    ("rate", "left"),
    [(2e11, "1 s left"), (20e6, "8 min left"), (1e6, "2 h 50 min left")],
)
def test_time_left_is_as_exact_as_it_can_be(rate: float, left: str) -> None:
    assert in_words(Progress(10_200_000_000, 20_400_000_000, rate)).endswith(f", {left}")


def test_the_bar_shrinks_first_then_the_rate_goes_then_the_amount() -> None:
    assert (
        drawn(HALF_WAY, 90, "").plain
        == f"{'━' * 15}{'─' * 15}   50 %  10.2 GB of 20.4 GB  110 MB/s  93 s left"
    )
    assert (
        drawn(HALF_WAY, 60, "").plain == f"{'━' * 6}{'─' * 6}   50 %  10.2 GB of 20.4 GB  110 MB/s  93 s left"
    )
    assert drawn(HALF_WAY, 50, "").plain == f"{'━' * 5}{'─' * 5}   50 %  10.2 GB of 20.4 GB  93 s left"
    assert drawn(HALF_WAY, 40, "").plain == f"{'━' * 5}{'─' * 5}   50 %  93 s left"
    assert drawn(LAYERS, 60, "").plain == f"{'━' * 3}{'─' * 9}  3 of 12 layers, 4 more downloaded"


def test_nothing_is_drawn_of_what_has_no_end() -> None:
    assert drawn(Progress(88_000_000, rate=9e6), 60, "").plain == "88 MB, 9 MB/s"


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize("host", ["gpu4", "node-17.rack-3.example.com"])
def test_each_row_of_the_table_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, host: str
) -> None:
    console = Console(file=io.StringIO(), width=columns, height=24, force_terminal=True, color_system=None)
    monkeypatch.setattr(live_table, "notice", lambda: console)
    table = live_table.LiveTable((host,), Mask())
    step = Run(host, LOAD.title, LOAD.command)
    table(StepBegan(step))
    table(StepAdvanced(step, HALF_WAY))
    console.print(table)
    _, row = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert cell_len(row) <= columns
    for words in (host, "━", "50 %", "93 s left"):
        assert words in row
    assert ("110 MB/s" in row) is (columns > 80 or host == "gpu4")


def test_nothing_is_drawn_before_anything_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    monkeypatch.setattr(live_table, "notice", lambda: console)
    console.print(live_table.LiveTable(("gpu4",), Mask()))
    assert console.file.getvalue().strip() == ""  # type: ignore[attr-defined]


def test_where_lines_stay_there_is_one_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.display(("gpu4",), 0, Mask()) as tell:
        for second in range(25):
            now = float(second)
            tell(StepAdvanced(LOAD, Progress(second * 1_000_000, 100_000_000, 1e6)))
    assert capsys.readouterr().err.splitlines() == [
        "  10.0 s  gpu4: load raylab:latest from gpu1: 10 MB of 100 MB (10 %), 1 MB/s, 90 s left",
        "  20.0 s  gpu4: load raylab:latest from gpu1: 20 MB of 100 MB (20 %), 1 MB/s, 80 s left",
    ]
