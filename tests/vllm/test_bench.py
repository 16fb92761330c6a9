"""`serve bench`, with the real benchmark of vLLM."""

import json

from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, two_hosts

from .inventory import EAGER, FOLDER, for_vllm
from .test_serve import OVER_BOTH, Served

LIGHT = ("--requests", "20", "--at-once", "4", "--in", "16", "--out", "8")


def test_what_is_served_is_measured_and_compared_with_the_run_before(lab: Lab) -> None:
    served = Served(lab, brought_up(lab, two_hosts(lab, **for_vllm())))
    start = ("serve", FOLDER, "-i", served.inventory, "--", *EAGER, *OVER_BOTH)
    done = lab.raycluster(*start, timeout=600)
    assert done.returncode == 0, done.stderr
    told = served.serve("bench", *LIGHT, "-o", "json")
    assert told.returncode == 0, told.stderr
    kept = json.loads(told.stdout)
    assert (kept["figures"]["completed"], kept["figures"]["failed"]) == (20, 0)
    assert 0 < kept["figures"]["first_p50"] <= kept["figures"]["first_p99"]
    assert kept["versions"]["vllm"]
    again = served.serve("bench", *LIGHT, "--compare", "--plot", "runs.svg")
    assert again.returncode == 0, again.stderr
    assert f"before: {kept['when']}" in again.stdout
    assert (lab.folder / "runs.svg").read_text().count("<rect") == 2
