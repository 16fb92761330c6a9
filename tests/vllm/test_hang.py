"""One engine of two hangs while the other answers: it is told by its number, and both are started again."""

import pytest

from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import brought_up, two_hosts

from .asking import completion
from .inventory import EAGER, FOLDER, for_vllm
from .load import under_load
from .test_serve import BACK_SECONDS, Served

ENGINES = {"ray": "EngineCoreActo[r]", "mp": "VLLM::EngineCor[e]"}
"""What the process of the second one is called on its host."""
TOLD_SECONDS = 150  # after which it is told at the latest, at a load that leaves the hosts' looks little time


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_hangs_is_told_and_all_is_started_again(lab: Lab, engine: str) -> None:
    lab.restore()
    served = Served(lab, brought_up(lab, two_hosts(lab, engine=engine, **for_vllm())))
    start = ("serve", FOLDER, "-i", served.inventory, "--", *EAGER, "-dp", "2", "-tp", "1")
    done = lab.raycluster(*start, timeout=600)
    assert done.returncode == 0, done.stderr
    before = served.model()["lives"]
    with under_load(lab, at_once=8):
        lab.hosts["gpu2"].run("pkill", "--signal", "STOP", "--full", ENGINES[engine])
        wait_until("it is told", lambda: "its engine 1 has answered nothing" in told(served), TOLD_SECONDS)
    wait_until("it answers again", lambda: is_back(served, before), BACK_SECONDS)
    assert all(completion(lab, "abc", "alphabet") == "defghijk" for _ in range(4))
    assert "engine 1 of vLLM had answered nothing for 3 min" in served.serve("logs").stdout
    assert (
        not lab.hosts["gpu2"].run("pgrep", "--full", "--runstates", "T", ENGINES[engine], check=False).stdout
    )
    assert served.serve("stop").returncode == 0


def told(served: Served) -> str:
    said = served.serve("status")
    return said.stdout + said.stderr


def is_back(served: Served, lives: int) -> bool:
    model = served.model()
    return bool(model) and bool(model["answers"]) and model["lives"] > lives
