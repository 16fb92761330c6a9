"""Root cause of vLLM's end, in a log whose last line is seldom it.

vLLM is several processes on several hosts. The one that fails first says why; those that fail for it say more,
and the last of all says only "See root cause above".
"""

import re
from collections.abc import Mapping, Sequence

from orchestrator.frozen import dataclass
from orchestrator.plan.problem import Problem

SECONDARY_ERRORS = (
    r"See root cause above|validation errors? for \w+|Executor failed"
    r"|Engine core initialization failed|EngineDeadError|WorkerProc initialization"
)
"""Errors that only tell of another one."""

LESS = "spread it over more GPUs, or serve it with a smaller --max-model-len or a quantized model"
SMALLER = "other vLLM arguments: `raycluster serve MODEL -- --max-model-len {fits}`"
TOKEN = "accept its conditions at huggingface.co, set `secrets: [HF_TOKEN]`, export HF_TOKEN, then `raycluster up`"  # noqa: S105
FOLDER = (
    "check the name; a folder has to be in all containers: `docker: {args: [-v, /data/models:/models:ro]}`"
)
DEEP = "`raycluster check --deep` tries the hosts' connections; see also `GLOO_SOCKET_IFNAME` and `NCCL_SOCKET_IFNAME`"
KILLED = "is the host out of memory? `raycluster exec --on-host -- sh -c 'dmesg | tail'`"
HELD = "end what holds them (`raycluster dashboard` shows it), or start anew: `raycluster restart`"

KNOWN: dict[str, tuple[str, ...]] = {
    r"torch\.(cuda\.)?OutOfMemoryError|(CUDA|HIP|XPU) out of memory": (
        "a GPU has not enough memory for the model",
        LESS,
    ),
    r"Free memory on device.*is less than desired GPU memory utilization": (
        "other programs hold memory of a GPU",
        "see who: `raycluster exec -- nvidia-smi`; or let vLLM take less: `-- --gpu-memory-utilization 0.8`",
    ),
    r"To serve at least one request with the model's max seq len \((?P<length>\d+)\)"
    r"(.*estimated maximum model length is (?P<fits>\d+))?": (
        "the KV cache has no room for one request of {length} tokens",
        SMALLER,
        LESS,
    ),
    r"No available memory for the cache blocks": ("the model's weights leave no room for the KV cache", LESS),
    r"Cannot access gated repo|GatedRepoError|You are trying to access a gated repo": (
        "the model is gated, and its host gave no token that may read it",
        TOKEN,
    ),
    r"(couldn't connect to|Cannot reach|Failed to (connect|resolve)|Max retries exceeded|NameResolutionError).*"
    r"huggingface\.co|outgoing traffic has been disabled|LocalEntryNotFoundError|OfflineModeIsEnabled": (
        "Hugging Face cannot be reached, and the model is not in the cache",
        "let the host reach huggingface.co, or fill `hf_home` on every host beforehand",
    ),
    r"is not a local folder and is not a valid model identifier|Invalid repository ID or local directory"
    r"|RepositoryNotFoundError|Repo id must (be in the form|use alphanumeric)|HFValidationError": (
        "there is no such model",
        FOLDER,
    ),
    r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size \((?P<size>\d+)\)": (
        "the model's {heads} attention heads cannot be split over {size} GPUs",
        "choose a size that divides them: `raycluster serve MODEL -- --tensor-parallel-size N`",
    ),
    r"[Pp]ipeline parallelism is not supported for this model": (
        "this model knows no pipeline parallelism",
        "`raycluster serve MODEL -- --pipeline-parallel-size 1 --tensor-parallel-size N`, over all GPUs",
    ),
    r"error: .*(argument|invalid choice)": (
        "vLLM does not take its arguments",
        "it lists them: `raycluster exec -l head -- vllm serve --help`",
    ),
    # Quoted, unlike where vLLM lists what it was told.
    r"[`'\"]trust_remote_code=True": (
        "the model brings code of its own, which vLLM runs only when told to",
        "if you trust it: `raycluster serve MODEL -- --trust-remote-code`",
    ),
    r"World size \((?P<size>\d+)\) is larger than the number of available GPUs \((?P<there>\d+)\)": (
        "{size} GPUs are asked for, and there are {there}",
        "smaller sizes, or more hosts",
    ),
    r"Cannot provide a placement group|number of required \w+s exceeds the total number of available": (
        "Ray has not the GPUs that are asked for",
        HELD,
    ),
    r"Current node has no \w+ available|is not included in a placement group": (
        "the head has no free GPU, and vLLM wants one where it runs",
        "take a host with GPUs as the head; or end what holds them: `raycluster restart`",
    ),
    r"NCCL error|nccl(System|Internal|Remote|UnhandledCuda|InvalidUsage)\w*Error|ncclUnhandledCudaError": (
        "NCCL cannot connect the GPUs",
        DEEP,
    ),
    r"gloo/transport.*(Connection closed by peer|Read error|reset by peer)|RayWorkerProc rank=\S+ died": (
        "one of its workers has gone",
        "`raycluster status` tells which host; `raycluster up` brings it back",
    ),
    r"server socket has failed to listen.* port: (?P<port>\d+)": (
        "another program holds port {port}, where the ranks meet",
        "end it: `raycluster exec --on-host -l head -- ss -Hltnp` shows who listens",
    ),
    r"Gloo connectFullMesh failed|[Uu]nable to find (address|interface) for|gloo/transport"
    r"|[Uu]nable to resolve hostname to a \(local\) address|rendezvous.*(timed out|failed)|DistStoreError"
    r"|The client socket has (timed out|failed)": ("the processes cannot connect to each other", DEEP),
    r"[Aa]ddress already in use|EADDRINUSE": (
        "another program holds the server's port on the head",
        "another one: `raycluster serve MODEL -- --port 8001`",
    ),
    r"^vllm: No such file or directory": (
        "the image has no vLLM",
        "set `image` to one that has, such as vllm/vllm-openai",
    ),
    r"No space left on device": (
        "a disk is full",
        "free some, or put `hf_home` on another; `raycluster exec -- df -h` shows them",
    ),
    r"(Engine core|Worker) proc\w* \S+ died unexpectedly|ActorDiedError|worker died": (
        "a process of vLLM was killed",
        KILLED,
    ),
}
"""By a pattern of a line: why vLLM ended, and fixes, of which the first is shown whose places its groups can fill."""


ERROR = re.compile(r"(?:[\w.]+\.)?\w*(?:Error|Exception|Exit): .+|.* error: .+|Value error, .+")
SPEAKER = re.compile(
    r"\((?P<who>[\w ]+) pid=\d+(?:, ip=(?P<ip>[0-9a-fA-F.:]+))?\)\s?"  # vLLM's processes, and Ray's
)
LEVEL = re.compile(r"(?:INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[[\w./]+:\d+\] ?")
PLACE = re.compile(r"{(\w+)}")
LONGEST = 400  # characters of a line that says why
SOURCE = re.compile(r"raise |from |import |File ")  # a line of a trace that quotes a program
PAINT = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without colours, time and speaker; `ip`: of the host that Ray brought it from."""

    text: str
    ip: str


def root_cause(lines: Sequence[str]) -> Problem | None:
    """The best explanation that the lines have: a known one, or the first error; None where there is none."""
    parsed = [_parse(line) for line in lines]
    if known := _known(parsed):
        return known
    for line in parsed:
        if ERROR.fullmatch(line.text) and not re.search(SECONDARY_ERRORS, line.text):
            return Problem("", detail=_placed(_short(line.text), line))
    for line in parsed:  # a process that was killed logs nothing; others miss it
        if "EngineDeadError" in line.text and not SOURCE.match(line.text):
            return Problem("a process of vLLM was killed", KILLED, _short(line.text))
    return None


def _known(lines: Sequence[_Line]) -> Problem | None:
    for pattern, (why, *fixes) in KNOWN.items():
        for line in lines:
            if (found := re.search(pattern, line.text)) and not SOURCE.match(line.text):
                values = {name: value for name, value in found.groupdict().items() if value}
                fix = next((fix for fix in fixes if set(PLACE.findall(fix)) <= set(values)), "")
                return Problem(_placed(_filled(why, values), line), _filled(fix, values), _short(line.text))
    return None


def _filled(text: str, values: Mapping[str, str]) -> str:
    return PLACE.sub(lambda place: values[place[1]], text)


def _placed(why: str, line: _Line) -> str:
    return f"{why}, on {line.ip}" if line.ip else why


def _parse(line: str) -> _Line:
    text, ip = PAINT.sub("", line), ""
    while speaker := SPEAKER.match(text):
        text, ip = text[speaker.end() :], ip or speaker["ip"] or ""
    return _Line(LEVEL.sub("", text).strip(), ip)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
