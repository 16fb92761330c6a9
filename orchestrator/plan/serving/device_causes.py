"""Table of the causes of vLLM's end that are in devices and their drivers."""

from orchestrator.plan.remedies import DMESG, OLD_DRIVER, UP
from orchestrator.plan.serving.known import Known, Weight
from orchestrator.plan.typed import change, ours, where

UNSEEN = (
    f"{ours('check')} tells what containers see; is the image for this `accelerator`, and does it set its devices up "
    "without its own entrypoint?"
)
NUMBERS = (
    f"take {{by_number}} out of {where('env')}, and give the container its devices by number: "
    + change("docker.gpus", "'\"device=0\"'")
    + ", or '\"device=0:0\"' for a part of one"
)

OTHER_IMAGE = (
    f"set {where('image')} to one built for it: newer {{device}}s want newer ones, and old ones older"
)
FABRIC = ours("exec", "--on-host", "--", "sudo", "-n", "systemctl", "start", "nvidia-fabricmanager")
KEPT = (
    f'{ours("restart")} gives them back; `"exec-opts": ["native.cgroupdriver=cgroupfs"]` in /etc/docker/daemon.json '
    "there keeps them"
)
QUANTIZED = "take another quantization of the model, or hosts with newer {device}s"

DEVICES: tuple[Known, ...] = (
    Known(
        r"NVIDIA driver on your system is too old|CUDA driver version is insufficient|Error 804: ",
        ("the image's CUDA is newer than the NVIDIA driver can run",),
        (OLD_DRIVER,),
        "PyTorch to 2.9, CUDA",
    ),
    Known(
        r"Error 803: |unsupported display driver / cuda driver combination",
        ("the image's own CUDA libraries hide those of the host's driver",),
        (
            "let the driver's come first: "
            + change(
                "env.LD_LIBRARY_PATH",
                "/usr/local/nvidia/lib64:/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu",
            )
            + f", then {UP}",
        ),
        "CUDA; vLLM's images since 0.14.1, as in https://github.com/gpustack/gpustack/issues/4678",
    ),
    Known(
        r"Error 802: |CUDA error: system not yet initialized",
        ("the {device}s are not ready: NVIDIA's fabric manager does not run",),
        (FABRIC,),
        "CUDA, on hosts whose GPUs are connected by NVSwitch",
    ),
    Known(
        r"Failed to initialize NVML: Unknown Error|NVMLError_Unknown",
        ("the container has lost its {device}s, as it does by systemd's daemon-reload",),
        (KEPT,),
        "NVML, as in https://github.com/NVIDIA/nvidia-container-toolkit/issues/48",
    ),
    Known(
        r"NVML/RM version mismatch",
        ("the NVIDIA driver was updated, and the old one is still loaded",),
        ("reboot that host",),
        "NVML, in PyTorch 2.9",
    ),
    Known(
        r"no kernel image is available for execution|HIP error: invalid device function"
        r"|ptxas fatal.* is not defined for option 'gpu-name'|Unsupported gpu architecture 'compute_",
        ("the image has no code for this kind of {device}",),
        (OTHER_IMAGE,),
        "CUDA, ROCm; Triton's own ptxas, as on a DGX Spark",
    ),
    Known(
        r"(quantization method (?P<method>\S+) is|Quantization scheme is) not supported for.*?"
        r"[Mm]in(imum)? capability: (?P<wanted>\d+).*?Current capability: (?P<there>\d+)",
        (
            "this kind of {device} has compute capability {there}, and {method} wants {wanted}",
            "this kind of {device} has compute capability {there}, and the model's quantization wants {wanted}",
        ),
        (QUANTIZED,),
        "vLLM 0.4.0 to 0.33.0",
    ),
    Known(
        r"Bfloat16 is only supported on GPUs with compute capability",
        ("this kind of {device} does not know the model's type of numbers, bfloat16",),
        ("another one: " + ours("serve", "MODEL", "--", "--dtype", "half"),),
        "vLLM 0.2 to 0.33.0",
    ),
    Known(
        r"dcmi mod\w+ initialize failed\. ret is -8005|synStatus=2[06] .*Device acquire failed"
        r"|EJ0001: .*Failed to initialize the HCCP process",
        ("another program holds the {device}s, maybe in another container",),
        ("end it: one container at a time can use them",),
        "npu-smi, as in https://github.com/vllm-project/vllm-ascend/issues/2698; Gaudi's PyTorch 1.13 to 1.18",
    ),
    Known(
        r"open\((?P<file>/dev/[\w/]+)\): Device or resource busy",
        ("another program holds {file}",),
        ("end it: " + ours("exec", "--on-host", "--", "sudo", "-n", "fuser", "-v", "{file}"),),
        "libtpu",
    ),
    Known(
        r"Failed to infer device type|No (CUDA|HIP) GPUs are available|synStatus=8 .*Device acquire failed"
        r"|lib(ascend_hal|hccl|ascendcl)\.so: cannot open shared object file|no (CUDA|ROCm)-capable device is detected"
        r"|No XPU devices are available|NVMLError_DriverNotLoaded|AMDSMI_STATUS_DRIVER_NOT_LOADED"
        r"|libcuda\.so\.1: cannot open shared object file",
        ("vLLM finds no {device} in its container",),
        (UNSEEN,),
        "vLLM 0.6.6 to 0.33.0; the libraries' names: torch_npu, PyTorch",
    ),
    Known(
        r"(CUDA|HIP) error: invalid device ordinal|Error 101: invalid device ordinal|device < num_gpus INTERNAL ASSERT"
        r"|local rank \d+ is out of bounds",
        ("there are more ranks on a host than {device}s in its container",),
        (
            f"{ours('check')} tells how many containers see; `docker.gpus` or {{visible}} may leave out some",
            f"{ours('check')} tells how many containers see",
        ),
        "PyTorch; vLLM 0.17.1, 0.32.0",
    ),
    Known(
        r"uncorrectable (ECC|NVLink) error|NVMLError_GpuIsLost|GPU is lost|GPU has fallen off the bus",
        ("a {device} has failed",),
        (f"{DMESG} tells which, and how; reboot that host, and if it fails again, leave the {{device}} out",),
        "CUDA, NVML",
    ),
    Known(
        r"Memory access fault by GPU|HW Exception by GPU|GPU Hang",
        ("a program on a {device} has crashed",),
        (f"another image may have it mended: set {where('image')}, then {UP}; {DMESG} tells more",),
        "ROCm",
        Weight.SYMPTOM,
    ),
    Known(
        r"type fp8e4\w+ not supported in this architecture|torch\._scaled_mm is only supported on",
        ("this kind of {device} does not know numbers of the type FP8",),
        (QUANTIZED,),
        "Triton, PyTorch",
    ),
    Known(
        r"Failed to find C compiler|fatal error: Python\.h: No such file",
        ("the image lacks a C compiler, or Python's headers",),
        (
            "in a Dockerfile of your own, FROM that image: `RUN apt-get update && apt-get install -y gcc python3-dev`",
        ),
        "Triton",
    ),
    Known(
        r"out of resource: shared memory, Required: \d+",
        ("a program in the image was not made for this kind of {device}, which has less shared memory",),
        (OTHER_IMAGE,),
        "Triton",
    ),
    Known(
        r"libccl\.so\S*: cannot open shared object file",
        ("the image's oneCCL is not set up",),
        (f"let the image's own entrypoint do that: {change('docker.entrypoint', 'keep')}, then {UP}",),
        "oneCCL, as in https://github.com/vllm-project/vllm/issues/54766",
    ),
    Known(
        r"Could not find nvcc|No such file or directory: '[\w./-]*/nvcc'",
        ("the image lacks CUDA's compiler, nvcc",),
        (f"set {where('image')} to one that has it, as vLLM's own have",),
        "FlashInfer, PyTorch",
    ),
    Known(
        r"ImportError: (?P<file>\S*vllm\S*\.so): undefined symbol",
        ("the image's vLLM was built for another PyTorch than the image has",),
        (f"set {where('image')} to one whose PyTorch was left as it was",),
        "Linux's loader, by Python",
    ),
    Known(
        r"invalid literal for int\(\) with base 10: '(?P<uuid>(MIG|GPU)-[^']+)'|Non-integer device ID '(?P<id>[^']+)'",
        ("vLLM cannot tell a {device} by its UUID, {uuid}", "vLLM cannot tell a {device} by its UUID, {id}"),
        (NUMBERS, f"write {{visible}} in {where('env')} with numbers, as in 0,1; then {UP}"),
        "vLLM 0.6.6 to 0.33.0",
    ),
)
