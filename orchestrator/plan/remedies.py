"""What to do about a failure, from its words. For people only: nothing is decided by it."""

import re
from dataclasses import replace

from orchestrator.model import gpu_request
from orchestrator.plan.problem import Problem, quoted
from orchestrator.plan.typed import add, change, host_command, ours, there, where


def format_duration(seconds: float) -> str:
    """A span as people say it: 42 s, 7 min, 3 h, 12 d."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"


UP = ours("up")
DMESG = ours("exec", "--on-host", "--", "sh", "-c", "dmesg | tail")
LESS = "spread it over more {device}s, or serve it with a smaller --max-model-len or a quantized model"
RUNS_ON = f" (containers that run keep their environment until {UP})"
TOKEN = f"export HF_TOKEN=… here, and {add('secrets', 'HF_TOKEN')}"
MISTYPED = "is its name right? As it is typed here, its page would be https://huggingface.co/{name}"
NO_HUB = (
    "let that host reach it: a proxy is env.HTTPS_PROXY in the inventory, a mirror env.HF_ENDPOINT"
    f"{RUNS_ON}; or download on another: --on HOST"
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TRUSTED = "/etc/ssl/trusted.crt"
OUR_CERTIFICATES = (
    "let containers trust what the hosts trust, as the certificate of a proxy (of Red Hat's hosts "
    "/etc/pki/tls/certs/ca-bundle.crt): "
    + add("docker.args", "-v", f"{CERTIFICATES}:{TRUSTED}:ro")
    # huggingface_hub reads the first from 1.0 on, and the second before; hf_xet, which brings the weights, the first
    # alone (findings/hf-certificates-by-two-variables.sh).
    + f", {change('env.SSL_CERT_FILE', TRUSTED)}, {change('env.REQUESTS_CA_BUNDLE', TRUSTED)}"
)
WITHOUT_XET = change("env.HF_HUB_DISABLE_XET", "'1'")
OLDER_WAY = (
    "large files come from Hugging Face's Xet store, by other servers than their list: let that host reach "
    "*.xethub.hf.co (a proxy's certificate is told by env.SSL_CERT_FILE alone there), "
    f"or go the older way: {WITHOUT_XET}{RUNS_ON}"
)
XET_ERROR = r"Data processing error: |CAS (service|client) error|Network error: .*/reconstructions/"
TOO_OFTEN = f"it answers more of those who have a token: {TOKEN}; or download on another: --on HOST"
LAST_WITH_RAY = "vllm/vllm-openai:v0.17.1"
INSTALL_RAY = change("ray.install", "'ray[default]==2.56.*'")
NO_RAY = (
    f"stock vLLM images lost Ray after v0.17.1. Put it in: {INSTALL_RAY}. "
    f"Or take the last one that has it: {change('image', LAST_WITH_RAY)}"
)

ON_PATH = f"put it there: {change('env.PATH', '{folder}:{path}')}"
OTHER_PYTHON = (
    "let the image's `ray` be pip's own script, whose first line names the Python: for one in /opt/venv, "
    f"{change('env.PATH', '/opt/venv/bin:…')}, with the image's own PATH at its end"
)
OLD_RAY = f"use an image with Ray 2.31 or later; or {INSTALL_RAY}"

NO_TOOLKIT = (
    "install the NVIDIA container toolkit there, then "
    + there("sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker")
    + f"; or set {where('accelerator')} to what the host has"
)
NO_GPUS_OPTION = (
    f"{NO_TOOLKIT}; where Docker knows the GPUs by CDI alone (`docker info` lists nvidia.com/gpu): "
    + change("docker.gpus", f"'{gpu_request.CDI}'")
)
NO_CDI = (
    "describe the GPUs by CDI there: "
    + there("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml")
    + f"; or set {where('docker.gpus')} or {where('docker.args')} to what it has"
)
OTHER_KIND = f"or set {where('accelerator')} to what the host has"
NO_DRIVER = f"install the NVIDIA driver there (nvidia-smi has to work), {OTHER_KIND}"
OTHER_DRIVER = f"install its driver there, {OTHER_KIND}"
NO_HABANA = (
    "install Gaudi's container runtime there, and name it in /etc/docker/daemon.json (docs.habana.ai, Docker "
    f"Installation), {OTHER_KIND}"
)
TOOLKIT_FAILS = "update the NVIDIA container toolkit there; what it cannot do, this tells: " + there(
    "sudo nvidia-container-cli -k -d /dev/tty info"
)
OLD_DRIVER = f"install a newer NVIDIA driver there; or set {where('image')} to one built for an older CUDA"
HALF_UPDATED = f"its NVIDIA driver was updated, and the old one is still loaded: {there('sudo reboot')}"
NO_SUCH_GPU = (
    f"set {where('docker.gpus')} to what it has: {host_command('nvidia-smi', '-L')} numbers them from 0 on"
)
NO_GPU_BY_CDI = (
    "install the NVIDIA container toolkit there, then "
    + there("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml")
    + f"; {OTHER_KIND}"
)
NO_CGROUPS = (
    "is `no-cgroups = true` in /etc/nvidia-container-runtime/config.toml there? That is for rootless Docker: "
    + there(
        "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups=false --in-place "
        "&& sudo systemctl restart docker"
    )
)
NO_DEVICE = (
    f"install the driver that the device is of there; or set {where('accelerator')}, or {where('docker.args')}, "
    "to what the host has"
)
NO_RIGHT = (
    f"let this user use Docker: {there('sudo usermod -aG docker $USER')}; "
    f"or, where sudo asks for no password, {change('docker.command', 'sudo -n docker')}"
)
NO_IMAGE = (
    f"check {where('image')}, and that this host reaches its registry (docker login for private ones); "
    f"or bring the image from a host that has it: {ours('image copy')}"
)
FROM_ANOTHER = f"or bring the image from a host that has it: {ours('image copy')}"
RATE_LIMIT = f"log in at that registry there: {there('docker login')}; {FROM_ANOTHER}"
UNTRUSTED_REGISTRY = (
    "let its Docker trust that registry: the certificate goes to /etc/docker/certs.d/HOST:PORT/ca.crt there; a "
    f"registry without TLS, to `insecure-registries` in /etc/docker/daemon.json; {FROM_ANOTHER}"
)
ITS_CLOCK = (
    f"is its clock right? {host_command('date')} tells; where it is, the registry's certificate has run out"
)
FULL_NAME = change("image", "docker.io/{name}")
OTHER_CPU = f"set {where('image')} to one for the host's kind of CPU: {host_command('uname', '-m')} tells it"
FEW_IDS = there(
    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER && podman system migrate"
)
NO_SHM = (
    f"give the container more shared memory: {change('docker.shm_size', '32g')}; or Ray's object store less: "
    f"--object-store-memory in {where('ray.args')}"
)

NO_MORE_TASKS = r"((?<!/cgo: p)thread|what\(\)|node info).*Resource temporarily unavailable"
"""As OpenBLAS, gRPC and Ray say it, in containers; not as Docker and shells do, which may say it of the host."""
NO_PIDS_LIMIT = add("docker.args", "--pids-limit=-1")
OLD_SECCOMP = "update its Docker: before 20.10.10 it keeps newer images from starting threads; or " + add(
    "docker.args", "--security-opt=seccomp=unconfined"
)

NO_PYTHON = "use an image that has Ray or vLLM, and so a Python"
NO_PIP = (
    "the image's Python has no pip to install Ray with. In a Dockerfile of your own, FROM that image, give it pip, "
    "`RUN python3 -m ensurepip`, or Ray, `RUN uv pip install 'ray[default]==2.56.*'`, each by the Python of its venv"
)
NO_INDEX = (
    f"check {where('ray.install')}, and that this host reaches a package index (a proxy? `proxies` in "
    "~/.docker/config.json); where only the head does: `image: {from: …, get_on: head}`"
)
NO_ROOM = f"free disk space where Docker keeps its data: {there('docker system df')} tells of it"
PORT_TAKEN = f"another program holds the port: stop it, or choose another {where('ray.port')}"
OTHER_TOKEN = f"its Ray token is another than the head's: {ours('down')}, then {ours('up')}"
CLOSED_FILE = (
    "its container may not read Ray's token: does SELinux, or something in `docker.args`, keep it from that?"
)
SUDO_ASKS = "let this user run Docker by sudo without a password: " + there(
    """echo "$USER ALL=(root) NOPASSWD: $(command -v docker)" | sudo tee /etc/sudoers.d/docker"""
)
NO_TTY = "let this user use sudo without a terminal: " + there(
    """echo "Defaults:$USER !requiretty" | sudo tee /etc/sudoers.d/docker-tty"""
)
SYSTEMS_SOCKET = "unix:///var/run/docker.sock"
OTHER_ENGINE = (
    "`docker` is told there to speak to another engine than the system's: "
    f"{host_command('docker', 'context', 'use', 'default')}; "
    "take DOCKER_HOST and DOCKER_CONTEXT out of its ~/.bashrc or /etc/environment; "
    f"or {change('docker.command', f'docker -H {SYSTEMS_SOCKET}')}"
)
NO_DAEMON = there("sudo systemctl start docker")
USERS_AS_THEY_ARE = "--userns=host"
READABLE_LOGS = "--log-driver=local"
HOSTS_RUNTIME = "--runtime=runc"
NO_RUNTIME = f"install that runtime there, or {add('docker.args', HOSTS_RUNTIME)}"
NO_BASH = (
    "the image has no bash, which its container begins with: put it in (FROM it, RUN apt-get install -y bash)"
)
NOT_PASSED_ON = f'if its entrypoint passes no command on (`exec "$@"`): {change("docker.entrypoint", "skip")}'
WRITABLE = add("docker.args", "--tmpfs=/tmp:exec", "--tmpfs=/var/tmp")
NO_CREDENTIALS = (
    "take `credsStore` and `credHelpers` out of ~/.docker/config.json there, or install that program"
)
NOT_AUTHORIZED = "let that plugin (`authorization-plugins` in /etc/docker/daemon.json there) allow it"
OTHER_API = (
    "Docker's command and its service are too far apart there: update the older one; where DOCKER_API_VERSION is set "
    "(~/.bashrc, /etc/environment), take it out"
)
LESS_LIMIT = (
    "that host's Docker may give no such limit: take `--ulimit` out of "
    + where("docker.args")
    + ", or let Docker's service have more"
)
SNAP = (
    f"is Docker there a snap? It sees little but /home: set {where('hf_home')} and what is mounted to folders there; "
    "or install Docker from docs.docker.com"
)
NO_SOURCE = f"make that folder there, or correct {where('hf_home')} or {where('docker.args')}"
NO_CDI_DRIVER = (
    'let Docker there know devices by CDI: `"features": {"cdi": true}` in /etc/docker/daemon.json, then '
    + there("sudo systemctl restart docker")
    + f"; or take {where('docker.gpus')} out"
)
HANGS = f"does Docker hang there? {there('docker ps')}; if it does, {there('sudo systemctl restart docker')}"
NO_DOCKER = f"install Docker there, or say what it is called: {where('docker.command')}"

SAME_IMAGE = "let all hosts run the same image: pull it again on all hosts, or write it with its digest"

PRUNE = f"{ours('up', '--prune')}, or {ours('down', '--prune')}, removes it"
FIREWALL = f"let the hosts reach each other at Ray's ports: {ours('check')} shows the firewall's rule"

HINTS = {
    r"(ray|vllm) is in (?P<folder>\S+), which is not on its PATH, (?P<path>\S+)": ON_PATH,
    r"ray: (command )?not found": NO_RAY,
    r"nvml error: driver not loaded|load library failed: libnvidia-ml": NO_DRIVER,
    r"driver/library version mismatch": HALF_UPDATED,
    r'could not select device driver "cdi"': NO_CDI_DRIVER,
    r"could not select device driver": NO_GPUS_OPTION,
    r"requirement error: unsatisfied condition": OLD_DRIVER,
    r"nvidia-container-cli: device error: .*unknown device": NO_SUCH_GPU,
    r"nvidia-container-cli: ": TOOLKIT_FAILS,
    r"nvidia-container-(cli|runtime)": NO_TOOLKIT,
    r"Failed to initialize NVML: Unknown Error": NO_CGROUPS,
    r"failed to discover GPU vendor from CDI": NO_GPU_BY_CDI,
    r"unresolvable CDI devices|failed to stat CDI host device": NO_CDI,
    r"adding custom device .*no such file|stat /dev/\S+: no such file": NO_DEVICE,
    r"permission denied while trying to connect to the docker|permission denied: docker\.sock": NO_RIGHT,
    r"docker\.sock: connect: permission denied": NO_RIGHT,
    r"sudo: a (password|terminal) is required|is not in the sudoers|is not allowed to execute": SUDO_ASKS,
    r"you must have a tty to run sudo": NO_TTY,
    r"host's network namespace when user namespaces are enabled": add("docker.args", USERS_AS_THEY_ARE),
    r"authorization denied by plugin|authz plugin": NOT_AUTHORIZED,
    r"logging driver|log.?opt": add("docker.args", READABLE_LOGS),
    r"error getting credentials": NO_CREDENTIALS,
    r"unknown or invalid runtime name: habana|Unknown runtime specified habana": NO_HABANA,
    r"unable to retrieve OCI runtime error|unknown runtime specified|unknown or invalid runtime": NO_RUNTIME,
    r"Cannot connect to the Docker daemon at (?!unix:///(var/)?run/docker\.sock)": OTHER_ENGINE,
    r"error during connect|context .*not found": OTHER_ENGINE,
    r"failed to connect to the docker API at (?!unix:///(var/)?run/docker\.sock)": OTHER_ENGINE,
    r"Cannot connect to the Docker daemon|docker daemon running|failed to connect to the docker API": NO_DAEMON,
    r"client version \S+ is too (new|old)": OTHER_API,
    r"error setting rlimit|cannot set limit|setrlimit": LESS_LIMIT,
    r"error while creating mount source path.*read-only file system": SNAP,
    r"bind source path does not exist|statfs \S+: no such file": NO_SOURCE,
    r"docker: (command )?not found": NO_DOCKER,
    r"container (?P<name>\S+) is paused, unpause": host_command("docker", "unpause", "{name}"),
    r"there is no python3 on its PATH": NO_PYTHON,
    r"python3: (command )?not found|No module named pip": NO_PIP,
    r"No matching distribution found|Could not find a version": NO_INDEX,
    r"toomanyrequests|pull rate limit": RATE_LIMIT,
    r"x509: certificate has expired or is not yet valid": ITS_CLOCK,
    r"x509: |tls: first record does not|server gave HTTP response to HTTPS client": UNTRUSTED_REGISTRY,
    r'short-name "(?P<name>[^"]+)" did not resolve': FULL_NAME,
    r"exec format error|no matching manifest for|does not (match|provide) the specified platform": OTHER_CPU,
    r"insufficient UIDs or GIDs": FEW_IDS,
    r"object store size .*exceeds /dev/shm": NO_SHM,
    r"pthread_create failed.*Operation not permitted": OLD_SECCOMP,
    NO_MORE_TASKS: NO_PIDS_LIMIT,
    r"access to the resource is denied|unauthorized: |fetch anonymous token": NO_IMAGE,
    r"TLS handshake timeout|Client\.Timeout exceeded": NO_IMAGE,
    r"pull access denied|manifest unknown|lookup .* (no such host|on )|dial tcp": NO_IMAGE,
    r"no space left on device": NO_ROOM,
    r"Failed to start the grpc server|Address already in use": PORT_TAKEN,
    r"Version mismatch|Could not read 'temp_dir' from GCS": "let all hosts run the same image and Ray",
    r"the head cannot reach it": FIREWALL,
    r"RAY_AUTH_TOKEN_PATH is set but file cannot be opened": CLOSED_FILE,
    r"InvalidAuthToken": OTHER_TOKEN,
    r"is served at this moment": ours("serve stop"),
    r"the image has no huggingface_hub to download (?P<name>\S+):": (
        f"take one that has it, as vLLM's own have: {where('image')}; or download it on this machine, and "
        f"{ours('model copy', '--from', 'laptop', '{name}')} brings it to all"
    ),
    r"the hub has no such revision: (?P<name>\S+)": (
        "its branches and tags are at https://huggingface.co/{name}/tree/main; without --revision it is main"
    ),
    r"the hub has no model (?P<name>\S+), .* no token was given": f"{MISTYPED}; if it is private: {TOKEN}",
    r"the hub has no model (?P<name>\S+), ": f"{MISTYPED}; if it is private, ask for access, or take another HF_TOKEN",
    r"gated, and no token was given": TOKEN,
    r"this token has no access to it": "ask for access on its page, or take another HF_TOKEN",
    r"the hub does not know this token": "check HF_TOKEN; with a wrong one not even public models come",
    rf"nothing has come for \d+ s|{XET_ERROR}": OLDER_WAY,
    r"the hub cannot be reached: .*CERTIFICATE_VERIFY_FAILED": OUR_CERTIFICATES + RUNS_ON,
    r"the hub cannot be reached: .*Too Many Requests": TOO_OFTEN,
    r"the hub cannot be reached": NO_HUB,
    r"are to come, and \S+ has": f"free disk space there ({ours('model ls')} tells of it), or set {where('hf_home')}",
    r'exec: "/bin/bash": .*no such file': NO_BASH,
    r"raycluster\.environment\S*: (Read-only file system|Permission denied)": WRITABLE,
}

TIMED_OUT = 124
"""The exit code of coreutils' `timeout`."""


def not_whole(image: str) -> str:
    """What to do about an image that a host can run but not give on.

    Docker's containerd store fetches no layer of which it has the contents from another image. To remove this one and
    pull it again is of no use: it takes the other with it. Tried with 26.1.5 and 28.5.2.
    """
    return (
        "say who has all of it: --from HOST; or remove it there with every image that shares its layers "
        f"(docker image ls), then {there(f'docker pull {image}')}"
    )


def hint(text: str) -> str:
    """The remedy for a failure, from the words of whoever reports it; empty where none is known."""
    known = ((fix, re.search(pattern, text, re.IGNORECASE)) for pattern, fix in HINTS.items())
    return next(
        (fix.format(**found.groupdict()) if found.groupdict() else fix for fix, found in known if found), ""
    )


def docker_problem(exit_code: int, words: str) -> Problem:
    """What is wrong with a Docker that did not answer, and what to do."""
    known = HANGS if exit_code == TIMED_OUT else hint(words)
    return replace(quoted("", words, known or there("docker info")), exit_code=exit_code)
