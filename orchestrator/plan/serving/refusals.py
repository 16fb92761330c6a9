"""Refusals of arguments that vLLM could not be served with: each with what works, before anything starts."""

from collections.abc import Callable

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import Option
from orchestrator.plan.serving.servers import with_args
from orchestrator.plan.typed import add, ours


@dataclass(frozen=True, slots=True)
class _Refused:
    """An option that cannot be, and why. `when`: of its values, those that cannot; None for any.

    `instead`: the words that work in its place, empty for none; `more`: what else there is to say of that.
    """

    option: Option
    text: str
    instead: tuple[str, ...] = ()
    more: str = ""
    when: Callable[[str], bool] = lambda _: True


REQUIRED = "2"
"""`ssl.CERT_REQUIRED`."""

BALANCER = (
    "vLLM would want a server on every host, behind a balancer of yours, and here the head's is the only one"
)
INTERNAL = (
    "with `-- --data-parallel-size N` the head's server spreads requests over all ranks, "
    "and --api-server-count gives it more processes"
)
PLACES = "who takes part follows from the inventory and the sizes"
SIZES = "--tensor-parallel-size and --pipeline-parallel-size give the sizes"
NO_SERVER = "vLLM would have no server to ask"
TOGETHER = (BALANCER, PLACES)
"""Of these, one option says no more than all."""

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
        more="the model is the word after `serve`",
    ),
    *(
        _Refused(option, "vLLM wants a value", when=lambda value: not value)
        for option in arguments.OPTIONS
        if not option.flag and option not in (*COUNTED, arguments.UDS)
    ),
    *(
        _Refused(option, "vLLM takes a whole number", more=f"as in `-- {option.name} 8`", when=_is_no_number)
        for option in COUNTED
    ),
    *(
        _Refused(option, "there is no such port", when=lambda value: int(value) > HIGHEST_PORT)
        for option in (arguments.PORT, arguments.MASTER_PORT)
    ),
    *(
        _Refused(option, "there is nothing of size 0", when=lambda value: int(value) == 0)
        for option in (arguments.TENSOR, arguments.PIPELINE, arguments.CONTEXT, arguments.DATA)
    ),
    _Refused(
        arguments.BACKEND,
        "its ranks are started by torchrun, and here vLLM starts them itself",
        when=lambda value: value == "external_launcher",
    ),
    *(
        _Refused(option, BALANCER, more=INTERNAL)
        for option in (
            arguments.HYBRID,
            arguments.EXTERNAL,
            arguments.MULTI_PORT,
            arguments.DATA_RANK,
            arguments.DATA_START_RANK,
        )
    ),
    *(_Refused(option, PLACES, more=SIZES) for option in (arguments.NODES, arguments.NODE_RANK)),
    _Refused(
        arguments.HELP,
        "vLLM would print its options, and end",
        more=f"see them: {ours('exec', '-l', 'head', '--', 'vllm', 'serve', '--help')}",
    ),
    _Refused(arguments.HEADLESS, NO_SERVER),
    _Refused(arguments.API_SERVERS, NO_SERVER, when=lambda value: value == "0"),
    _Refused(
        arguments.UDS,
        "vLLM would listen at a file in the head's container, where nobody else can ask it",
        more="`-- --host 127.0.0.1` keeps the server to its own host",
        when=bool,
    ),
    _Refused(arguments.GRPC, "vLLM would speak gRPC alone, and it is asked over HTTP"),
    _Refused(
        arguments.CLIENT_CERTIFICATES,
        "vLLM would answer only those with a certificate, and raycluster has none",
        more=f"a key decides who may ask: {add('secrets', 'VLLM_API_KEY')}, then {ours('up')}",
        when=lambda value: value == REQUIRED,
    ),
    _Refused(
        arguments.HOST,
        "vLLM takes an IPv6 address without brackets",
        (arguments.HOST.name, "::"),
        when=lambda value: value.startswith("["),
    ),
    _Refused(
        arguments.PORT,
        "vLLM would take any port, and nobody would know which",
        (arguments.PORT.name, "8001"),
        when=lambda value: value == "0",
    ),
    *(
        _Refused(option, "vLLM takes no value with it", (option.name,), when=bool)
        for option in arguments.OPTIONS
        if option.flag
    ),
)
IPV4_ALONE = ("", "0", "0.0.0.0")  # noqa: S104 - what vLLM may have been told


def refusal(model: Model, ip: str) -> Problem | None:
    """Why it could not be served as it is asked for, or not asked; None where it can. `ip`: the head's."""
    given = arguments.read(model.args)
    ipv6 = _Refused(
        arguments.HOST,
        f"vLLM would listen at IPv4 addresses alone, and the head's ip is {ip}",
        when=lambda value: ":" in ip and value in IPV4_ALONE,
    )
    found = (
        each for each in (*REFUSED, ipv6) if each.option in given and each.when(given.value(each.option))
    )
    if (first := next(found, None)) is None:
        return None
    more = found if first.text in TOGETHER else ()
    alike = [first, *(each for each in more if each.text == first.text)]
    said = ", ".join(f"{each.option.name} {given.value(each.option)}".strip() for each in alike)
    rest = arguments.without(model.args, *(each.option for each in alike))
    line = with_args(model, rest, *first.instead)
    return Problem(f"{said}: {first.text}", "; ".join(filter(None, (line, first.more))))
