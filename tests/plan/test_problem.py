"""A failed command as people read it: its own words first, the exit code behind them."""

import pytest

from orchestrator.plan.problem import Problem, exited, headline, plural

NO_DEVICE = (
    'docker: Error response from daemon: error gathering device information while adding custom device "/dev/kfd": '
    "no such file or directory"
)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("", ""),
        ("no luck today\n", "no luck today"),
        ("one\ntwo\n", "two"),
        (
            "Unable to find image 'x:1' locally\ndocker: Error response from daemon: pull access denied for x",
            "docker: Error response from daemon: pull access denied for x",
        ),
        (
            "docker: Error response from daemon: no\n"
            'time="2026-03-01T12:00:00Z" level=error msg="error waiting for container: context canceled"',
            "docker: Error response from daemon: no",
        ),
        (
            "DEPRECATED: The legacy builder is an error of the past\nERROR: No matching distribution found for ray\n"
            "The command '/bin/sh -c pip' returned a non-zero code: 1",
            "ERROR: No matching distribution found for ray",
        ),
        (
            'Traceback (most recent call last):\n  File "x.py", line 1\n    raise ValueError("a")\nValueError: a',
            "ValueError: a",
        ),
        ("WARNING: a kernel without swap limit", "WARNING: a kernel without swap limit"),
    ],
)
def test_the_headline_is_the_line_that_says_what_went_wrong(words: str, first: str) -> None:
    assert headline(words) == first


def test_the_exit_code_stands_behind_the_words() -> None:
    assert exited(127, f"{NO_DEVICE}.").text == f"{NO_DEVICE} (exit code 127)"


def test_the_exit_code_stands_alone_where_nothing_was_said() -> None:
    assert exited(3, "") == Problem("exit code 3", exit_code=3)


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("", ""),
        ("no luck.\n", ""),
        ("bad luck\nno luck", "bad luck\nno luck"),
        (f"{NO_DEVICE}.\nSee 'docker run --help'.", ""),
        (f"{NO_DEVICE}\n\nRun 'docker run --help' for more information", ""),
    ],
)
def test_what_the_headline_says_is_not_said_again(words: str, more: str) -> None:
    assert exited(3, words).more == more


@pytest.mark.parametrize(("count", "said"), [(0, "0 GPUs"), (1, "1 GPU"), (2, "2 GPUs")])
def test_things_are_counted_as_people_do(count: int, said: str) -> None:
    assert plural(count, "GPU") == said
