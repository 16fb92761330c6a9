"""vLLM as one starts it by hand on a host: a command in the container, its words in a file there."""

from tests.lab.lab import Lab
from tests.lab.processes import LabError, wait_until

from .asking import ask
from .inventory import FOLDER

LOG = "/tmp/vllm.log"
RECORDED = f'"$@" >{LOG} 2>&1; echo "exit code $?" >>{LOG}'


def serve(lab: Lab, *words: str, host: str = "gpu1") -> None:
    container = f"raycluster-lab-{host}"
    lab.hosts[host].docker(
        "exec", "--detach", container, "sh", "-c", RECORDED, "sh", "vllm", "serve", FOLDER, *words
    )


def log(lab: Lab, host: str = "gpu1") -> str:
    return lab.hosts[host].docker("exec", f"raycluster-lab-{host}", "cat", LOG, check=False)


def ended(lab: Lab, host: str = "gpu1") -> bool:
    return log(lab, host).rpartition("\n")[2].startswith("exit code ")


def wait_for_health(lab: Lab, seconds: float = 300) -> None:
    """Waits until the server says it is well; raises LabError with its last words when it ends before that."""
    wait_until("/health answers", lambda: ask(lab, "/health")[0] == 200 or ended(lab), seconds)
    if ended(lab):
        raise LabError("vLLM ended:\n" + "\n".join(log(lab).splitlines()[-40:]))
