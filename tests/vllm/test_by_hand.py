"""What raycluster brings up is a cluster on which vLLM serves, as one does it by hand."""

from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, two_hosts

from .asking import completion
from .by_hand import serve, wait_for_health
from .inventory import EAGER, for_vllm

OVER_BOTH = ("--tensor-parallel-size", "2", "--distributed-executor-backend", "ray")


def test_a_model_cut_in_two_for_two_hosts_answers(lab: Lab) -> None:
    brought_up(lab, two_hosts(lab, **for_vllm()))
    serve(lab, *EAGER, *OVER_BOTH)
    wait_for_health(lab)
    assert completion(lab, "abc", "alphabet") == "defghijk"
