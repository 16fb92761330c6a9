"""Words with which vLLM and its libraries end, by version: what each line means, and what its remedy has to say."""

WORDED = [
    (
        "NCCL 2.27",
        (
            "n1:3663:4044 [0] misc/shmutils.cc:129 NCCL WARN Error while creating shared memory segment "
            "/dev/shm/nccl-Ewjreo (size 33030528), error: No space left on device (28)"
        ),
        "the container's /dev/shm is full",
        "shm_size: 32g",
    ),
    (
        "transformers, of a model that is private or not there",
        "OSError: a/b is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
        "there is no model a/b",
        "if the model is private, ",
    ),
    (
        "vLLM 0.8.5 to 0.20.2",
        (
            "ValueError: To serve at least one request with the models's max seq len (40960), (5.6 GiB KV cache "
            "is needed, … Based on the available memory, the estimated maximum model length is 18912."
        ),
        "the KV cache has no room for one request of 40960 tokens",
        "--max-model-len 18912`",
    ),
    (
        "vLLM 0.22.0 to 0.33.0",
        (
            "ValueError: To serve at least one request with the model's max seq len (40960), (5.6 GiB KV cache "
            "is needed, … Based on the available memory, the estimated maximum model length is 18912."
        ),
        "the KV cache has no room for one request of 40960 tokens",
        "--max-model-len 18912`",
    ),
    (
        "vLLM 0.6.6, and V0 of 0.8.5",
        (
            "ValueError: The model's max seq len (40960) is larger than the maximum number of tokens that can be "
            "stored in KV cache (18912). Try increasing `gpu_memory_utilization`"
        ),
        "the KV cache has no room for one request of 40960 tokens",
        "--max-model-len 18912`",
    ),
    (
        "vLLM 0.6.6 to 0.33.0",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
        "the model's weights leave no room for the KV cache",
        "smaller --max-model-len",
    ),
    (
        "vLLM 0.11.1",
        (
            "ValueError: Free memory on device (7.34/139.72 GiB) on startup is less than desired GPU memory "
            "utilization (0.9, 125.75 GiB)."
        ),
        "only 7.34 of 139.72 GiB of a GPU are free",
        "nvidia-smi",
    ),
    (
        "vLLM 0.14.1 to 0.33.0",
        (
            "ValueError: Free memory on device cuda:0 (101.35/121.69 GiB) on startup is less than desired GPU "
            "memory utilization (0.87, 105.87 GiB)."
        ),
        "only 101.35 of 121.69 GiB of a GPU are free",
        "drop_caches",
    ),
    (
        "PyTorch 2.8",
        "torch.AcceleratorError: CUDA error: out of memory",
        "a GPU has not enough memory",
        "nvidia-smi",
    ),
    (
        "PyTorch 2.4",
        "torch.cuda.OutOfMemoryError: CUDA out of memory.",
        "a GPU has not enough memory",
        "nvidia-smi",
    ),
    (
        "PyTorch 2.0",
        "RuntimeError: CUDA error: out of memory",
        "a GPU has not enough memory",
        "nvidia-smi",
    ),
    (
        "ROCm",
        "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2 GiB. GPU 1 has",
        "GPU 1 has not enough",
        "",
    ),
    (
        "torch_npu",
        "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total",
        "GPU 3 has",
        "",
    ),
    (
        "XLA",
        (
            "RuntimeError: RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory "
            "space hbm"
        ),
        "a GPU has not enough memory",
        "",
    ),
    (
        "vLLM to 0.11.0",
        "vllm: error: unrecognized arguments: --nnodes 2 --master-addr 10.0.0.1 --node-rank 0",
        "the image's vLLM is older than 0.11.1",
        "vLLM 0.11.1 or later",
    ),
    (
        "vLLM 0.17.0, 0.17.1",
        "AssertionError: inner dp world group is not initialized",
        "vLLM 0.17.0 and 0.17.1 cannot cut a model over several hosts without Ray",
        "to one with another vLLM",
    ),
    (
        "argparse",
        "vllm serve: error: argument --max-num-seqs: invalid int value: 'many'",
        "vLLM refuses its arguments",
        "vllm serve --help",
    ),
    (
        "vLLM 0.6.6 to 0.33.0",
        (
            "RuntimeError: Failed to infer device type, please set the environment variable "
            "`VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging"
        ),
        "vLLM finds no GPU in its container",
        "raycluster check",
    ),
    (
        "vLLM to 0.32.0",
        "ValueError: invalid literal for int() with base 10: 'MIG-8f9e5ba9-1111-2222-3333-444455556666'",
        "vLLM cannot tell a GPU by its UUID, MIG-8f9e5ba9",
        "device=0:0",
    ),
    (
        "vLLM 0.33.0",
        "ValueError: Non-integer device ID 'MIG-8f9e5ba9' is not supported by cuda.",
        "vLLM cannot tell a GPU by its UUID, MIG-8f9e5ba9",
        "device=0:0",
    ),
    (
        "vLLM 0.14.1 to 0.33.0",
        "ValueError: World size (16) is larger than the number of available GPUs (8) in this node.",
        "16 GPUs are asked for, and there are 8",
        "more hosts",
    ),
    (
        "vLLM 0.6.6 to 0.33.0",
        (
            "ValueError: Cannot provide a placement group of placement_group_specs=[{'GPU': 1.0}] within 1800 "
            "seconds."
        ),
        "Ray does not have the GPUs that are asked for",
        "raycluster restart",
    ),
    (
        "vLLM 0.8.5 to 0.33.0",
        "ValueError: Current node has no HPU available. current_node_resource={'CPU': 192.0, 'NPU': 8.0}",
        "Ray knows NPUs there, and vLLM wants HPUs",
        "set `accelerator`",
    ),
    (
        "vLLM 0.8.5 to 0.33.0",
        "ValueError: Current node has no GPU available. current_node_resource={'CPU': 8.0}",
        "the head has no free GPU",
        "as the head",
    ),
    (
        "vLLM 0.6.6 to 0.33.0",
        "NotImplementedError: Pipeline parallelism is not supported for this model. Supported models",
        "this model does not support pipeline parallelism",
        "--pipeline-parallel-size 1",
    ),
    (
        "huggingface_hub 2.4",
        (
            "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files in the disk cache "
            "and outgoing traffic has been disabled."
        ),
        "the container is told not to fetch it",
        "HF_HUB_OFFLINE",
    ),
    (
        "huggingface_hub 2.4",
        (
            "huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/x: "
            "offline mode is enabled."
        ),
        "the container is told not to fetch it",
        "HF_HUB_OFFLINE",
    ),
    (
        "transformers 4",
        "OSError: x/y is not a local folder and is not a valid model identifier listed on the hub",
        "there is no model x/y",
        "check the name",
    ),
    (
        "vLLM 0.20.2 to 0.33.0",
        "Engine core process EngineCore died unexpectedly.",
        "a process of vLLM was killed",
        "dmesg",
    ),
    (
        "NCCL",
        (
            "torch.distributed.DistBackendError: NCCL error in: NCCLUtils.hpp:268, remote process exited or "
            "there was a network error"
        ),
        "one of its workers has gone",
        "raycluster status",
    ),
    (
        "Linux",
        "OSError: [Errno 28] No space left on device: '/root/.cache/huggingface/hub/x'",
        "a disk is full: no room for /root/.cache/huggingface/hub/x",
        "df -h",
    ),
    (
        "Ray",
        "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
        "Ray's memory monitor killed a worker",
        "RAY_memory_usage_threshold",
    ),
    (
        "Gloo",
        "RuntimeError: [gloo/transport/tcp/pair.cc:1] Broken pipe, Read error",
        "one of its workers has gone",
        "status",
    ),
    (
        "raycluster",
        "vllm is in /opt/venv/bin, which is not on its PATH, /usr/bin:/bin",
        "vllm is in /opt/venv/bin, which is not on the container's PATH",
        "env: {PATH: /opt/venv/bin:/usr/bin:/bin}",
    ),
    (
        "raycluster",
        "vllm: No such file or directory",
        "the image has no vLLM",
        "vllm/vllm-openai",
    ),
    (
        "Ray 2.60",
        (
            "(raylet, ip=10.99.0.2) [2026-06-01 10:00:00,1 E 9 9] node_manager.cc:1: 1 Workers (tasks / actors) "
            "killed due to memory pressure (OOM), 0 Workers crashed due to other reasons at node (ID: ab12, IP: "
            "10.99.0.2) over the last time period."
        ),
        "Ray's memory monitor killed a worker: host 10.99.0.2 ran out of memory",
        "RAY_memory_usage_threshold",
    ),
    (
        "pyzmq",
        "zmq.error.ZMQError: Address already in use (addr='tcp://10.0.0.1:29550')",
        "another program holds tcp://10.0.0.1:29550",
        "ss -Hltnp",
    ),
    (
        "raycluster",
        "vllm: Address already in use",
        "another program holds the server's port on the head",
        "--port 8001",
    ),
    (
        "vLLM 0.20.2 to 0.33.0",
        "RayWorkerProc rank=[1] died unexpectedly, shutting down executor.",
        "the worker of rank 1 has gone",
        "raycluster status",
    ),
    (
        "transformers 5",
        (
            "The repository x/y contains custom code. Please pass the argument `trust_remote_code=True` to allow "
            "it"
        ),
        "the model brings code of its own",
        "--trust-remote-code",
    ),
]
