"""What a person has told `vllm serve`, in all spellings."""

import pytest

from orchestrator.plan.serving import spec

NAMES = ("--tensor-parallel-size", "-tp")


@pytest.mark.parametrize(
    ("args", "read"),
    [
        ("-tp 2", "2"),
        ("-tp=2", "2"),
        ("--tensor-parallel-size 2", "2"),
        ("--tensor-parallel-size=2", "2"),
        ("--tensor_parallel_size 2", "2"),
        ("--tensor_parallel_size=2", "2"),
        ("--tensor-parallel-size=2=3", "2=3"),
        ("-tp 4 --tensor-parallel-size 2", "2"),
        ("--tensor-parallel-size 2 -tp 4", "4"),
        ("-tp 2 -tp=4", "4"),
        ("-tp", ""),
        ("-tp=", ""),
        ("", ""),
        ("-tp2", ""),  # vLLM does not know it either
        ("tp 2", ""),
        ("--tensor-parallel-sizes 2", ""),
    ],
)
def test_the_value_of_an_option_is_the_last_one_in_any_spelling(args: str, read: str) -> None:
    assert spec.option_value(tuple(args.split()), *NAMES) == read


@pytest.mark.parametrize(
    ("given", "number"),
    [("8", 8), ("0", 0), ("two", 0), ("-2", 0), ("2.0", 0), ("٢", 0), ("²", 0), ("", 0), ("9" * 5000, 0)],
)
def test_what_is_no_number_counts_as_none(given: str, number: int) -> None:
    assert spec.option_number(("-tp", given), *NAMES) == number


@pytest.mark.parametrize(
    ("args", "given"),
    [
        ("--ssl-certfile a.pem", True),
        ("--ssl_certfile=a.pem", True),
        ("--ssl-keyfile", False),
        ("ssl-certfile", False),
    ],
)
def test_whether_an_option_is_given(args: str, given: bool) -> None:
    assert spec.has_option(tuple(args.split()), "--ssl-certfile") is given
