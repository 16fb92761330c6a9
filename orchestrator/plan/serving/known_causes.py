"""Table of the causes of vLLM's end, those of models apart: memory, arguments, ports, disks, processes, networks."""

from orchestrator.plan.remedies import (
    DMESG,
    LAST_WITH_RAY,
    LESS,
    NO_MORE_TASKS,
    NO_PIDS_LIMIT,
    OLD_SECCOMP,
    SAME_IMAGE,
    UP,
)
from orchestrator.plan.serving.device_causes import DEVICES
from orchestrator.plan.serving.known import Known, Weight
from orchestrator.plan.serving.model_causes import MODELS
from orchestrator.plan.serving.network_causes import GONE, NETWORK
from orchestrator.plan.typed import add, change, ours, where

MONITOR = ours("exec", "--", "{monitoring}")
DIVIDES = "choose a size that divides them: " + ours(
    "serve", "MODEL", "--", "--tensor-parallel-size", "{divisor}"
)
CUT_LESS = "cut the layers less, and spread them: " + ours(
    "serve", "MODEL", "--", "--tensor-parallel-size", "{half}", "--pipeline-parallel-size", "{twice}"
)
NO_STAGES = ours("serve", "MODEL", "--", "--pipeline-parallel-size", "1", "--tensor-parallel-size", "{all}")
SMALLER = "other vLLM arguments: " + ours("serve", "MODEL", "--", "--max-model-len", "{fits}")
MEMORY = (
    "free memory of the host; or let Ray use more: "
    + change("env.RAY_memory_usage_threshold", "'0.98'")
    + f", then {UP}"
)
OTHER_KIND = (
    f"set {where('accelerator')} to what the hosts have, and {where('image')} to one for it; "
    f"take what tells Ray of {{there}}s out of {where('ray.args')}; then {UP}"
)
MORE_SHM = f"{change('docker.shm_size', '32g')}, then {UP}"
KILLED = f"is the host out of memory? {DMESG}"
MORE_FILES = add("docker.args", "--ulimit=nofile=65536")
HELD = f"end what holds them ({ours('dashboard')} shows it), or restart everything: {ours('restart')}"
LISTENERS = f"end it: {ours('exec', '--on-host', '--', 'ss', '-Hltnp')} shows who listens"
OTHER_PORT = f"another one: {ours('serve', 'MODEL', '--', '--port', '8001')}"
LOW = (
    f"or let vLLM take less: {ours('serve', 'MODEL', '--', '--gpu-memory-utilization', '0.8')}, or lower. "
    "Where CPU and {device} share one memory, as on a DGX Spark, the page cache counts too: "
    + ours("exec", "--on-host", "--", "sudo", "-n", "sh", "-c", "echo 1 >/proc/sys/vm/drop_caches")
)

KNOWN: tuple[Known, ...] = (
    Known(
        r"Workers \(tasks / actors\) killed due to memory pressure.*IP: (?P<host>[\da-fA-F.:]+)"
        r"|Memory on the node \(IP: (?P<node>[\da-fA-F.:]+)",
        (
            "Ray's memory monitor killed a worker: host {host} ran out of memory",
            "Ray's memory monitor killed a worker: host {node} ran out of memory",
        ),
        (MEMORY,),
        "Ray 2.9 to 2.60",
    ),
    Known(
        r"ray\.exceptions\.OutOfMemoryError|killed due to (the node running low on memory|memory pressure)"
        r"|killed by the memory monitor",
        ("Ray's memory monitor killed a worker: its host ran out of memory",),
        (MEMORY,),
        "Ray 2.9 to 2.60, where the line that names the host is another",
        Weight.SYMPTOM,
    ),
    Known(
        r"[Oo]ut of memory occurred when warming up \w+ with (?P<asked>\d+) dummy requests",
        ("a {device} has not enough memory for {asked} requests at once",),
        ("fewer of them: " + ours("serve", "MODEL", "--", "--max-num-seqs", "64"),),
        "vLLM 0.17.1, 0.32.0",
    ),
    Known(
        r"(torch\.(cuda\.)?OutOfMemoryError|(CUDA|HIP|XPU|NPU) ((driver )?error: )?out of memory"
        r"|cudaErrorMemoryAllocation"
        r"|CUDART error: out of memory|Triton Error \[\w+\]: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
        r"|CUDA_ERROR_OUT_OF_MEMORY"
        r"|UR_RESULT_ERROR_OUT_OF_(DEVICE|HOST)_MEMORY|RESOURCE_EXHAUSTED: .*([Oo]ut of memory|Attempting to allocate)"
        r"|(Cuda|CUDA|HIP) failure:? (2 )?'out of memory'|PT_DEVMEM Allocation failed"
        r"|Ran out of memory in memory space hbm)(.*?\b[GN]PU (?P<number>\d+)\b)?",
        (
            "{device} {number} has not enough memory for the model",
            "a {device} has not enough memory for the model",
        ),
        (LESS + f"; {MONITOR} shows what else holds some", LESS),
        "PyTorch to 2.9 (torch.cuda.OutOfMemoryError to 2.4, AcceleratorError from 2.8), torch_npu, XLA, Gaudi, NCCL",
    ),
    Known(
        r"Free memory on device.*?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\).*"
        r"is less than desired GPU memory utilization",
        ("only {free} of {total} GiB of a {device} are free, and vLLM wants more",),
        (
            f"end what holds the rest ({MONITOR} shows programs), " + LOW,
            "end what holds the rest, " + LOW,
        ),
        "vLLM 0.11.1 to 0.33.0; from 0.14.1 with the device's name",
    ),
    Known(
        r"To serve at least one request with the models?'s max seq len \((?P<length>\d+)\)"
        r"(.*estimated maximum model length is (?P<fits>\d+))?"
        r"|The model's max seq len \((?P<tokens>\d+)\) is larger than the maximum number of tokens that can be stored "
        r"in KV cache \((?P<room>\d+)\)",
        (
            "the KV cache has no room for one request of {length} tokens",
            "the KV cache has no room for one request of {tokens} tokens",
        ),
        (SMALLER, SMALLER.replace("fits", "room"), LESS),
        "vLLM 0.8.5 to 0.20.2 (models's), 0.22.0 to 0.33.0 (model's); engine V0, 0.6.6 and 0.8.5 (larger than)",
    ),
    Known(
        r"max_num_seqs \((?P<asked>\d+)\) exceeds available Mamba cache blocks \((?P<fits>\d+)\)",
        ("the cache has room for {fits} requests at once, not for {asked}",),
        (ours("serve", "MODEL", "--", "--max-num-seqs", "{fits}"),),
        "vLLM 0.20 to 0.33.0",
    ),
    Known(
        r"Error in memory profiling\. Initial free memory",
        ("another program gave back memory of a {device} while vLLM measured it",),
        ("serve it once more: " + ours("serve", "MODEL"),),
        "vLLM 0.17.1, 0.32.0",
    ),
    Known(
        r"No available memory for the cache blocks",
        ("the model's weights leave no room for the KV cache",),
        (LESS,),
        "vLLM 0.6.6 to 0.33.0",
    ),
    *MODELS,
    *DEVICES,
    Known(
        r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size \((?P<size>\d+)\)",
        ("the model's {heads} attention heads cannot be split over {size} {device}s",),
        (DIVIDES,),
        "vLLM 0.6.6 to 0.33.0",
    ),
    Known(
        r"n_physical_experts=(?P<experts>\d+) must be divisible by ep_size=(?P<size>\d+)",
        ("the model's {experts} experts cannot be spread over {size} {device}s",),
        (DIVIDES,),
        "vLLM 0.11 to 0.33.0",
    ),
    Known(
        r"is not divisible by (min_thread_[kn]|weight quantization block_[kn])|not aligned with the quantized weight",
        ("the model's quantized weights cannot be cut for so many {device}s",),
        (CUT_LESS, CUT_LESS.replace("{half}", "N").replace("{twice}", "M")),
        "vLLM 0.5 to 0.33.0",
    ),
    Known(
        r"[Pp]ipeline parallelism is not supported for this model",
        ("this model does not support pipeline parallelism",),
        (NO_STAGES, NO_STAGES.replace("{all}", "N") + ", over all {device}s"),
        "vLLM 0.6.6 to 0.33.0",
    ),
    Known(
        r"error: unrecognized arguments:.*--nnodes",
        ("the image's vLLM is older than 0.11.1, and cannot run ranks on several hosts",),
        (f"set {where('image')} to one with vLLM 0.11.1 or later; or {change('engine', 'ray')}",),
        "vLLM to 0.11.0",
    ),
    Known(
        r"inner dp world group is not initialized",
        ("vLLM 0.17.0 and 0.17.1 cannot cut a model over several hosts without Ray",),
        (f"set {where('image')} to one with another vLLM; or {change('engine', 'ray')}",),
        "vLLM 0.17.0, 0.17.1",
    ),
    Known(
        r"^[\w./ -]+: error: .*(argument|invalid choice)",
        ("vLLM refuses its arguments",),
        ("it lists them: " + ours("exec", "-l", "head", "--", "vllm", "serve", "--help"),),
        "argparse",
    ),
    Known(
        r"(World|Tensor parallel) size \((?P<size>\d+)\) (is|cannot be) larger than the number of available GPUs "
        r"\((?P<there>\d+)\)",
        ("{size} {device}s are asked for, and there are {there}",),
        ("smaller sizes, or more hosts",),
        "vLLM 0.11.1 (Tensor parallel), 0.14.1 to 0.33.0 (World)",
    ),
    Known(
        r"Cannot provide a placement group|number of required \w+s exceeds the total number of available",
        ("Ray does not have the {device}s that are asked for",),
        (HELD,),
        "vLLM 0.6.6 to 0.33.0",
    ),
    Known(
        r"Version mismatch: The cluster was started with",
        ("the hosts' images have different versions of Ray or Python",),
        (f"{SAME_IMAGE}; then {UP}",),
        "Ray 2.9 to 2.60",
    ),
    Known(
        r"Current node has no (?P<wanted>\w+) available\b.*'(?P<there>(?!(?P=wanted)')(?:GPU|NPU|HPU|TPU))': [1-9]",
        ("Ray knows {there}s there, and vLLM wants {wanted}s",),
        (OTHER_KIND,),
        "vLLM 0.8.5 to 0.33.0",
    ),
    Known(
        r"Current node has no \w+ available|is not included in a placement group"
        r"|Ray does not allocate any \w+ on the driver node",
        ("the head has no free {device}, and vLLM wants one where it runs",),
        ("take a host with {device}s as the head; or end what holds them: " + ours("restart"),),
        "vLLM 0.8.5 to 0.33.0",
    ),
    Known(
        r"server socket has failed to listen.* port: (?P<port>\d+)",
        ("another program holds port {port}, where the ranks meet",),
        (LISTENERS,),
        "PyTorch",
    ),
    Known(
        r"bind on address \('(?P<host>[^']+)', (?P<port>\d+)\S*: address already in use"
        r"|[Aa]ddress already in use \(addr='?(?P<place>[^')]+)",
        ("another program holds port {port} of {host}", "another program holds {place}"),
        (LISTENERS,),
        "asyncio (uvicorn), pyzmq",
    ),
    Known(
        r"[Aa]ddress already in use|EADDRINUSE",
        ("another program holds the server's port on the head",),
        (OTHER_PORT,),
        "vLLM 0.6.6 to 0.33.0",
        frame=r"in create_server_socket\b",
    ),
    Known(
        r"^vllm: Address already in use",
        ("another program holds the server's port on the head",),
        (OTHER_PORT,),
        "raycluster, which tries the port before it starts vLLM",
    ),
    Known(
        r"[Aa]ddress already in use|EADDRINUSE",
        ("another program holds a port that vLLM wants",),
        (LISTENERS,),
        "Linux",
        Weight.SYMPTOM,
    ),
    Known(
        r"^vllm is in (?P<folder>\S+), which is not on its PATH, (?P<path>\S+)",
        ("vllm is in {folder}, which is not on the container's PATH",),
        (f"put it there: {change('env.PATH', '{folder}:{path}')}, then {ours('up')}",),
        "raycluster, which starts vLLM",
    ),
    Known(
        r"^vllm: No such file or directory",
        ("the image has no vLLM",),
        (change("image", LAST_WITH_RAY),),
        "raycluster, which starts vLLM",
    ),
    Known(
        r"creating shared memory segment /dev/shm\S* .*No space left on device|unable to write to file </torch_",
        ("the container's /dev/shm is full",),
        (MORE_SHM,),
        "NCCL, as in https://github.com/llm-d/llm-d/issues/352; PyTorch",
    ),
    Known(
        r"No space left on device",
        ("the container's /dev/shm is full",),
        (MORE_SHM,),
        "Linux",
        frame=r"/multiprocessing/(synchronize|shared_memory)\.py",
    ),
    Known(
        r"No space left on device(: '(?P<path>[^']+)')?",
        ("a disk is full: no room for {path}", "a disk is full"),
        (f"free some, or put {where('hf_home')} on another; {ours('exec', '--', 'df', '-h')} shows them",),
        "Linux",
        Weight.SYMPTOM,
    ),
    Known(
        r"Too many open files",
        ("a process of vLLM may open no more files",),
        (f"{MORE_FILES}, then {UP}; {ours('check')} tells how many containers may open",),
        "Linux, by Python and ZeroMQ",
        Weight.SYMPTOM,
    ),
    Known(
        r"\[Errno 12\] Cannot allocate memory|unable to mmap .*Cannot allocate memory|DefaultCPUAllocator: "
        r"(can't|not enough memory)|std::bad_alloc|^MemoryError\b",
        ("the host has not enough memory",),
        ("free some, or take a host with more",),
        "Linux, by Python and PyTorch",
        Weight.SYMPTOM,
    ),
    Known(
        r"pthread_create failed.*Operation not permitted",
        ("the container may start no threads",),
        (f"{OLD_SECCOMP}; then {UP}",),
        "OpenBLAS, with Docker before 20.10.10",
        Weight.SYMPTOM,
    ),
    Known(
        rf"{NO_MORE_TASKS}|can't start new thread",
        ("the container may start no more processes and threads",),
        (f"{NO_PIDS_LIMIT}, then {UP}; {ours('check')} tells how many it may",),
        "Linux, by OpenBLAS, Ray and Python",
        Weight.SYMPTOM,
    ),
    Known(
        r"\[Errno 13\] Permission denied: '(?P<path>[^']+)'",
        ("the container's user may not use {path}",),
        (f"{ours('check')} tells who that is, and what lets it",),
        "Linux",
        Weight.SYMPTOM,
    ),
    Known(
        r"[Cc]onnection closed by peer \[(?P<peer>[\da-fA-F.:]+)\]|Read error \[(?P<other>[\da-fA-F.:]+)\]",
        ("a worker on {peer} has gone", "a worker on {other} has gone"),
        (GONE,),
        "Gloo, in PyTorch to 2.9",
        Weight.CONSEQUENCE,
    ),
    Known(
        r"address: (?P<host>[\da-fA-F.:]+).* has been marked dead",
        ("Ray has lost host {host}",),
        (f"{ours('status')} tells how it is; {UP} brings it back",),
        "Ray 2.31 to 2.60",
        Weight.CONSEQUENCE,
    ),
    Known(
        r"RayWorkerProc rank=\[?(?P<rank>\d+)\]? died",
        ("the worker of rank {rank} has gone",),
        (GONE,),
        "vLLM 0.20.2 to 0.33.0",
        Weight.CONSEQUENCE,
    ),
    *NETWORK,
    Known(
        r"\*\*\* SIGBUS received|Fatal Python error: Bus error",
        ("a process of vLLM crashed at memory that it could not reach, as where /dev/shm is full",),
        (f"{ours('exec', '--', 'df', '-h')} shows how full it is; more: {MORE_SHM}",),
        "Ray, Python",
        Weight.SYMPTOM,
    ),
    Known(
        r"\*\*\* SIG(SEGV|ILL|FPE) received|Segfault encountered|Fatal Python error: (Segment|Illegal)",
        ("a process of vLLM crashed, by a fault of a program in the image",),
        (f"the lines above tell where; another image may have it mended: set {where('image')}, then {UP}",),
        "Ray, PyTorch, Python",
        Weight.SYMPTOM,
    ),
    Known(
        r"(Engine core|Worker) proc\w* \S+ died unexpectedly|ActorDiedError|worker died|The actor died unexpectedly"
        r"|WorkerCrashedError",
        ("a process of vLLM was killed",),
        (KILLED,),
        "vLLM 0.11.1 to 0.33.0, Ray",
        Weight.CONSEQUENCE,
    ),
    Known(
        r"EngineDeadError",
        ("a process of vLLM was killed",),
        (KILLED,),
        "vLLM 0.6.6 to 0.33.0",
        Weight.ECHO,
    ),
)
