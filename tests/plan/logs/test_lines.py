"""Lines of logs: their time, their order, where reading goes on, and what is said of containers meanwhile."""

import time
from dataclasses import replace

import pytest

from orchestrator.model.cluster import Node, Role
from orchestrator.plan.docker import ALL
from orchestrator.plan.logs.lines import (
    PIECE,
    ContainerLog,
    FileLog,
    Line,
    LogContainer,
    container_news,
    docker_line,
    in_order,
    parse_container,
    parse_since,
)

GPU1 = Node("gpu1", "gpu1.example.com", Role.HEAD, "10.0.0.1")
NOON = 1_772_366_400 * 10**9  # 2026-03-01T12:00:00Z
RUNNING = LogContainer("c1", "running", "0", "at noon", NOON + 60 * 10**9)


def stamped(moment: str, text: str = "") -> Line:
    line = docker_line("gpu1", f"2026-03-01T{moment} {text}")
    assert line
    return line


def test_a_line_has_the_time_before_it_and_keeps_its_blanks() -> None:
    assert stamped("12:00:00.000000007Z", "  a  b ") == Line("gpu1", NOON + 7, "  a  b ")


@pytest.mark.parametrize("moment", ["12:00:00.5Z", "13:00:00.5+01:00", "06:30:00.500-05:30"])
def test_podman_tells_the_time_in_its_own_zone_and_without_zeros(moment: str) -> None:
    assert stamped(moment).stamp == NOON + 5 * 10**8


def test_an_empty_line_is_one_and_what_has_no_time_is_none() -> None:
    assert docker_line("gpu1", "2026-03-01T12:00:00Z ") == Line("gpu1", NOON, "")
    assert docker_line("gpu1", "Welcome to gpu1!") is None
    assert docker_line("gpu1", "") is None


def test_what_only_looks_like_a_time_is_no_reason_to_fail() -> None:
    assert stamped("99:99:99Z", "text") == Line("gpu1", 0, "text")


def test_a_long_line_loses_the_times_that_docker_put_between_its_pieces() -> None:
    time = "2026-03-01T12:00:00.000000007Z "
    told = docker_line("gpu1", f"{time}{'x' * PIECE}{time}{'y' * PIECE}{time}z")
    assert told
    assert told.text == "x" * PIECE + "y" * PIECE + "z"


def test_lines_of_several_hosts_are_told_by_time_and_those_of_one_as_they_came() -> None:
    lines = [Line("gpu1", 1, "a"), Line("gpu1", 5, "b"), Line("gpu1", 4, "c"), Line("gpu2", 3, "d")]
    assert [line.text for line in in_order(lines)] == ["a", "d", "b", "c"]


def heard(log: ContainerLog, *told: str) -> list[str]:
    lines = (log.receive(f"2026-03-01T{each}") for each in told)
    return [line.text for line in lines if line]


def asked(log: ContainerLog) -> tuple[str, ...]:
    """The options with which Docker is asked for what comes."""
    argv = log.follow(RUNNING).argv
    return argv[argv.index("--tail") : argv.index("c1")]


def test_the_first_time_it_is_asked_for_what_people_wanted() -> None:
    assert asked(ContainerLog(GPU1, "5", "10m")) == ("--tail", "5", "--since", "10m")


def test_after_a_break_it_goes_on_from_a_second_before_the_newest_line_and_tells_none_twice() -> None:
    log = ContainerLog(GPU1, "5", "")
    asked(log)
    heard(log, "12:00:00.3Z long ago", "12:00:08.3Z a", "12:00:09.2Z b", "12:00:09.2Z b", "12:00:09.1Z late")
    assert asked(log) == ("--tail", ALL, "--since", f"{NOON // 10**9 + 8}.200000000")
    again = ("12:00:08.3Z a", "12:00:09.2Z b", "12:00:09.2Z b", "12:00:09.1Z late")
    assert heard(log, *again, "12:00:09.2Z b", "12:00:09.15Z of a moment before") == [
        "b",
        "of a moment before",
    ]


def test_after_two_breaks_it_goes_on_as_well() -> None:
    log = ContainerLog(GPU1, "all", "")
    asked(log)
    heard(log, "12:00:08.3Z a")
    asked(log)
    assert heard(log, "12:00:08.3Z a", "12:00:08.4Z b") == ["b"]
    asked(log)
    assert heard(log, "12:00:08.3Z a", "12:00:08.4Z b", "12:00:08.5Z c") == ["c"]


def test_after_a_break_lines_that_were_too_old_at_first_are_too_old_still() -> None:
    log = ContainerLog(GPU1, "1", "")
    asked(log)
    heard(log, "12:00:08.3Z the last line")
    assert asked(log) == ("--tail", ALL, "--since", f"{NOON // 10**9 + 8}.300000000")
    assert heard(log, "12:00:08.2Z one before", "12:00:08.3Z the last line", "12:00:08.4Z new") == ["new"]


def test_a_log_that_was_silent_before_the_break_goes_on_from_when_it_was_first_asked() -> None:
    log = ContainerLog(GPU1, "0", "")
    assert asked(log) == ("--tail", "0")
    for _ in range(2):
        assert asked(log) == ("--tail", ALL, "--since", f"{NOON // 10**9 + 60}.000000000")


def test_all_that_was_said_is_asked_for_again_where_a_break_came_before_the_first_line() -> None:
    log = ContainerLog(GPU1, "all", "")
    assert asked(log) == asked(log) == ("--tail", ALL)
    heard(log, "12:00:08.3Z a")
    assert "--since" in asked(log)


def test_a_line_of_rays_has_its_time_or_that_of_the_line_before() -> None:
    log = FileLog(GPU1, "100")
    told = (
        "raylet.out 7:20 [2026-03-01 12:00:00,007 I 1 1] (raylet) up",
        "monitor.log 9:5 no time yet",
        "raylet.out 7:30   of the line before",
        "monitor.log 9:30 2026-03-01 12:00:01,000\tINFO monitor.py:1 -- up",
        "Welcome to gpu1!",
    )
    lines = [line for each in told if (line := log.receive(each))]
    assert [(line.file, line.stamp) for line in lines] == [
        ("raylet.out", NOON + 7_000_000),
        ("monitor.log", 0),
        ("raylet.out", NOON + 7_000_000),
        ("monitor.log", NOON + 10**9),
    ]
    assert lines[2].text == "  of the line before"


def test_rays_files_are_gone_on_with_where_they_were_left_and_read_whole_in_a_new_container() -> None:
    log = FileLog(GPU1, "100")
    assert log.follow(RUNNING).argv[-2:] == ("100", "45")
    assert log.receive("gcs_server.out 8:99") is None
    assert log.receive("raylet.out 7:20 ") == Line("gpu1", 0, "", "raylet.out")
    assert log.follow(RUNNING).argv[-3:] == ("45", "gcs_server.out 8:99", "raylet.out 7:20")
    assert log.follow(replace(RUNNING, id="c2")).argv[-2:] == ("all", "45")


def test_what_a_host_found() -> None:
    assert parse_container(
        "hello\n\x1ec1\nexited 137 2026-03-01T12:00:00.1Z\n1772366400.000000007\n"
    ) == LogContainer("c1", "exited", "137", "2026-03-01T12:00:00.1Z", NOON + 7)
    assert parse_container("hello\n\x1e\n") == LogContainer()


ENDED = LogContainer("c1", "exited", "137", "at noon")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, RUNNING, ""),
        (RUNNING, RUNNING, ""),
        (None, LogContainer(), "no container is there; waiting for one"),
        (LogContainer(), LogContainer(), ""),
        (RUNNING, LogContainer(), "its container is gone; waiting for another"),
        (RUNNING, ENDED, "its container exited with code 137; waiting for it to start again"),
        (None, ENDED, "its container exited with code 137; waiting for it to start again"),
        (ENDED, ENDED, ""),
        (ENDED, LogContainer("c1", "running", "0", "at one"), "its container was started again"),
        (RUNNING, LogContainer("c1", "running", "0", "at one"), "its container was started again"),
        (LogContainer(), RUNNING, "a new container is there"),
        (ENDED, LogContainer("c2", "running", "0", "at one"), "a new container is there"),
    ],
)
def test_the_news_of_a_container(before: LogContainer | None, now: LogContainer, told: str) -> None:
    assert container_news(before, now) == told


@pytest.mark.parametrize(
    "said", ["10m", "1h30m", "1.5h", ".5s", "300ms", "1772366400", "1772366400.123456789"]
)
def test_what_docker_understands_is_left_to_it(said: str) -> None:
    assert parse_since(said) == said


@pytest.mark.parametrize(
    "said", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00.0000Z"]
)
def test_a_date_becomes_seconds(said: str) -> None:
    assert parse_since(said) == "1772366400.000000"


def test_a_date_without_a_zone_is_the_laptops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-1")
    time.tzset()
    assert parse_since("2026-03-01T13:00") == parse_since("2026-03-01 13:00:00") == "1772366400.000000"
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("said", ["", "yesterday", "10 m", "1d", "-5m", "m", "10m!", "٣m", "0001-01-01"])
def test_what_is_no_time(said: str) -> None:
    assert parse_since(said) is None
