"""Table of the causes of vLLM's end that are in devices and their drivers."""

from orchestrator.plan.remedies import OLD_DRIVER, UP
from orchestrator.plan.serving.known import Known
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
        r"no kernel image is available for execution|HIP error: invalid device function",
        ("the image has no code for this kind of {device}",),
        (OTHER_IMAGE,),
        "CUDA, ROCm",
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
        r"dcmi mod\w+ initialize failed\. ret is -8005|synStatus=2[06] .*Device acquire failed",
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
        r"|libascend_hal\.so: cannot open shared object file"
        r"|libcuda\.so\.1: cannot open shared object file",
        ("vLLM finds no {device} in its container",),
        (UNSEEN,),
        "vLLM 0.6.6 to 0.33.0; the libraries' names: torch_npu, PyTorch",
    ),
    Known(
        r"invalid literal for int\(\) with base 10: '(?P<uuid>(MIG|GPU)-[^']+)'|Non-integer device ID '(?P<id>[^']+)'",
        ("vLLM cannot tell a {device} by its UUID, {uuid}", "vLLM cannot tell a {device} by its UUID, {id}"),
        (NUMBERS, f"write {{visible}} in {where('env')} with numbers, as in 0,1; then {UP}"),
        "vLLM 0.6.6 to 0.33.0",
    ),
)
