"""What a person has told `vllm serve`, in all spellings that its parser takes."""

import pytest

from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import OPTIONS, SPELLINGS, TENSOR, Option, read


def given(args: str) -> dict[str, str]:
    """The options by their short names, where they have any."""
    values = read(tuple(args.split())).values
    return {option.short or option.name: value for option, value in values.items()}


@pytest.mark.parametrize(
    ("args", "value"),
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
        ("--tensor-parallel 2", "2"),
        ("--tensor_par=2", "2"),
        ("--te 2", "2"),
        ("-t 2", "2"),
        ("-tp", ""),
        ("-tp=", ""),
        ("-tp --port 8", ""),
        ("-tp -pp 8", ""),
        ("", ""),
        ("-tp2", ""),  # vLLM does not know it either
        ("tp 2", ""),
        ("--tensor-parallel-sizes 2", ""),
        ("-- -tp 2", ""),  # what follows is no option
        ("--compilation-config.level -tp 2", ""),  # the value of another
        ("--compilation-config.level=3 -tp 2", "2"),
        ("--hf-overrides {} -tp 2", "2"),
    ],
)
def test_the_value_of_an_option_is_the_last_one_in_any_spelling(args: str, value: str) -> None:
    assert read(tuple(args.split())).value(TENSOR) == value


@pytest.mark.parametrize(
    ("args", "understood"),
    [
        ("-dp 2 -dpl 1 -dpn 0 -dpr 4", {"-dp": "2", "-dpl": "1", "-dpn": "0", "-dpr": "4"}),
        ("--data-parallel-size 2", {"-dp": "2"}),
        ("--data-parallel-size-l 2", {"-dpl": "2"}),
        ("--data-parallel-r 1", {}),  # rank or rpc-port: vLLM refuses it
        ("--data-parallel-ra 1", {"-dpn": "1"}),
        ("-dpa 10.0.0.1 -dpp 13345 -dpb ray", {"-dpa": "10.0.0.1", "-dpp": "13345", "-dpb": "ray"}),
        ("-dph -dpe -dpm", {"-dph": "", "-dpe": "", "-dpm": ""}),
        ("--data-parallel-hybrid-lb --no-data-parallel-hybrid-lb", {}),
        ("--data-parallel-hybrid 8", {"-dph": ""}),  # a flag has no value
        ("-pcp 2 -dcp 4 -dc {} -pp 3", {"-pcp": "2", "-dcp": "4", "-dc": "{}", "-pp": "3"}),
        ("-p 2", {}),
        ("-n 2 -r 1", {"-n": "2", "-r": "1"}),
        ("-n2 -r=1", {"-n": "2", "-r": "1"}),
        ("--n 2", {}),
        ("--node-r 1", {"-r": "1"}),
        ("-asc 4", {"-asc": "4"}),
        ("--ho :: --por 9", {"--host": "::", "--port": "9"}),
        ("--ssl-certf a.pem --ssl-cert-r 2", {"--ssl-certfile": "a.pem", "--ssl-cert-reqs": "2"}),
        ("--api_key s3cret", {"--api-key": "s3cret"}),
        ("--config a.yaml", {"--config": "a.yaml"}),
        ("--config=a.yaml", {}),  # which vLLM does not read
        ("--conf a.yaml", {}),
        ("--master-p 4000", {"--master-port": "4000"}),
        ("--served-model-name a b --uds /s", {"--uds": "/s"}),
        ("-sc.method ngram -sc.model=a/b -tp 2", {"-sc": "model=a/b", "-tp": "2"}),  # parts of its JSON
        ("--hf_overrides.rope_scaling.factor 4", {"--hf-overrides": "rope_scaling.factor=4"}),
        ("--compilation-config.x.y 4", {}),
        ("--grpc", {"--grpc": ""}),
        ("- -- --port 9", {}),
    ],
)
def test_what_decides_is_understood(args: str, understood: dict[str, str]) -> None:
    assert given(args) == understood


@pytest.mark.parametrize(
    ("given", "number"),
    [("8", 8), ("0", 0), ("two", 0), ("-2", 0), ("2.0", 0), ("٢", 0), ("²", 0), ("", 0), ("9" * 5000, 0)],
)
def test_what_is_no_number_counts_as_none(given: str, number: int) -> None:
    assert read(("-tp", given)).number(TENSOR) == number


@pytest.mark.parametrize(
    ("args", "is_given"),
    [
        ("--ssl-certfile a.pem", True),
        ("--ssl_certfile=a.pem", True),
        ("--ssl-keyfile", False),
        ("ssl-certfile", False),
    ],
)
def test_whether_an_option_is_given(args: str, is_given: bool) -> None:
    assert (arguments.CERTIFICATE in read(tuple(args.split()))) is is_given


def test_an_option_is_taken_out_with_all_of_its_parts() -> None:
    args = ("-sc.method", "-x", "-tp", "2", "--speculative_config.model=a/b")
    assert arguments.without(args, arguments.SPECULATIVE) == ("-tp", "2")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_each_option_is_known_by_each_of_its_names(option: Option) -> None:
    assert {SPELLINGS[name] for name in (option.name, option.short) if name} == {option}
    assert read((option.name, "1")).values.keys() == {option}
