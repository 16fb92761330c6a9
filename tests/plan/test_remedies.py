"""The remedy for a failure, from the words that programs really say."""

import pytest

from orchestrator.plan import remedies
from orchestrator.plan.problem import Problem, exited
from orchestrator.plan.remedies import docker_problem, hint
from orchestrator.plan.typed import add, there

UNMAPPED = add("docker.args", "--userns=host")
LOCAL_LOGS = add("docker.args", "--log-driver=local")

SAID = [
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
