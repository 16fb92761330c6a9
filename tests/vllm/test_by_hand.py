"""What raycluster brings up is a cluster on which vLLM serves, as one does it by hand."""

from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, two_hosts

from .asking import completion, wait_for_health
from .inventory import FOLDER, for_vllm

SERVE = [
    "vllm",
    "serve",
    FOLDER,
    "--served-model-name",
    "alphabet",
    "--max-model-len",
    "128",
    "--enforce-eager",
]
OVER_BOTH = ["--tensor-parallel-size", "2", "--distributed-executor-backend", "ray"]


def test_a_model_that_lies_on_two_hosts_answers(lab: Lab) -> None:
    brought_up(lab, two_hosts(lab, **for_vllm()))
    lab.hosts["gpu1"].docker("exec", "--detach", "raycluster-lab-gpu1", *SERVE, *OVER_BOTH)
    wait_for_health(lab)
    assert completion(lab, "abc", "alphabet") == "defghijk"
