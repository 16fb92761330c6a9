"""Arguments of `vllm serve` that decide where it listens and how it is spread, read as vLLM's own parser reads them.

That is Python's argparse, which takes an option's beginning for the option, with `_` taken for `-` in long names.
Seen in `vllm/utils/argparse_utils.py`, `engine/arg_utils.py` and `cli_args.py` of vLLM 0.11.0 to 0.33.0, whose parsers
read random lines alike (0.11.1 to 0.33.0).
"""

import re
from collections.abc import Iterator

from orchestrator.frozen import dataclass

LONGEST = 9  # digits of a number that means something
OLDEST = "0.11.0"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of `vllm serve`. `since`: the version it came with, OLDEST for whatever was there by then."""

    name: str
    short: str = ""
    flag: bool = False
    since: str = OLDEST


HELP = Option("--help", "-h", flag=True)
HOST, PORT, UDS = Option("--host"), Option("--port"), Option("--uds")
GRPC = Option("--grpc", flag=True, since="0.18.0")
CERTIFICATE = Option("--ssl-certfile")
CLIENT_CERTIFICATES = Option("--ssl-cert-reqs")
API_KEY = Option("--api-key")
CONFIG = Option("--config")
"""A file of further arguments. vLLM reads it for those two words alone: of `--config=FILE` it takes no notice."""
MODEL = Option("--model")
HEADLESS = Option("--headless", flag=True)
API_SERVERS = Option("--api-server-count", "-asc")
TENSOR = Option("--tensor-parallel-size", "-tp")
PIPELINE = Option("--pipeline-parallel-size", "-pp")
CONTEXT = Option("--prefill-context-parallel-size", "-pcp", since="0.12.0")
DATA = Option("--data-parallel-size", "-dp")
DATA_LOCAL = Option("--data-parallel-size-local", "-dpl")
DATA_RANK = Option("--data-parallel-rank", "-dpn")
DATA_START_RANK = Option("--data-parallel-start-rank", "-dpr")
DATA_ADDRESS = Option("--data-parallel-address", "-dpa")
DATA_BACKEND = Option("--data-parallel-backend", "-dpb")
HYBRID = Option("--data-parallel-hybrid-lb", "-dph", flag=True)
EXTERNAL = Option("--data-parallel-external-lb", "-dpe", flag=True)
MULTI_PORT = Option("--data-parallel-multi-port-external-lb", "-dpm", flag=True, since="0.22.0")
BACKEND = Option("--distributed-executor-backend")
NODES = Option("--nnodes", "-n", since="0.11.1")
NODE_RANK = Option("--node-rank", "-r", since="0.11.1")
MASTER = Option("--master-addr", since="0.11.1")
MASTER_PORT = Option("--master-port", since="0.11.1")
EXPERT_PARALLEL = Option("--enable-expert-parallel", "-ep", flag=True)
LENGTH = Option("--max-model-len")
UTILIZATION = Option("--gpu-memory-utilization")
CACHE_BYTES = Option("--kv-cache-memory-bytes")
CACHE_TYPE = Option("--kv-cache-dtype")
BATCHED_TOKENS = Option("--max-num-batched-tokens")
SEQUENCES = Option("--max-num-seqs")
BLOCK = Option("--block-size")
WINDOWS_OFF = Option("--disable-hybrid-kv-cache-manager", flag=True)
QUANTIZATION = Option("--quantization", "-q")
NUMBERS = Option("--dtype")
DECODE_CONTEXT = Option("--decode-context-parallel-size", "-dcp")
SPECULATIVE = Option("--speculative-config", "-sc")
OVERRIDES = Option("--hf-overrides")
REVISION = Option("--revision")
LOAD_FORMAT, DOWNLOADS = Option("--load-format"), Option("--download-dir")
NO_TOKENIZER = Option("--skip-tokenizer-init", flag=True)
GENERATION = Option("--generation-config")
REVISIONS = (Option("--tokenizer-revision"), Option("--code-revision"))
FURTHER: tuple[Option, ...] = (
    *(Option("--tokenizer"), Option("--hf-config-path"), Option("--model-loader-extra-config")),
    *(SPECULATIVE, Option("--lora-modules"), Option("--default-mm-loras")),
)
"""What may name another repository."""
MEMORY_OTHERWISE: tuple[Option, ...] = (
    Option("--cpu-offload-gb"),
    Option("--offload-backend"),
    SPECULATIVE,
    Option("--enable-lora", flag=True),
    OVERRIDES,
    Option("--num-gpu-blocks-override"),
    Option("--kv-transfer-config"),
    Option("--disable-sliding-window", flag=True),
)
"""What changes how much memory it takes by more than is estimated here."""
DATA_PORT = Option("--data-parallel-rpc-port", "-dpp")

OPTIONS: tuple[Option, ...] = (
    *(HELP, MODEL, HOST, PORT, UDS, GRPC, CERTIFICATE, CLIENT_CERTIFICATES, API_KEY, HEADLESS, API_SERVERS),
    *(TENSOR, PIPELINE, CONTEXT, DATA, DATA_LOCAL, DATA_RANK, DATA_START_RANK, DATA_BACKEND),
    *(HYBRID, EXTERNAL, MULTI_PORT, BACKEND, NODES, NODE_RANK, MASTER, MASTER_PORT),
    # These decide nothing here; an abbreviation may mean them.
    DATA_ADDRESS,
    DATA_PORT,
    Option("--data-parallel-supervisor-port", since="0.22.0"),
    DECODE_CONTEXT,
    Option("--diffusion-config", "-dc", since="0.24.0"),
    Option("--ssl-keyfile"),
    Option("--ssl-ca-certs"),
    # These decide how much memory it takes.
    *(
        EXPERT_PARALLEL,
        LENGTH,
        UTILIZATION,
        CACHE_BYTES,
        CACHE_TYPE,
        BATCHED_TOKENS,
        SEQUENCES,
        BLOCK,
        WINDOWS_OFF,
    ),
    *(QUANTIZATION, NUMBERS, *MEMORY_OTHERWISE),
    # These decide what vLLM loads, and from where.
    *(REVISION, *REVISIONS, LOAD_FORMAT, DOWNLOADS, NO_TOKENIZER, GENERATION),
    *(option for option in FURTHER if option not in MEMORY_OTHERWISE),
)
SPELLINGS = {spelling: option for option in OPTIONS for spelling in (option.name, option.short) if spelling}
OFF = {f"--no-{option.name[2:]}": option for option in OPTIONS if option.flag}
"""What takes a flag back."""

DOTTED = re.compile(r"-[^=]*\.[^=]*")
"""`--compilation-config.level 3`, a part of an option's JSON: its value is the word after it, whatever that is."""


@dataclass(frozen=True, slots=True)
class Given:
    """What of those options a person has given, the last of each: its value, empty for a flag."""

    values: dict[Option, str]

    def __contains__(self, option: Option) -> bool:
        return option in self.values

    def value(self, option: Option) -> str:
        """Empty where it was not given."""
        return self.values.get(option, "")

    def number(self, option: Option) -> int:
        """0 where there is none."""
        given = self.value(option)
        return int(given) if given.isascii() and given.isdigit() and len(given) <= LONGEST else 0


def read(args: tuple[str, ...]) -> Given:
    """What vLLM understands."""
    values: dict[Option, str] = {}
    for _, option, value in _options(args):
        values.pop(option, None)
        if value is not None:
            values[option] = value
    return Given(values)


def without(args: tuple[str, ...], *options: Option) -> tuple[str, ...]:
    """The arguments without these, however they are written."""
    taken = {at for places, option, _ in _options(args) if option in options for at in places}
    return tuple(word for at, word in enumerate(args) if at not in taken)


def _options(args: tuple[str, ...]) -> Iterator[tuple[range, Option, str | None]]:
    """Each with the places of its words and its value; None where it is taken back."""
    words = iter(enumerate(args))
    for at, word in words:
        if word == "--":  # no options after it
            return
        name, equals, attached = word.partition("=")
        if word[:2] in SPELLINGS and name not in SPELLINGS and len(name) > len("-n"):  # -n2
            name, equals, attached = word[:2], "=", word[2:]
        if name.startswith("--") and not DOTTED.fullmatch(name):
            name = name.replace("_", "-")
        if DOTTED.fullmatch(name):
            value = attached if equals else next(words, (at, ""))[1]
            whole, _, part = name.partition(".")
            if option := _meant(whole.replace("_", "-")):
                yield range(at, at + (1 if equals else 2)), option, f"{part}={value}"
        elif name in OFF:
            yield range(at, at + 1), OFF[name], None
        elif option := CONFIG if word == CONFIG.name else _meant(name):
            following = args[at + 1] if at + 1 < len(args) and not (option.flag or equals) else ""
            is_option = following.startswith("--") or _meant(following.partition("=")[0])
            value = attached if equals else "" if is_option else following
            yield range(at, at + (2 if value and not equals else 1)), option, value


def _meant(name: str) -> Option | None:
    """The option of that name, or the only one that begins with it. What vLLM finds ambiguous it refuses by itself."""
    if name in SPELLINGS or len(name.lstrip("-")) == 0 or not name.startswith("-"):
        return SPELLINGS.get(name)
    begins = {option.name: option for spelling, option in SPELLINGS.items() if spelling.startswith(name)}
    return next(iter(begins.values())) if len(begins) == 1 else None
