"""A failed command as people read it: its own words first, the exit code behind them."""

import pytest

from orchestrator.plan.problem import Problem, exited, headline, plural, quoted

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
        ("no luck today\nSee 'docker run --help'.", "no luck today"),
    ],
)
def test_the_headline_is_the_line_that_says_what_went_wrong(words: str, first: str) -> None:
    assert headline(words) == first


@pytest.mark.parametrize(
    "beside",
    [
        "sudo: unable to resolve host gpu2: Temporary failure in name resolution",
        "sudo: unable to send audit message: Operation not permitted",
        "sudo: setrlimit(RLIMIT_CORE): Operation not permitted",
        "bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8): No such file or directory",
        "/bin/bash: line 1: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8)",
        'perl: warning: Setting locale failed.\n\tLC_ALL = "xx"\n    are supported and installed on your system.',
        "WARNING: Error loading config file: /root/.docker/config.json: EOF",
        "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.",
        "Flag --x has been deprecated, it is an error to use it",
        "mesg: ttyname failed: Inappropriate ioctl for device",
        "stty: 'standard input': Inappropriate ioctl for device",
        "tput: No value for $TERM and no -T specified",
        "stdin: is not a tty",
        "bash: cannot set terminal process group (-1): Inappropriate ioctl for device",
        "bash: no job control in this shell",
        "TERM environment variable not set.",
    ],
)
def test_what_stands_beside_an_error_is_not_the_headline(beside: str) -> None:
    cause = "sudo: sorry, you must have a tty to run sudo"
    assert headline(f"{beside}\n{cause}") == headline(f"{cause}\n{beside}") == cause
    assert headline(f"{beside}\nbash: docker: command not found") == "bash: docker: command not found"


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


def test_what_nvidias_hook_ends_with_is_told_and_not_what_runc_quotes_before() -> None:
    """With Docker 20.10 and 24, as reported at github.com/vllm-project/vllm/issues/5635."""
    said = (
        "docker: Error response from daemon: failed to create task for container: OCI runtime create failed: runc "
        "create failed: unable to start container process: error during container init: error running hook #0: error "
        "running hook: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\n"
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4: unknown."
    )
    assert headline(said) == said.splitlines()[1]
    assert quoted("", said).text == said.splitlines()[1]
    assert quoted("", said).detail == said
