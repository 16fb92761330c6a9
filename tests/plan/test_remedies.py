"""The remedy for a failure, from the words that programs really say."""

import pytest

from orchestrator.plan import remedies
from orchestrator.plan.problem import Problem, exited
from orchestrator.plan.remedies import docker_problem, hint
from orchestrator.plan.typed import add, change, host_command, there

UNMAPPED = add("docker.args", "--userns=host")
LOCAL_LOGS = add("docker.args", "--log-driver=local")

HOOK = (
    "docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime "
    "create failed: runc create failed: unable to start container process: error during container init: error running "
    "hook #0: error running hook: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\n"
    "nvidia-container-cli: "
)

REPORTED = [
    (
        "vllm-project/vllm/issues/5635, image v0.5.0",
        "requirement error: unsatisfied condition: cuda>=12.4, please update your driver to a newer version, or use an "
        "earlier cuda container: unknown.",
        remedies.OLD_DRIVER,
    ),
    (
        "NVIDIA/nvidia-container-toolkit/issues/394",
        "initialization error: nvml error: driver/library version mismatch: unknown.",
        remedies.HALF_UPDATED,
    ),
    (
        "NVIDIA/nvidia-container-toolkit/issues/154, toolkit 1.11",
        "initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or "
        "directory: unknown.",
        remedies.NO_DRIVER,
    ),
    (
        "NVIDIA/nvidia-container-toolkit/issues/147",
        "ldcache error: process /sbin/ldconfig.real failed with error code: 1: unknown.",
        remedies.TOOLKIT_FAILS,
    ),
    (
        "NVIDIA/nvidia-container-toolkit/issues/678, gone in later ones",
        "mount error: failed to add device rules: unable to find any existing device filters attached to the cgroup: "
        "bpf_prog_query(BPF_CGROUP_DEVICE) failed: operation not permitted: unknown.",
        remedies.TOOLKIT_FAILS,
    ),
    (
        "NVIDIA/nvidia-docker/issues/1660, toolkit 1.11",
        "container error: cgroup subsystem devices not found: unknown.",
        remedies.TOOLKIT_FAILS,
    ),
    (
        "NVIDIA/nvidia-docker/issues/1283, Docker 19.03",
        "device error: 1: unknown device: unknown.",
        remedies.NO_SUCH_GPU,
    ),
    ("NVIDIA/nvidia-docker/issues/884", "device error: unknown device id: 1", remedies.NO_SUCH_GPU),
]
"""What NVIDIA's hook says, which is there, then: as reported at github.com."""

SAID = [
    *((f"{HOOK}{said}", fix) for _, said, fix in REPORTED),
    (  # NVIDIA/nvidia-docker/issues/270, and others since
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 565.57",
        remedies.HALF_UPDATED,
    ),
    (  # NVIDIA/nvidia-container-toolkit/issues/580, Podman 5 and Docker beside each other
        "Failed to initialize NVML: Unknown Error",
        remedies.NO_CGROUPS,
    ),
    (  # ShaneIsrael/fireshare/issues/689, Docker 29
        "docker: Error response from daemon: failed to discover GPU vendor from CDI: no known GPU vendor found",
        remedies.NO_GPU_BY_CDI,
    ),
    (  # NVIDIA/nvidia-container-toolkit/issues/885, rootless Podman
        "Error: setting up CDI devices: failed to inject devices: failed to stat CDI host device "
        '"/dev/dri/renderD129": no such file or directory',
        remedies.NO_CDI,
    ),
    (  # Stability-AI/stable-virtual-camera/issues/23, as `model pull` tells it
        "the hub cannot be reached: https://huggingface.co: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify "
        "failed: self-signed certificate in certificate chain (_ssl.c:1007)",
        remedies.OUR_CERTIFICATES + remedies.RUNS_ON,
    ),
    (  # huggingface/transformers/issues/34841
        "the hub cannot be reached: https://huggingface.co: 429 Client Error: Too Many Requests for URL: https://x",
        remedies.TOO_OFTEN,
    ),
    (  # hf_xet 1.8.0 by huggingface_hub 0.36.2, with a certificate that it does not trust
        "the hub cannot be reached: https://huggingface.co: Network error: Request middleware error: error sending "
        "request for url (https://cas-server.xethub.hf.co/v2/reconstructions/abab)",
        remedies.OLDER_WAY,
    ),
    (  # hf_xet 1.1.10, likewise
        "RuntimeError: Data processing error: CAS service error : ReqwestMiddleware Error: Request failed after 5 "
        "retries",
        remedies.OLDER_WAY,
    ),
    ("nothing has come for 120 s", remedies.OLDER_WAY),  # as hf_xet is trying again
    ("the hub cannot be reached: https://huggingface.co: Network is unreachable", remedies.NO_HUB),
    (
        "error running prestart hook #0: fork/exec /usr/bin/nvidia-container-runtime-hook: no such file or directory",
        remedies.NO_TOOLKIT,
    ),
    (  # xorbitsai/inference/issues/1871, open-webui/open-webui/issues/2488
        "OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 48: Operation not permitted",
        remedies.OLD_SECCOMP,
    ),
    (  # vllm-project/vllm/issues/6295, with a limit of 4096
        "E0710 15:24:06.605366961 2474524 thd.cc:157]  pthread_create failed: Resource temporarily unavailable",
        remedies.NO_PIDS_LIMIT,
    ),
    (  # ray-project/ray/issues/44296
        "logging.cc:97: Unhandled exception: St12system_error. what(): Resource temporarily unavailable",
        remedies.NO_PIDS_LIMIT,
    ),
    (  # Ray 2.60, as it ended with 60
        "INFO node.py:438 -- Failed to get node info Resource temporarily unavailable (3 times)",
        remedies.NO_PIDS_LIMIT,
    ),
    (  # ray-project/ray/issues/59626, Ray 2.5x
        "[2025-12-23 07:57:11,175 E 4180 4180] logging.cc:118: Unhandled exception: "
        "N5boost10wrapexceptINS_6system12system_errorEEE. what(): thread: Resource temporarily unavailable [system:11]",
        remedies.NO_PIDS_LIMIT,
    ),
    (  # Docker 20.10
        "Error response from daemon: Container raycluster-lab-gpu1 is paused, unpause the container before exec",
        host_command("docker", "unpause", "raycluster-lab-gpu1"),
    ),
    (  # docker/hub-feedback/issues/2505
        "Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit. "
        "https://www.docker.com/increase-rate-limit",
        remedies.RATE_LIMIT,
    ),
    (  # docker/hub-feedback/issues/2429
        "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating",
        remedies.RATE_LIMIT,
    ),
    (  # distribution/distribution/issues/1731
        'Error response from daemon: Get "https://registry.lan:5000/v2/": x509: certificate signed by unknown '
        "authority",
        remedies.UNTRUSTED_REGISTRY,
    ),
    (  # henrygd/beszel/issues/2123
        'Error response from daemon: Head "https://registry.lan:5000/v2/x/manifests/latest": tls: failed to verify '
        "certificate: x509: certificate has expired or is not yet valid: current time 2026-05-17T10:34:05+02:00 is "
        "before 2026-07-08T01:10:17Z",
        remedies.ITS_CLOCK,
    ),
    (  # a registry at an address, with a certificate for a name: tried with Docker 20.10
        'Get "https://192.0.2.1:5003/v2/": x509: cannot validate certificate for 192.0.2.1 because it doesn\'t contain '
        "any IP SANs",
        remedies.UNTRUSTED_REGISTRY,
    ),
    (  # one without TLS, tried with Docker 20.10
        'Get "https://192.0.2.1:5002/v2/": tls: first record does not look like a TLS handshake',
        remedies.UNTRUSTED_REGISTRY,
    ),
    # NVIDIA-NeMo/Speech/issues/243, wtdcode/vllm-backport/issues/79
    ("Error response from daemon: unauthorized: authentication required", remedies.NO_IMAGE),
    (  # hiyouga/LlamaFactory/issues/6922
        'failed to do request: Head "https://nvcr.io/v2/x/manifests/24.02-py3": net/http: TLS handshake timeout',
        remedies.NO_IMAGE,
    ),
    (  # NVIDIA/retinanet-examples/issues/16
        'Get "https://nvcr.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded '
        "while awaiting headers)",
        remedies.NO_IMAGE,
    ),
    (  # containers/image/pull/1090
        "Error: initializing source docker://x: requested access to the resource is denied",
        remedies.NO_IMAGE,
    ),
    (  # microsoft/vscode-docker/issues/1443
        'Get "https://10.0.0.9:5000/v2/": http: server gave HTTP response to HTTPS client',
        remedies.UNTRUSTED_REGISTRY,
    ),
    (  # podman-container-tools/podman/issues/19845, Podman 3.4
        'Error: short-name "vllm/vllm-openai:v0.17.1" did not resolve to an alias and no unqualified-search registries '
        'are defined in "/etc/containers/registries.conf"',
        change("image", "docker.io/vllm/vllm-openai:v0.17.1"),
    ),
    (  # vllm-project/vllm/issues/30076, vLLM 0.12.0
        '{"msg":"exec container process `/opt/venv/bin/vllm`: Exec format error","level":"error"}',
        remedies.OTHER_CPU,
    ),
    ("exec /bin/bash: exec format error", remedies.OTHER_CPU),  # mmartial/ComfyUI-Nvidia-Docker/issues/96
    (  # av/harbor/issues/14
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        remedies.OTHER_CPU,
    ),
    (  # podman-container-tools/podman/issues/25798
        "Error: copying system image from manifest list: ApplyLayer stdout:  stderr: potentially insufficient UIDs or "
        "GIDs available in user namespace (requested 0:42 for /etc/gshadow): Check /etc/subuid and /etc/subgid if "
        'configured locally and run "podman system migrate": lchown /etc/gshadow: invalid argument exit status 1',
        remedies.FEW_IDS,
    ),
    (  # ray-project/ray/issues/14535, and as Ray 2 has it
        "ValueError: The configured object store size (486.0 GB) exceeds /dev/shm size (405.07611136 GB). This will "
        "harm performance. Consider deleting files in /dev/shm or increasing its size with --shm-size in Docker.",
        remedies.NO_SHM,
    ),
    ("/bin/bash: line 1: exec: ray: not found", remedies.NO_RAY),
    ("bash: ray: command not found", remedies.NO_RAY),
    (
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
        remedies.NO_GPUS_OPTION,
    ),
    ("nvidia-container-cli: initialization error: nvml error: driver not loaded", remedies.NO_DRIVER),
    (
        'docker: Error response from daemon: error gathering device information while adding custom device "/dev/kfd": '
        "no such file or directory.",
        remedies.NO_DEVICE,
    ),
    ("Error: stat /dev/kfd: no such file or directory", remedies.NO_DEVICE),
    ("CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all", remedies.NO_CDI),
    ("unknown or invalid runtime name: habana", remedies.NO_HABANA),
    (
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
        remedies.NO_RIGHT,
    ),
    ("Got permission denied while trying to connect to the Docker daemon socket", remedies.NO_RIGHT),
    ("dial unix /var/run/docker.sock: connect: permission denied", remedies.NO_RIGHT),
    (
        "/bin/bash: line 1: /var/tmp/raycluster.environment.new: Read-only file system",
        remedies.WRITABLE,
    ),
    ("sudo: a password is required", remedies.SUDO_ASKS),
    ("Sorry, user ana is not allowed to execute '/usr/bin/docker ps' as root on gpu2.", remedies.SUDO_ASKS),
    ("sudo: sorry, you must have a tty to run sudo", remedies.NO_TTY),
    (
        "Error response from daemon: cannot share the host's network namespace when user namespaces are enabled.",
        UNMAPPED,
    ),
    (
        "Error response from daemon: configured logging driver does not support reading",
        LOCAL_LOGS,
    ),
    (
        "Error response from daemon: authorization denied by plugin opa: no host network",
        remedies.NOT_AUTHORIZED,
    ),
    ("sudo: a terminal is required to read the password", remedies.SUDO_ASKS),
    (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        remedies.NO_DAEMON,
    ),
    (
        "Cannot connect to the Docker daemon at tcp://gpu3:2375. Is the docker daemon running?",
        remedies.OTHER_ENGINE,
    ),
    (
        "Cannot connect to the Docker daemon at unix:///run/user/1000/docker.sock. Is the docker daemon running?",
        remedies.OTHER_ENGINE,
    ),
    ("Cannot connect to the Docker daemon at unix:///run/docker.sock.", remedies.NO_DAEMON),
    (
        'error during connect: Get "http://gpu9:2375/v1.41/info": dial tcp: lookup gpu9: no such host',
        remedies.OTHER_ENGINE,
    ),
    ('Current context "far" is not found on the file system, please check', remedies.OTHER_ENGINE),
    (
        "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: unable to retrieve "
        "OCI runtime error (open /var/run/docker/log.json: no such file or directory): fork/exec /nope: no such file",
        remedies.NO_RUNTIME,
    ),
    ("unknown log opt 'x' for json-file log driver", LOCAL_LOGS),
    (
        'error getting credentials - err: exec: "docker-credential-desktop": executable file not found in $PATH',
        remedies.NO_CREDENTIALS,
    ),
    ("sh: 1: docker: not found", remedies.NO_DOCKER),
    (  # Docker 29
        "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the "
        "daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory",
        remedies.NO_DAEMON,
    ),
    (
        "failed to connect to the docker API at unix:///home/u/.docker/desktop/docker.sock; check if the path is "
        "correct and if the daemon is running: dial unix: connect: no such file or directory",
        remedies.OTHER_ENGINE,
    ),
    (
        "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44",
        remedies.OTHER_API,
    ),
    (
        "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create "
        "failed: unable to start container process: error during container init: error setting rlimits for ready "
        "process: error setting rlimit type 7: operation not permitted: unknown.",
        remedies.LESS_LIMIT,
    ),
    (
        "Error: crun: cannot set limit NOFILE: Operation not permitted: OCI permission denied",
        remedies.LESS_LIMIT,
    ),
    (
        "docker: Error response from daemon: error while creating mount source path '/root/.cache/huggingface': mkdir "
        "/root/.cache: read-only file system.",
        remedies.SNAP,
    ),
    (
        'docker: Error response from daemon: invalid mount config for type "bind": bind source path does not exist: /d',
        remedies.NO_SOURCE,
    ),
    ('could not select device driver "cdi" with capabilities: [[gpu]]', remedies.NO_CDI_DRIVER),
    (
        "image with reference a/b:1 was found but does not provide the specified platform (linux/arm64)",
        remedies.OTHER_CPU,
    ),
    ("bash: docker: command not found", remedies.NO_DOCKER),
    ("pull access denied for vllm/vllm, repository does not exist", remedies.NO_IMAGE),
    ("manifest for vllm/vllm-openai:v9 not found: manifest unknown", remedies.NO_IMAGE),
    ("dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: server misbehaving", remedies.NO_IMAGE),
    ("dial tcp: lookup registry.lan: no such host", remedies.NO_IMAGE),
    ("write /var/lib/docker/tmp/x: no space left on device", remedies.NO_ROOM),
    ("Failed to start the grpc server. The specified port is 6379", remedies.PORT_TAKEN),
    ("InvalidAuthToken: Authentication token is missing or incorrect", remedies.OTHER_TOKEN),
    ("RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty: /x", remedies.CLOSED_FILE),
    ('docker: exec: "/bin/bash": stat /bin/bash: no such file or directory', remedies.NO_BASH),
    (
        "RuntimeError: Version mismatch: The cluster was started with Ray: 2.56.0",
        "let all hosts run the same",
    ),
]


@pytest.mark.parametrize(("said", "fix"), SAID)
def test_what_programs_say_has_its_remedy(said: str, fix: str) -> None:
    assert hint(said).startswith(fix)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "the moon is full",
        "mkdir /mnt/models: permission denied: docker: Error response from daemon",
        # goharbor/harbor/issues/15944: it is the host that may start no more
        "fork/exec /usr/bin/containerd-shim-runc-v2: resource temporarily unavailable: unknown",
        "runtime/cgo: pthread_create failed: Resource temporarily unavailable",  # as Docker's client does
        "bash: fork: retry: Resource temporarily unavailable",  # as its login shell does; a container's, too
    ],
)
def test_what_has_no_known_cause_has_no_remedy(said: str) -> None:
    assert hint(said) == ""


@pytest.mark.parametrize("exit_code", range(1, 256))
def test_no_remedy_is_given_on_an_exit_code_alone(exit_code: int) -> None:
    assert hint(exited(exit_code, "").text) == ""
    assert hint(f"its container ended with exit code {exit_code}") == ""


@pytest.mark.parametrize(
    ("trouble", "fix"),
    [
        (docker_problem(1, "Cannot connect to the Docker daemon"), remedies.NO_DAEMON),
        (docker_problem(124, "Docker does not answer"), remedies.HANGS),
        (docker_problem(125, "the moon is full"), there("docker info")),
    ],
)
def test_docker_in_trouble_always_has_something_to_try(trouble: Problem, fix: str) -> None:
    assert trouble.fix == fix
