"""Lines with which vLLM has ended for others, as reported at github.com: what each means, and what its remedy says."""

CUDA = (
    "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling "
    "NumCudaDevices() that might have already set an error? Error "
)

REPORTED = [
    # --- drivers and devices ---
    (
        "guqiong96/Lvllmds4/issues/46, 2026-08",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12080). Please update your GPU "
        "driver by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx",
        "the image's CUDA is newer than the NVIDIA driver can run",
        "newer NVIDIA driver",
    ),
    (
        "ovg-project/kvcached/issues/74, vLLM 0.8.4",
        "RuntimeError: CUDA error: CUDA driver version is insufficient for CUDA runtime version",
        "the image's CUDA is newer than the NVIDIA driver can run",
        "newer NVIDIA driver",
    ),
    (
        "vllm-project/vllm/issues/4940, with driver 525",
        f"{CUDA}804: forward compatibility was attempted on non supported HW",
        "the image's CUDA is newer than the NVIDIA driver can run",
        "newer NVIDIA driver",
    ),
    (
        "gpustack/gpustack/issues/4678, vLLM 0.15.0 with driver 580",
        f"{CUDA}803: system has unsupported display driver / cuda driver combination",
        "the image's own CUDA libraries hide those of the host's driver",
        "env: {LD_LIBRARY_PATH: ",
    ),
    (
        "MiniMax-AI/MiniMax-M2.5/issues/9, 2026-03",
        f"{CUDA}802: system not yet initialized",
        "the GPUs are not ready: NVIDIA's fabric manager does not run",
        "systemctl start nvidia-fabricmanager",
    ),
    (
        "gpustack/gpustack/issues/1254, vLLM 0.7, which names no error",
        CUDA.removeprefix("RuntimeError: ") + "802: system not yet initialized",
        "the GPUs are not ready",
        "nvidia-fabricmanager",
    ),
    (
        "NVIDIA/nvidia-container-toolkit/issues/48, and dstackai/dstack/issues/2601, which has the remedy",
        "RuntimeError: Failed to initialize NVML: Unknown Error",
        "the container has lost its GPUs",
        "native.cgroupdriver=cgroupfs",
    ),
    (
        "vllm-project/vllm/issues/29737, vLLM 0.11.2",
        "RuntimeError: RM has detected an NVML/RM version mismatch.",
        "the NVIDIA driver was updated, and the old one is still loaded",
        "reboot",
    ),
    (
        "vllm-project/vllm/issues/18835, vLLM 0.9.0",
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
        "the image has no code for this kind of GPU",
        "set `image`",
    ),
    (
        "vllm-project/vllm/issues/30855, vLLM 0.12.0 on a GB10",
        "torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device",
        "the image has no code for this kind of GPU",
        "set `image`",
    ),
    (
        "vllm-project/vllm/issues/17170, ROCm",
        "RuntimeError: HIP error: invalid device function",
        "the image has no code for this kind of GPU",
        "set `image`",
    ),
    (
        "vllm-project/vllm/issues/34573, ROCm 7",
        "RuntimeError: No HIP GPUs are available",
        "vLLM finds no GPU in its container",
        "raycluster check",
    ),
    (
        "vllm-project/vllm/issues/14154, vLLM 0.7.3",
        "ValueError: The quantization method bitsandbytes is not supported for the current GPU. Minimum capability: "
        "70. Current capability: 52.",
        "this kind of GPU has compute capability 52, and bitsandbytes wants 70",
        "another quantization",
    ),
    (
        "vllm-project/vllm/issues/14040, to vLLM 0.10",
        "RuntimeError: ('Quantization scheme is not supported for ', 'the current GPU. Min capability: 80. ', "
        "'Current capability: 75.')",
        "this kind of GPU has compute capability 75, and the model's quantization wants 80",
        "another quantization",
    ),
    (
        "substratusai/vllm-docker/issues/37, vLLM 0.6",
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU "
        "has compute capability 7.5. You can use float16 instead by explicitly setting the`dtype` flag in CLI, for "
        "example: --dtype=half.",
        "this kind of GPU does not know the model's type of numbers, bfloat16",
        "--dtype half`",
    ),
    (
        "vllm-project/vllm-ascend/issues/2698, vLLM 0.10.0",
        "dcmi module initialize failed. ret is -8005",
        "another program holds the GPUs",
        "end it",
    ),
    (
        "huggingface/tgi-gaudi/issues/93, Gaudi",
        "RuntimeError: synStatus=20 [Device already acquired] Device acquire failed.",
        "another program holds the GPUs",
        "end it",
    ),
    (
        "HabanaAI/vllm-fork/issues/344, Gaudi, and opea-project/GenAIExamples/issues/137, which has the cause",
        "RuntimeError: synStatus=26 [Generic failure] Device acquire failed.",
        "another program holds the GPUs",
        "end it",
    ),
    (
        "opea-project/GenAIComps/issues/1038, Gaudi",
        "RuntimeError: synStatus=8 [Device not found] Device acquire failed.",
        "vLLM finds no GPU in its container",
        "raycluster check",
    ),
    (
        "aws/deep-learning-containers/pull/6469, as PyTorch 2.4 and later tell it",
        "Bootstrap : no socket interface found",
        "NCCL finds no interface by the name that it was given",
        "`NCCL_SOCKET_IFNAME`",
    ),
    (
        "vllm-project/tpu-inference/pull/2257, 2026-04",
        "RuntimeError: Unable to initialize backend 'tpu': FAILED_PRECONDITION: TPU initialization failed: "
        "open(/dev/vfio/0): Device or resource busy: Device or resource busy; Couldn't open iommu group /dev/vfio/0 "
        "(set JAX_PLATFORMS='' to automatically choose an available backend)",
        "another program holds /dev/vfio/0",
        "end it",
    ),
    (
        "vllm-project/vllm/issues/21661, vLLM 0.11.0",
        "RuntimeError: NCCL error: unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
        "a CUDA call of NCCL failed",
        "env: {NCCL_DEBUG: INFO}",
    ),
    (
        "vllm-project/vllm/issues/2406, to vLLM 0.6",
        "ValueError: Ray does not allocate any GPUs on the driver node. Consider adjusting the Ray placement group or "
        "running the driver on a GPU node.",
        "the head has no free GPU",
        "as the head",
    ),
    (
        "NVIDIA-NeMo/Skills/issues/1059, vLLM 0.11.1",
        "Value error, Tensor parallel size (16) cannot be larger than the number of available GPUs (8). "
        "[type=value_error, input_value=ArgsKwargs((), {}), input_type=ArgsKwargs]",
        "16 GPUs are asked for, and there are 8",
        "more hosts",
    ),
    (
        "vllm-project/vllm/issues/14413, vLLM 0.7.3",
        "RuntimeError: No CUDA GPUs are available",
        "vLLM finds no GPU in its container",
        "raycluster check",
    ),
    (
        "vllm-project/recipes/pull/551, vLLM 0.20 to 0.28",
        "ValueError: max_num_seqs (1024) exceeds available Mamba cache blocks (856). Each decode sequence requires one "
        "Mamba cache block, so CUDA graph capture cannot proceed. Please lower max_num_seqs to at most 856 or increase "
        "gpu_memory_utilization.",
        "the cache has room for 856 requests at once, not for 1024",
        "--max-num-seqs 856",
    ),
    (
        "vllm-project/vllm/issues/52435, 2026-08",
        "AssertionError: n_physical_experts=256 must be divisible by ep_size=3. Adjust num_redundant_experts.",
        "the model's 256 experts cannot be spread over 3 GPUs",
        "--tensor-parallel-size 1`",
    ),
    (
        "vllm-project/llm-compressor/issues/57, vLLM 0.5.1",
        "ValueError: Weight input_size_per_partition = 7392 is not divisible by min_thread_k = 128. Consider reducing "
        "tensor_parallel_size or running with --quantization gptq.",
        "the model's quantized weights cannot be cut for so many GPUs",
        "--tensor-parallel-size N --pipeline-parallel-size M`",
    ),
    (
        "vllm-project/vllm/issues/17569, vLLM 0.8.5",
        "ValueError: The output_size of gate's and up's weight = 192 is not divisible by weight quantization block_n = "
        "128.",
        "the model's quantized weights cannot be cut for so many GPUs",
        "--pipeline-parallel-size M`",
    ),
    (
        "vllm-project/vllm/issues/13980",
        "ERROR 02-28 01:21:51 engine.py:400] ValueError: The input size is not aligned with the quantized weight "
        "shape. This can be caused by too large tensor parallel size.",
        "the model's quantized weights cannot be cut for so many GPUs",
        "--pipeline-parallel-size M`",
    ),
    # --- models and the hub ---
    (
        "vllm-project/vllm/issues/22231, an old vLLM",
        "ValueError: Model architectures ['Qwen3ForCausalLM'] are not supported for now. Supported architectures: "
        "['AquilaModel', 'AquilaForCausalLM']",
        "the image's vLLM does not know this kind of model, Qwen3ForCausalLM",
        "set `image`",
    ),
    (
        "vllm-project/vllm/issues/32338, vLLM 0.13.0",
        "Value error, Model architectures ['LlavaQwenForCausalLM'] are not supported for now. Supported "
        "architectures: dict_keys(['AfmoeForCausalLM']) [type=value_error, input_value=ArgsKwargs((), {'model': 'x', "
        "'trust_remote_code': True}), input_type=ArgsKwargs]",
        "the image's vLLM does not know this kind of model, LlavaQwenForCausalLM",
        "set `image`",
    ),
    (
        "vllm-omni's own note on a model of another type, with vLLM 0.11 and later",
        "Value error, The checkpoint you are trying to load has model type `vevo2` but Transformers does not "
        "recognize this architecture. This could be because of an issue with the checkpoint, or because your version "
        "of Transformers is out of date.",
        "the image's transformers does not know this kind of model, vevo2",
        "set `image`",
    ),
    (
        "vllm-project/vllm/issues/8262, vLLM 0.6.0",
        "OSError: Incorrect path_or_model_id: '/data1/models/deepseek'. Please provide either the path to a local "
        "folder or the repo_id of a model on the Hub.",
        "there is no model /data1/models/deepseek",
        "docker: {args: [-v, /data/models:/models:ro]}",
    ),
    (
        "huggingface/transformers/issues/28688, transformers 4.35",
        "OSError: /data/mistral_32k does not appear to have a file named config.json. Checkout "
        "'https://huggingface.co//data/mistral_32k/None' for available files.",
        "there is no config.json in /data/mistral_32k",
        "is all of the model there?",
    ),
    (
        "vllm-project/vllm/issues/3676",
        "ValueError: User-specified max_model_len (131072) is greater than the derived max_model_len (None=8192 in "
        "model's config.json). This may lead to incorrect model outputs or CUDA errors.",
        "the model is made for texts of 8192 tokens, not of 131072",
        "--max-model-len 8192",
    ),
    (
        "pytorch/pytorch/issues/170150, 2025-12",
        "(APIServer pid=90980) ERROR 12-11 00:53:45 [repo_utils.py:63] Error retrieving file list: 429 Client Error: "
        "Too Many Requests for url: https://huggingface.co/api/models/x/y/tree/main?recursive=True&expand=False",
        "Hugging Face answers no more requests from there for now",
        "model pull MODEL`",
    ),
    (
        "marin-community/marin/issues/2574",
        "huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url: "
        "https://huggingface.co/api/x",
        "Hugging Face answers no more requests from there for now",
        "model pull MODEL`",
    ),
    (
        "huggingface/huggingface_hub/issues/3158, vLLM 0.9.1",
        "RuntimeError: Data processing error: CAS service error : Error : single flight error: Real call failed: "
        'ReqwestError(reqwest::Error { kind: Status(429) }, "https://transfer.xethub.hf.co/xorbs/default/993f")',
        "a download from Hugging Face's Xet store failed",
        "HF_HUB_DISABLE_XET: '1'",
    ),
    (
        "huggingface_hub 0.36.2 with hf_xet 1.8.0, tried: after three minutes, of a certificate that it does not trust",
        "ConnectionError: Network error: Request middleware error: error sending request for url "
        "(https://cas-server.xethub.hf.co/v2/reconstructions/abab)",
        "a download from Hugging Face's Xet store failed",
        "HF_HUB_DISABLE_XET: '1'",
    ),
    (
        "huggingface_hub 2.4.0 with hf_xet 1.8.0, tried",
        "RuntimeError: Task error: File reconstruction error: CAS Client Error: Request error: HTTP status client "
        "error (404 Not Found), domain: https://cas-server.xethub.hf.co/v1/reconstructions/abab",
        "a download from Hugging Face's Xet store failed",
        "HF_HUB_DISABLE_XET: '1'",
    ),
    (
        "kserve/kserve/issues/4875, vLLM 0.10",
        "ImportError: bitsandbytes version is wrong. Please install bitsandbytes>=0.46.1.",
        "the image lacks Python's bitsandbytes>=0.46.1",
        "RUN pip install 'bitsandbytes>=0.46.1'",
    ),
    (
        "vllm-project/vllm/issues/13675",
        "ImportError: Please install vllm[audio] for audio support",
        "the image lacks Python's vllm[audio]",
        "RUN pip install 'vllm[audio]'",
    ),
    (
        "lyogavin/airllm/issues/137",
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
        "a file of the model's weights is damaged",
        "model verify MODEL --drop`",
    ),
    (
        "microsoft/OmniParser/issues/34, with a Git LFS pointer",
        "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge",
        "or a Git LFS pointer",
        "model pull MODEL`",
    ),
    (
        "Stability-AI/stable-virtual-camera/issues/23, huggingface_hub 0.29",
        "urllib3.exceptions.MaxRetryError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded "
        "with url: /naver/x/resolve/main/config.json (Caused by SSLError(SSLCertVerificationError(1, '[SSL: "
        "CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain "
        "(_ssl.c:1007)')))",
        "the container does not trust the TLS certificate",
        "REQUESTS_CA_BUNDLE: ",
    ),
    (
        "the same as huggingface_hub 2.4 has it, tried",
        "httpx2.ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
        "the container does not trust the TLS certificate",
        "SSL_CERT_FILE: ",
    ),
    (
        "huggingface/huggingface_hub/issues/4637, 2026-08",
        "huggingface_hub.errors.FileMetadataError: Distant resource does not seem to be on huggingface.co. It is "
        "possible that a configuration issue prevents you from downloading resources from https://huggingface.co.",
        "what answers in Hugging Face's place is no whole mirror of it",
        "HF_ENDPOINT",
    ),
    (
        "raids-lab/crater/pull/496, a mirror",
        "requests.exceptions.ConnectionError: (MaxRetryError(\"HTTPSConnectionPool(host='hf-mirror.com', port=443): "
        "Max retries exceeded with url: /api/models/x/y/revision/main (Caused by NewConnectionError('Failed to "
        "establish a new connection: [Errno 101] Network is unreachable'))\"), '(Request ID: a)')",
        "hf-mirror.com cannot be reached, and the model is not in the cache",
        "let the host reach hf-mirror.com",
    ),
    # --- hosts ---
    (
        "AMD-AGI/Hyperloom/pull/1276, 2026-08, Podman",
        "OpenBLAS blas_thread_init: pthread_create failed for thread 22 of 48: Resource temporarily unavailable",
        "the container may start no more processes and threads",
        "--pids-limit=-1",
    ),
    (
        "chroma-core/chroma/issues/1682, mozilla/translations/issues/630",
        "RuntimeError: can't start new thread",
        "the container may start no more processes and threads",
        "--pids-limit=-1",
    ),
    (
        "xorbitsai/inference/issues/1871, an old Docker",
        "OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 48: Operation not permitted",
        "the container may start no threads",
        "--security-opt=seccomp=unconfined",
    ),
    (
        "av/harbor/issues/262, 2026-09",
        "PermissionError: [Errno 13] Permission denied: '/root/.cache/huggingface/hub'",
        "the container's user may not use /root/.cache/huggingface/hub",
        "raycluster check",
    ),
    (
        "logicalclocks/hopsworks/issues/1557, PyTorch",
        "RuntimeError: unable to write to file </torch_739_144252761_4>: No space left on device (28)",
        "the container's /dev/shm is full",
        "shm_size: 32g",
    ),
    # --- memory, files ---
    (
        "vLLM 0.8.5 to 0.33.0",
        "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try "
        "lowering `max_num_seqs` or `gpu_memory_utilization` when initializing the engine.",
        "a GPU has not enough memory for 1024 requests at once",
        "--max-num-seqs 64",
    ),
    (
        "NCCL 2.27, as its last error",
        "Cuda failure 2 'out of memory'",
        "a GPU has not enough memory for the model",
        "over more GPUs",
    ),
    (
        "Gaudi's PyTorch 1.18",
        "RuntimeError: [Rank:0] FATAL ERROR :: MODULE:PT_DEVMEM Allocation failed for size::939524096 (896)MB",
        "has not enough memory for the model",
        "quantized model",
    ),
    (
        "JAX 0.7",
        "jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: Error allocating device buffer: Attempting to allocate 2.00G. "
        "That was not possible. There are 1.20G free.; (0x0x0_HBM0)",
        "has not enough memory for the model",
        "quantized model",
    ),
    (
        "vLLM 0.6.6 to 0.33.0",
        "AssertionError: Error in memory profiling. Initial free memory 20.1 GiB, current free memory 25.3 GiB. This "
        "happens when other processes sharing the same container release GPU memory while vLLM is profiling",
        "another program gave back memory of a GPU while vLLM measured it",
        "once more: `raycluster serve",
    ),
    (
        "vllm-project/vllm/issues/7920",
        "zmq.error.ZMQError: Too many open files (src/epoll.cpp:67)",
        "a process of vLLM may open no more files",
        "--ulimit=nofile=65536",
    ),
    (
        "PyTorch, of a file of weights",
        "RuntimeError: unable to mmap 4976698672 bytes from file </models/x/model-00001-of-00004.safetensors>: Cannot "
        "allocate memory (12)",
        "the host has not enough memory",
        "free some",
    ),
    (
        "hf_xet 1.1, whose disk is full: the older way would fill it, too",
        "RuntimeError: Data processing error: CAS service error : IO Error: No space left on device (os error 28)",
        "a disk is full",
        "free some",
    ),
    # --- what the image has ---
    (
        "Ray's workers, by engine mp's image",
        "ModuleNotFoundError: No module named 'ray'",
        "the image has no Ray",
        "ray: {install: ",
    ),
    (
        "vLLM 0.2 to 0.33.0",
        "RuntimeError: Cannot find any model weights with `/models/llama`",
        "there are no weights in /models/llama",
        "-v, /data/models:/models:ro",
    ),
    (
        "DGX Spark, Triton 3.5",
        "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
        "the image has no code for this kind of GPU",
        "one built for it",
    ),
    (
        "Triton 3.4",
        "torch._inductor.exc.InductorError: RuntimeError: Failed to find C compiler. Please specify via CC environment "
        "variable or set triton.knobs.build.impl.",
        "the image lacks a C compiler",
        "apt-get install -y gcc",
    ),
    (
        "FlashInfer",
        "RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist",
        "the image lacks CUDA's compiler, nvcc",
        "as vLLM's own have",
    ),
    (
        "an image whose PyTorch was replaced",
        "ImportError: /usr/local/lib/python3.12/dist-packages/vllm/_C.abi3.so: undefined symbol: _ZN3c106ivalue14",
        "the image's vLLM was built for another PyTorch",
        "whose PyTorch was left",
    ),
    (
        "Triton, on an A100",
        "ValueError: type fp8e4nv not supported in this architecture. The supported fp8 dtypes are ('fp8e4b15',)",
        "this kind of GPU does not know numbers of the type FP8",
        "another quantization",
    ),
    # --- devices ---
    (
        "PyTorch 2.8",
        "torch.AcceleratorError: CUDA error: invalid device ordinal",
        "more ranks on a host than GPUs",
        "check",
    ),
    (
        "CUDA 12",
        "RuntimeError: CUDA error: uncorrectable ECC error encountered",
        "a GPU has failed",
        "dmesg | tail",
    ),
    (
        "ROCm 6, of a kernel that goes astray",
        "Memory access fault by GPU node-1 (Agent handle: 0x55d) on address 0x7f1000. Reason: Unknown.",
        "a program on a GPU has crashed",
        "another image",
    ),
    (
        "CANN 8",
        "EJ0001: [PID: 77] Failed to initialize the HCCP process. Reason: Maybe the last training process is running.",
        "another program holds the GPUs",
        "end it",
    ),
    (
        "CANN 8, whose entrypoint did not run",
        "ImportError: libhccl.so: cannot open shared object file: No such file or directory. Please check that the "
        "cann package is installed.",
        "vLLM finds no GPU in its container",
        "without its own entrypoint",
    ),
    # --- processes and networks ---
    (
        "verl-project/verl/issues/1096, vllm-project/vllm/issues/17176: as NCCL's last error",
        "Duplicate GPU detected : rank 9 and rank 1 both on CUDA device 34000",
        "two ranks were given the same GPU",
        "are two hosts of the inventory one machine?",
    ),
    (
        "Ray 2.44 to 2.60",
        "ray.exceptions.RayChannelTimeoutError: System error: If the execution is expected to take a long time, "
        "increase RAY_CGRAPH_get_timeout which is currently 300 seconds.",
        "a rank waited for the others",
        "check --deep",
    ),
    (
        "Ray, of a worker of V0",
        "ray.exceptions.RayActorError: The actor died unexpectedly before finishing this task.",
        "a process of vLLM was killed",
        "out of memory?",
    ),
    (
        "Python",
        "Fatal Python error: Segmentation fault",
        "a process of vLLM crashed, by a fault of a program in the image",
        "another image",
    ),
    ("PyTorch", "!!!!!!! Segfault encountered !!!!!!!", "a process of vLLM crashed", "another image"),
    ("Python", "Fatal Python error: Bus error", "as where /dev/shm is full", "shm_size: 32g"),
    (
        "Triton 3.5",
        "RuntimeError: Triton Error [CUDA]: out of memory",
        "has not enough memory",
        "quantized model",
    ),
    (
        "cuBLAS 12",
        "torch.AcceleratorError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "has not enough memory",
        "quantized model",
    ),
    ("libstdc++", "  what():  std::bad_alloc", "the host has not enough memory", "free some"),
    (
        "Ray 2.48, of a worker",
        "RuntimeError: Version mismatch: The cluster was started with:    Ray: 2.48.0    Python: 3.12.11",
        "the hosts' images have different versions of Ray or Python",
        "the same image",
    ),
    (
        "Triton 3.5, on a DGX Spark",
        "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 131072, Hardware limit: 1.",
        "was not made for this kind of GPU",
        "one built for it",
    ),
    (
        "vllm-project/vllm/issues/54766",
        "Cannot open plugin library: libccl.so.1: cannot open shared object file",
        "the image's oneCCL is not set up",
        "docker: {entrypoint: keep}",
    ),
]
