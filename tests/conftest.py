"""Which level a test belongs to, and at the end of a run, which levels really ran."""

from collections import Counter
from pathlib import Path

import pytest

LAB = Path(__file__).with_name("lab")
WORLDS = Path(__file__).with_name("worlds")
VLLM = Path(__file__).with_name("vllm")
PROCESSES = tuple(
    Path(__file__).parent / each
    for each in ("payload", "remote/transfer", "remote/execute/test_image_chain.py", "cli/test_streams.py")
)
LEVELS = ("pure", "sshd", "slow", "lab", "worlds", "vllm")
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed", "deselected")


@pytest.hookimpl(tryfirst=True)  # before `-m` decides by these marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        is_search = hasattr(getattr(item, "function", None), "hypothesis")
        if is_search or any(item.path.is_relative_to(folder) for folder in PROCESSES):
            item.add_marker("slow")
        if item.path.is_relative_to(VLLM):
            item.add_marker("vllm")
            item.add_marker(pytest.mark.timeout(600, func_only=True))
        if item.path.is_relative_to(WORLDS):
            item.add_marker("worlds")
        if any(item.path.is_relative_to(folder) for folder in (LAB, WORLDS, VLLM)):
            item.add_marker("lab")
            if item.get_closest_marker("timeout") is None:
                # The test's own time: bringing the lab up, the first time with its image, is no part of it.
                item.add_marker(pytest.mark.timeout(300, func_only=True))


def _level(tested: pytest.TestReport | pytest.CollectReport | pytest.Item) -> str:
    # By folder: among the keywords are also the names of all folders, the checkout's own included.
    folder = next(
        (level for level in ("vllm", "worlds", "lab") if tested.nodeid.startswith(f"tests/{level}/")), "pure"
    )
    keywords = getattr(tested, "keywords", ()) if folder == "pure" else ()
    return next((level for level in ("slow", "sshd") if level in keywords), folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A level that was skipped must not look like one that passed."""
    terminalreporter.section("levels")
    for level in LEVELS:
        outcomes = {
            outcome: [report for report in reports if _level(report) == level]
            for outcome, reports in terminalreporter.stats.items()
            if outcome in OUTCOMES
        }
        counts = [f"{len(outcomes[name])} {name}" for name in OUTCOMES if outcomes.get(name)]
        terminalreporter.line(f"{level:<7}{', '.join(counts) or 'no tests'}")
        for reason, count in Counter(map(_reason, outcomes.get("skipped", []))).items():
            terminalreporter.line(f"       {count} skipped: {reason}")


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return text.removeprefix("Skipped: ")
