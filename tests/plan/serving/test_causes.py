"""Why vLLM ended, from what it and its libraries have logged."""

import re
from pathlib import Path

import pytest

from orchestrator.model.cluster import Accelerator
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.causes import root_cause
from orchestrator.plan.serving.known_causes import KNOWN
from orchestrator.plan.typed import Caller, ours, shown, where
from tests.plan.serving.reported import REPORTED
from tests.plan.serving.words import WORDED as OURS
from tests.typed_lines import plainly

WORDED = [*OURS, *REPORTED]
LOGS = Path(__file__).parents[2] / "vllm/logs"
CONFIG = "INFO 11-24 10:00:00 [core.py:77] Initializing a V1 LLM engine with config: trust_remote_code=True, seed=0"
CUSTOM = (
    "The repository x/y contains custom code. Please pass the argument `trust_remote_code=True` to allow it"
)
ERROR = "(EngineCore pid=88) ERROR 06-01 10:00:00 [core.py:1] "
ILLEGAL = f"{ERROR}RuntimeError: CUDA error: an illegal memory access was encountered"
WORKERS_GONE = f"{ERROR}RayWorkerProc rank=[1] died unexpectedly, shutting down executor."


def cause_of(*lines: str, accelerator: Accelerator = Accelerator.NVIDIA) -> Problem:
    cause = root_cause(lines, accelerator)
    assert cause
    return cause


def test_a_model_with_code_of_its_own_is_told_how_to_run_it() -> None:
    assert "--trust-remote-code" in cause_of(CUSTOM).fix


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("OSError: [Errno 98] Address already in use", "another program holds a port that vLLM wants"),
        (
            "vllm serve: error: unrecognized arguments: --trust-remote-codes",
            "vLLM refuses its arguments",
        ),
        ("ValueError: nobody knows this one", ""),
    ],
)
def test_a_server_that_was_told_to_trust_it_fails_of_something_else(line: str, why: str) -> None:
    cause = cause_of(CONFIG, line)
    assert (cause.text, cause.detail) == (why, line)


@pytest.mark.parametrize("piece", ["x", "x.", "x ", "x: ", "x error ", "(x", "[x]"])
def test_a_line_of_any_length_does_not_hold_up_the_search(piece: str) -> None:
    """Or else pytest ends the test: once, each character of a word was the begin of a name to look for."""
    cause_of(piece * 200_000, ILLEGAL)


LOGGED = [
    ("bad-argument.log", "vLLM refuses its arguments"),
    ("cuda-out-of-memory.source", "GPU 0 has not enough memory for the model"),
    ("engine-core-killed-ray.log", "a process of vLLM was killed"),
    ("gated-model.source", "the model is gated, and its host gave no token that may read it"),
    ("gloo-interface-missing-mp-rank1.log", "the processes cannot connect to each other"),
    ("gloo-interface-missing-ray.log", "the processes cannot connect to each other, on 192.0.2.12"),
    (
        "gpu-memory-taken.source",
        "only 19.77 of 22.05 GiB of a GPU are free, and vLLM wants more, in EngineCore_DP0",
    ),
    ("killed-worker-idle-mp-rank0.log", "a worker on 192.0.2.12 has gone"),
    ("killed-worker-idle-ray.log", "the worker of rank 1 has gone"),
    ("killed-worker-load-mp-rank0.log", "a worker on 192.0.2.12 has gone"),
    ("killed-worker-load-ray.log", "a worker on 192.0.2.12 has gone"),
    ("kv-cache-none.source", "the model's weights leave no room for the KV cache"),
    ("kv-cache-too-small-mp-rank0.log", "the KV cache has no room for one request of 2000000 tokens"),
    ("kv-cache-too-small-ray.log", "the KV cache has no room for one request of 2000000 tokens"),
    ("master-port-in-use-mp-rank0.log", "another program holds port 29501, where the ranks meet"),
    ("model-hub-no-network.log", "Hugging Face cannot be reached, and the model is not in the cache"),
    ("model-missing-on-worker-mp-rank1.log", "there is no model /models/alphabet"),
    ("model-missing-on-worker-ray.log", "there is no model /models/alphabet, in Worker_TP1 on 192.0.2.12"),
    ("max-model-len-too-long.log", "the model is made for texts of 512 tokens, not of 100000"),
    ("model-path-missing.log", "there is no model /models/beta"),
    ("more-gpus-than-heads-allow.log", "the model's 2 attention heads cannot be split over 4 GPUs"),
    ("nccl.source", "NCCL cannot connect the GPUs"),
    ("network-cut-at-start-mp-rank1.log", "a process cannot connect to port 29501 of 192.0.2.11"),
    ("network-cut-at-start-ray.log", "Ray has lost host 192.0.2.12"),
    ("port-in-use.log", "another program holds the server's port on the head"),
    ("ray-worker-killed.log", "a process of vLLM was killed"),
]


@pytest.mark.parametrize(("log", "why"), LOGGED)
def test_what_vllm_really_said_is_understood(log: str, why: str) -> None:
    assert cause_of(*(LOGS / log).read_text().splitlines()).text == why


@pytest.mark.parametrize(
    "log",
    [
        "good-ray.log",
        "good-mp-rank0.log",
        "good-mp-rank1.log",
        "more-gpus-than-there-are-ray.log",
        "gpus-held-by-another-ray.log",
    ],
)
def test_a_server_that_goes_on_has_no_cause_to_end(log: str) -> None:
    assert root_cause((LOGS / log).read_text().splitlines()) is None


def test_an_error_that_nobody_knows_is_quoted_from_where_it_first_stood() -> None:
    log = (LOGS / "max-model-len-too-long.log").read_text().replace("is greater than", "is odder than")
    cause = cause_of(*log.splitlines())
    assert (cause.text, cause.fix) == ("", "")
    assert cause.detail.startswith("Value error, User-specified max_model_len (100000) is odder than")


@pytest.mark.parametrize(
    "line",
    [  # github.com/vllm-project/vllm/issues/14885 and 16566
        "RuntimeError: CUDA error: invalid argument",
        "torch.AcceleratorError: CUDA error: invalid configuration argument",
        "ImportError: flashinfer is too old. Please install the latest one.",
        "aiohttp.client_exceptions.ClientConnectorCertificateError: Cannot connect to host images.lan:443 ssl:True "
        "[SSLCertVerificationError: (1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1016)')]",
    ],
)
def test_an_error_that_sounds_like_a_known_one_is_quoted(line: str) -> None:
    cause = cause_of(ERROR + line)
    assert (cause.text, cause.fix, cause.detail) == ("", "", line)


def test_an_error_of_a_module_that_counts_its_own_is_one() -> None:
    """As reported at github.com/vllm-project/vllm/issues/9865."""
    assert cause_of("pynvml.NVMLError_InvalidArgument: Invalid Argument").detail == (
        "pynvml.NVMLError_InvalidArgument: Invalid Argument"
    )


@pytest.mark.parametrize(
    "frame",
    [  # github.com/Plachtaa/VITS-fast-fine-tuning/issues/397, github.com/MVIG-SJTU/AlphaPose/issues/1163
        '  File "/usr/lib/python3.12/multiprocessing/synchronize.py", line 162, in __init__',
        '  File "/usr/lib/python3.12/multiprocessing/shared_memory.py", line 104, in __init__',
    ],
)
def test_it_is_shared_memory_that_is_full_where_the_trace_comes_from_it(frame: str) -> None:
    full = "OSError: [Errno 28] No space left on device"
    trace = ("(Worker_TP0 pid=9) Traceback (most recent call last):", f"(Worker_TP0 pid=9) {frame}")
    assert (
        cause_of(*trace, f"(Worker_TP0 pid=9) {full}").text
        == "the container's /dev/shm is full, in Worker_TP0"
    )
    assert cause_of(full).text == "a disk is full"


def test_heads_are_split_over_the_most_that_divides_both_them_and_the_size() -> None:
    said = "ValueError: Total number of attention heads (40) must be divisible by tensor parallel size (16)."
    assert cause_of(said).fix.endswith(ours("serve", "MODEL", "--", "--tensor-parallel-size", "8"))


def test_a_change_that_a_model_needs_is_one_for_all_hosts() -> None:
    """Not for the one alone where vLLM ended, or is waited for."""
    inventory = Caller("", {"gpu1": False, "gpu2": False}, advise=lambda _, hosts: f"for {hosts or 'all'}")
    full = cause_of("RuntimeError: unable to write to file </torch_7_1>: No space left on device (28)")
    assert shown(full.fix, ["gpu1"], inventory) == "for all, then `raycluster up`"


# --- what means nothing, and what is only a consequence ---

HARMLESS = [
    "(EngineCore pid=88) node1:88:88 [0] ras/client_support.cc:160 NCCL WARN Call to bind failed: Address already in "
    "use",
    "node1:88:101 [0] misc/socket.cc:484 NCCL INFO socketPollConnect: NCCL error, retrying",
    "(APIServer pid=7) WARNING 06-01 10:00:00 [usage_lib.py:9] Max retries exceeded with url: huggingface.co",
    "WARNING 09-03 11:03:37 [topk.py:1] No space left on device",
    "WARNING 08-27 05:12:18 worker_base.py:382] worker died",
    "'(MaxRetryError(\"HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded\"))' thrown while "
    "requesting HEAD https://huggingface.co/x/y/resolve/main/config.json",
    "Retrying (Retry(total=2)) after connection broken by 'NameResolutionError(\"Failed to resolve 'huggingface.co'\")",
    "(APIServer pid=7) ERROR 11-24 19:51:40 [repo_utils.py:126] Error retrieving file list: Repo id must be in the "
    "form 'repo_name' or 'namespace/repo_name': '/models/a'. Use `repo_type`., retrying 1 of 2",
    "[W601 10:00:00.1 socket.cpp:759] [c10d] The client socket has failed to connect to [n1]:29501 (errno: 97).",
    "[rank1]:[W601 10:00:00.1 ProcessGroupNCCL.cpp:1] NCCL error: remote process exited",
    "[2026-06-01 10:00:00,123 W 88 88] gcs_rpc_client.h:1: ActorDiedError: worker died",
    "2026-06-01 10:00:00,123\tWARNING worker.py:2100 -- ActorDiedError",
    "2026-06-01 10:00:00.123456: W external/local_xla/x.cc:9] CUDA out of memory",
    "2026-06-01 10:00:00.123 | WARNING  | x:f:9 - CUDA out of memory",
    "[WARNING|modeling_utils.py:9] 2026-06-01 10:00:00,123 >> CUDA out of memory",
    "[2026-06-01 10:00:00] WARNING x.py:9: CUDA out of memory",
    "/usr/lib/python3/x.py:12: UserWarning: CUDA out of memory may follow",
    '{"timestamp":"2026-05-23T01:23:30.78Z","level":"WARN","fields":{"message":"CAS service error : retrying"}}',
    "(Worker_TP0 pid=5)     raise ValueError('No available memory for the cache blocks')",
    '(Worker_TP0 pid=5)     logger.error("NCCL error in %s", where)',
]


@pytest.mark.parametrize("harmless", HARMLESS)
def test_a_line_that_means_nothing_hides_no_error(harmless: str) -> None:
    assert root_cause([harmless]) is None
    for lines in ((harmless, ILLEGAL), (ILLEGAL, harmless)):
        assert cause_of(*lines).detail == ILLEGAL.removeprefix(ERROR)


NO_MEMORY = (
    "gx10-main:555:771 [0] misc/ibvwrap.cc:217 (wrap_ibv_reg_mr_iova2) NCCL WARN Call to ibv_reg_mr_iova2 failed with "
    "error Cannot allocate memory"
)
NO_INTERFACE = "ip-10-0-0-1:77:77 [0] bootstrap.cc:45 NCCL WARN Bootstrap : no socket interface found"
NO_ANSWER = (
    "gpu1:88:88 [0] transport/net_ib.cc:2066 NCCL WARN NET/IB: Got completion from peer 10.0.0.2<51234> with "
    "status=IBV_WC_RETRY_EXC_ERR(12) opcode=IBV_WC_SEND(0) vendor_err=129"
)
NCCL_ERROR = f"{ERROR}RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)"


@pytest.mark.parametrize(
    ("warning", "why"),
    [  # github.com/eugr/spark-vllm-docker/issues/389, github.com/aws/deep-learning-containers/pull/6469
        (NO_MEMORY, "NCCL may not lock the memory that RDMA needs"),
        (NO_INTERFACE, "NCCL finds no interface by the name that it was given"),
        (
            "n1:9:9 [0] init.cc:943 NCCL WARN Duplicate GPU detected : rank 1 and rank 0",
            "two ranks were given the same GPU",
        ),
        (NO_ANSWER, "a rank got no answer over RDMA"),
        (
            "n1:9:9 [0] NCCL WARN Net : Connect to 172.17.0.1<35123> failed : refused",
            "a rank could not connect to another",
        ),
        ("n1:9:9 [0] socket.cc:1 NCCL WARN socketStartConnect: odd", "NCCL cannot connect the GPUs"),
    ],
)
def test_what_nccl_warns_of_is_why_it_fails_and_nothing_else(warning: str, why: str) -> None:
    cause = cause_of(warning, HARMLESS[0], NCCL_ERROR)
    assert cause.text == why
    assert cause.detail == NCCL_ERROR.removeprefix(ERROR) + "; " + warning[warning.index("NCCL WARN") :]
    assert cause_of(warning, "n1:9:9 [0] socket.cc:1 NCCL WARN odd", NCCL_ERROR).text == why
    assert root_cause([warning]) is None
    assert cause_of(warning, ILLEGAL).detail == ILLEGAL.removeprefix(ERROR)


def test_what_ray_could_not_read_of_an_error_is_not_why() -> None:
    """The worker's host has another image than the driver's."""
    cause = cause_of(
        f"{ERROR}ray.exceptions.RaySystemError: System error: Failed to unpickle serialized exception",
        f"{ERROR}ModuleNotFoundError: No module named 'flashinfer'",
    )
    assert cause.detail.startswith("ModuleNotFoundError: No module named 'flashinfer'")


@pytest.mark.parametrize(
    "error", ["ray.exceptions.Odd: x", "triton.runtime.errors.OutOfOdds: x", "a.exc.Odd: c d"]
)
def test_an_error_is_known_by_where_it_is_from(error: str) -> None:
    assert cause_of(error).detail == error


def test_an_error_that_python_ignores_hides_none() -> None:
    ignored = (
        "(EngineCore pid=88) Exception ignored in: <function Executor.__del__ at 0x7f>",
        "(EngineCore pid=88) Traceback (most recent call last):",
        "(EngineCore pid=88) AttributeError: 'Executor' object has no attribute 'workers'",
    )
    assert cause_of(*ignored, ILLEGAL).detail == ILLEGAL.removeprefix(ERROR)
    assert cause_of(*ignored, "(EngineCore pid=88) ValueError: odd").detail == "ValueError: odd"
    assert root_cause(ignored) is None
    interrupted = (
        *ignored[:2],
        "(EngineCore pid=88) KeyboardInterrupt: ",
        "(EngineCore pid=88) ValueError: odd",
    )
    assert cause_of(*interrupted).detail == "ValueError: odd"


@pytest.mark.parametrize(
    "cancelled", ["asyncio.exceptions.CancelledError", "ray.exceptions.TaskCancelledError: x"]
)
def test_what_was_cancelled_is_not_why(cancelled: str) -> None:
    assert cause_of(cancelled, ILLEGAL).detail == ILLEGAL.removeprefix(ERROR)


def test_an_error_that_is_a_timeout_is_one() -> None:
    assert (
        cause_of("(APIServer pid=1) httpx.ConnectTimeout: timed out").detail
        == "httpx.ConnectTimeout: timed out"
    )


def test_an_error_without_a_word_is_quoted_with_the_place_that_its_trace_names() -> None:
    trace = (f"{ERROR}Traceback (most recent call last):", f'{ERROR}  File "/x/fp8.py", line 9, in apply')
    told = 'AssertionError: File "/x/fp8.py", line 9, in apply'
    assert cause_of(*trace, f"{ERROR}    assert even", f"{ERROR}AssertionError").detail == told
    assert cause_of("(Worker_TP1 pid=9) NotImplementedError").detail == "NotImplementedError, in Worker_TP1"


def test_what_pydantic_refuses_is_told_with_the_field_that_it_names_above() -> None:
    cause = cause_of(
        "(APIServer pid=1) pydantic_core._pydantic_core.ValidationError: 1 validation error for CacheConfig",
        "(APIServer pid=1) gpu_memory_utilization",
        "(APIServer pid=1)   Input should be less than or equal to 1 [type=less_than_equal, input_value=90.0, "
        "input_type=float]",
        "(APIServer pid=1)     For further information visit https://errors.pydantic.dev/2.12/v/less_than_equal",
    )
    assert cause.detail.startswith("gpu_memory_utilization: Input should be less than or equal to 1 [type=")


@pytest.mark.parametrize("paint", ["\x1b[1;31m", "\x1b[K", "\x1b[0m\x1b[K", "\x1b[?25h", "\x1b[38;5;208m"])
def test_what_a_terminal_is_told_hides_no_error(paint: str) -> None:
    line = f"{paint}(EngineCore_DP0 pid=8){paint} {paint}RuntimeError: nobody knows this one{paint}"
    assert cause_of(line).detail == "RuntimeError: nobody knows this one, in EngineCore_DP0"


def test_what_ray_counts_of_a_line_is_no_part_of_it() -> None:
    line = "(RayWorkerWrapper pid=5, ip=10.0.0.3) RuntimeError: odd [repeated 3x across cluster] (Ray deduplicates logs"
    assert cause_of(line).detail == "RuntimeError: odd, on 10.0.0.3"


@pytest.mark.parametrize(
    "later",
    [
        "OSError: [Errno 98] Address already in use",
        "OSError: [Errno 28] No space left on device",
        "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)",
        "torch.distributed.DistStoreError: Timed out after 601 seconds waiting for clients. 2/8 clients joined.",
        "ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.",
        WORKERS_GONE,
    ],
)
def test_the_first_error_says_why_and_not_what_came_of_it(later: str) -> None:
    assert cause_of(ILLEGAL, later).detail == ILLEGAL.removeprefix(ERROR)


SERVER = "(APIServer pid=7) "
ASKED = f"{SERVER}ERROR 06-01 09:00:00 [serving_chat.py:323] "
ASGI = (
    f'{SERVER}INFO:     10.0.0.9:1 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error',
    f"{SERVER}ERROR:    Exception in ASGI application",
    f"{SERVER}Traceback (most recent call last):",
)
OF_REQUESTS = [
    (
        f"{ASKED}Error in preprocessing prompt inputs",
        f"{ASKED}ImportError: Please install vllm[audio] for audio",
    ),
    (f"{ASKED}Error in preprocessing prompt inputs", f"{ASKED}ValueError: nobody knows this one"),
    (
        *ASGI,
        f"{SERVER}OSError: [Errno 28] No space left on device",
        f"{SERVER}ValueError: as its last line says",
    ),
]


@pytest.mark.parametrize("request_fails", OF_REQUESTS)
@pytest.mark.parametrize("end", [ILLEGAL, WORKERS_GONE, f"{SERVER}ValueError: of its own"])
def test_a_request_that_fails_is_not_why_the_server_ended_later(
    request_fails: tuple[str, ...], end: str
) -> None:
    goes_on = f'{SERVER}INFO:     10.0.0.9:1 - "POST /v1/chat/completions HTTP/1.1" 200 OK'
    assert cause_of(*request_fails, goes_on, end) == cause_of(end)
    assert root_cause((*request_fails, goes_on)) is None, "as where it was killed"


def test_a_request_that_fails_as_the_engine_has_died_tells_that() -> None:
    dead = "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."
    for told in (f"{ASKED}{dead}", "\n".join((*ASGI, f"{SERVER}{dead}"))):
        assert cause_of(*told.splitlines()).text == "a process of vLLM was killed"


def test_an_error_that_explains_itself_counts_wherever_it_stands() -> None:
    chain = ["socket.gaierror: [Errno -3] Temporary failure in name resolution"]
    offline = "OSError: We couldn't connect to 'https://huggingface.co' to load the files"
    assert cause_of(*chain, offline).text.startswith("Hugging Face cannot be reached")


def test_a_rank_is_named_as_vllm_or_pytorch_does() -> None:
    assert cause_of("[rank1]: RuntimeError: nobody knows this one").detail == (
        "RuntimeError: nobody knows this one, in rank1"
    )
    line = "(Worker_DP1_TP3 pid=9) ERROR 06-01 10:00:00 [x.py:1] torch.OutOfMemoryError: CUDA out of memory. GPU 3 has"
    assert cause_of(line).text == "GPU 3 has not enough memory for the model, in Worker_DP1_TP3"


def test_traces_of_processes_that_speak_at_once_are_kept_apart() -> None:
    server = [
        "(APIServer pid=7) Traceback (most recent call last):",
        '(APIServer pid=7)   File "/x/launcher.py", line 348, in create_server_socket',
    ]
    other = "(Worker_TP0 pid=9) OSError: [Errno 98] Address already in use"
    own = "(APIServer pid=7) OSError: [Errno 98] Address already in use"
    assert cause_of(*server, other).text == "another program holds a port that vLLM wants, in Worker_TP0"
    assert cause_of(*server, own).text == "another program holds the server's port on the head"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use",
            "another program holds port 8000 of 0.0.0.0",
        ),
        (
            "zmq.error.ZMQError: Address already in use (addr='tcp://10.0.0.1:29550')",
            "another program holds tcp://10.0.0.1:29550",
        ),
        (
            "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. "
            "port: 29501, useIpv6: false, code: -98, name: EADDRINUSE, message: address already in use",
            "another program holds port 29501, where the ranks meet",
        ),
        ("vllm: Address already in use", "another program holds the server's port on the head"),
    ],
)
def test_a_port_that_is_taken_is_the_one_that_the_line_names(line: str, why: str) -> None:
    assert cause_of(line).text == why


RAY_KILLED = (
    "(raylet, ip=10.99.0.2) [2026-06-01 10:00:00,1 E 9 9] node_manager.cc:1: 1 Workers (tasks / actors) "
)


@pytest.mark.parametrize(
    "lines",
    [
        (
            RAY_KILLED
            + "killed due to memory pressure (OOM), 0 Workers crashed due to other reasons at node (ID: ab12, "
            "IP: 10.99.0.2) over the last time period.",
            WORKERS_GONE,
        ),
        (
            f"{ERROR}ray.exceptions.OutOfMemoryError: 1 worker(s) were killed due to the node running low on memory.",
            f"{ERROR}Memory on the node (IP: 10.99.0.2, ID: ab12) was 113.76GB / 119.70GB (0.950345), which exceeds",
        ),
        (
            WORKERS_GONE,
            "ray.exceptions.OutOfMemoryError: 1 worker(s) were killed due to the node running low on memory. Memory "
            "on the node (IP: 10.99.0.2) was 113.76GB / 119.70GB (0.950345)",
        ),
    ],
)
def test_a_worker_that_rays_memory_monitor_killed_is_not_a_host_that_went(lines: tuple[str, ...]) -> None:
    cause = cause_of(*lines)
    assert re.fullmatch(
        "Ray's memory monitor killed a worker: host 10.99.0.2 ran out of memory(, in .*)?", cause.text
    )
    assert "RAY_memory_usage_threshold" in cause.fix


# --- the words of each version ---


@pytest.mark.parametrize(("version", "line", "why", "fix"), WORDED)
def test_a_cause_is_known_in_the_words_of_each_version(version: str, line: str, why: str, fix: str) -> None:
    cause = cause_of(line)
    assert why in cause.text, version
    assert fix in plainly(cause.fix), version


def test_each_known_cause_has_been_tried_and_says_whose_words_it_knows() -> None:
    tried = [line for _, line, _, _ in WORDED]
    tried += [line for log, _ in LOGGED for line in (LOGS / log).read_text().splitlines()]
    for known in KNOWN:
        assert known.seen
        assert any(re.search(known.pattern, line) for line in tried), known.pattern


# --- accelerators ---


@pytest.mark.parametrize("accelerator", [each for each in Accelerator if each is not Accelerator.NVIDIA])
@pytest.mark.parametrize("line", [line for _, line, _, _ in WORDED])
def test_no_remedy_speaks_of_what_another_accelerator_has(line: str, accelerator: Accelerator) -> None:
    cause = cause_of(line, accelerator=accelerator)
    told = f"{cause.text} {cause.fix}"
    assert not re.search(r"nvidia-smi|{\w+}", told)
    if accelerator in {Accelerator.ASCEND, Accelerator.NONE}:
        assert not re.search(r"\bGPUs?\b|\bNCCL", told)


def test_what_only_other_accelerators_have_is_quoted_where_it_is_said() -> None:
    """As with GPUs on a cluster that is said to have none."""
    line = "(RayWorkerWrapper rank=1 pid=7, ip=10.0.0.2) RuntimeError: NCCL error: unhandled system error"
    cause = cause_of(line, accelerator=Accelerator.NONE)
    assert (cause.text, cause.detail) == (
        "",
        "RuntimeError: NCCL error: unhandled system error, in RayWorkerWrapper rank=1 on 10.0.0.2",
    )


def test_npus_that_ray_knows_as_gpus_are_told_as_such() -> None:
    told = (
        "ValueError: Current node has no NPU available. current_node_resource={'CPU': 192.0, 'GPU': 8.0, "
        "'node:10.0.0.1': 1.0}. vLLM engine cannot start without NPU."
    )
    cause = cause_of(told, accelerator=Accelerator.ASCEND)
    assert cause.text == "Ray knows GPUs there, and vLLM wants NPUs"
    assert where("accelerator") in cause.fix
    none = cause_of(told.replace("'GPU': 8.0, ", ""), accelerator=Accelerator.ASCEND)
    assert none.text == "the head has no free NPU, and vLLM wants one where it runs"


def test_a_uuid_among_amds_devices_is_not_for_docker_gpus() -> None:
    told = "ValueError: invalid literal for int() with base 10: 'GPU-8f9e5ba9'"
    assert "HIP_VISIBLE_DEVICES" in cause_of(told, accelerator=Accelerator.AMD).fix
    assert "docker" not in cause_of(told, accelerator=Accelerator.AMD).fix


def test_an_npu_is_called_so_and_looked_at_with_its_own_tool() -> None:
    memory = "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity"
    cause = cause_of(memory, accelerator=Accelerator.ASCEND)
    assert cause.text == "NPU 3 has not enough memory for the model"
    assert "`raycluster exec -- npu-smi info`" in plainly(cause.fix)
    network = "RuntimeError: HCCL function error: HcclCommInitRootInfo, error code is 4"
    assert "`HCCL_SOCKET_IFNAME`" in cause_of(network, accelerator=Accelerator.ASCEND).fix
