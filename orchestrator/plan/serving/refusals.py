"""Refusals of arguments that vLLM could not be served with: each with what works, before anything starts."""

from collections.abc import Callable

from orchestrator.frozen import dataclass
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import Given, Option
from orchestrator.plan.typed import ours


@dataclass(frozen=True, slots=True)
class _Refused:
    """An option that cannot be: why, and what works. `when`: of its values, those that cannot."""

    option: Option
    text: str
    fix: str
    when: Callable[[str], bool] = lambda _: True


OUT = "leave it out"
REQUIRED = "2"
"""`ssl.CERT_REQUIRED`."""

BALANCER = (
    "vLLM would want a server on every host, behind a balancer of yours, and here the head's is the only one"
)
INTERNAL = (
    "leave it out: with `-- --data-parallel-size N` the head's server spreads requests over all ranks, "
    "and --api-server-count gives it more processes"
)
PLACES = "who takes part follows from the inventory and the sizes"
SIZES = "leave it out; --tensor-parallel-size and --pipeline-parallel-size give the sizes"
NO_SERVER = "vLLM would have no server to ask"

COUNTED = (
    *(arguments.TENSOR, arguments.PIPELINE, arguments.CONTEXT, arguments.DATA, arguments.DATA_LOCAL),
    *(arguments.PORT, arguments.MASTER_PORT, arguments.API_SERVERS),
)
HIGHEST_PORT = 65535


def _is_no_number(value: str) -> bool:
    return not value.isascii() or not value.isdigit() or len(value) > arguments.LONGEST


REFUSED = (
    _Refused(
        arguments.MODEL,
        "vLLM would take it for the model instead of the one that is served",
        "leave it out: the model is the word after `serve`",
    ),
    *(
        _Refused(option, "vLLM takes a whole number", f"as in `-- {option.name} 8`", _is_no_number)
        for option in COUNTED
    ),
    *(
        _Refused(
            option,
            "there is no such port",
            f"as in `-- {option.name} 8001`",
            lambda value: int(value) > HIGHEST_PORT,
        )
        for option in (arguments.PORT, arguments.MASTER_PORT)
    ),
    *(
        _Refused(option, "there is nothing of size 0", OUT, lambda value: int(value) == 0)
        for option in (arguments.TENSOR, arguments.PIPELINE, arguments.CONTEXT, arguments.DATA)
    ),
    *(
        _Refused(
            option, "vLLM wants a value", f"leave {option.name} out, or give it one", lambda value: not value
        )
        for option in (arguments.HOST, arguments.BACKEND, arguments.DATA_BACKEND)
    ),
    _Refused(
        arguments.BACKEND,
        "its ranks are started by torchrun, and here vLLM starts them itself",
        OUT,
        lambda value: value == "external_launcher",
    ),
    *(
        _Refused(option, BALANCER, INTERNAL)
        for option in (
            arguments.HYBRID,
            arguments.EXTERNAL,
            arguments.MULTI_PORT,
            arguments.DATA_RANK,
            arguments.DATA_START_RANK,
        )
    ),
    *(_Refused(option, PLACES, SIZES) for option in (arguments.NODES, arguments.NODE_RANK)),
    _Refused(
        arguments.HELP,
        "vLLM would print its options, and end",
        f"see them: {ours('exec', '-l', 'head', '--', 'vllm', 'serve', '--help')}",
    ),
    _Refused(arguments.HEADLESS, NO_SERVER, OUT),
    _Refused(arguments.API_SERVERS, NO_SERVER, OUT, lambda value: value == "0"),
    _Refused(
        arguments.UDS,
        "vLLM would listen at a file in the head's container, where nobody else can ask it",
        "leave it out; `-- --host 127.0.0.1` keeps the server to its own host",
        bool,
    ),
    _Refused(arguments.GRPC, "vLLM would speak gRPC alone, and it is asked over HTTP", OUT),
    _Refused(
        arguments.CLIENT_CERTIFICATES,
        "vLLM would answer only those with a certificate, and raycluster has none",
        f"leave it out; a key decides who may ask: `secrets: [VLLM_API_KEY]`, then {ours('up')}",
        lambda value: value == REQUIRED,
    ),
    _Refused(
        arguments.HOST,
        "vLLM takes an IPv6 address without brackets",
        "write it so, as in `-- --host ::`",
        lambda value: value.startswith("["),
    ),
    _Refused(
        arguments.PORT,
        "vLLM would take any port, and nobody would know which",
        "name one: `-- --port 8001`",
        lambda value: value == "0",
    ),
)
IPV4_ALONE = ("", "0", "0.0.0.0")  # noqa: S104 - what vLLM may have been told


def refusal(given: Given, ip: str) -> Problem | None:
    """Why it could not be served, or not asked; None where it can. `ip`: the head's."""
    ipv6 = _Refused(
        arguments.HOST,
        f"vLLM would listen at IPv4 addresses alone, and the head's ip is {ip}",
        "leave it out, or `-- --host ::`",
        lambda value: ":" in ip and value in IPV4_ALONE,
    )
    for each in (*REFUSED, ipv6):
        if each.option in given and each.when(value := given.value(each.option)):
            return Problem(f"{f'{each.option.name} {value}'.strip()}: {each.text}", each.fix)
    return None
