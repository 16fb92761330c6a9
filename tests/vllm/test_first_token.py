"""From the command to the first token: `raycluster serve` beside `vllm serve` by hand in the same container."""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import brought_up, two_hosts

from .asking import PORT
from .by_hand import serve
from .inventory import ARGS, EAGER, FOLDER, for_vllm
from .test_serve import OVER_BOTH

PLACES = ("gpu1", "gpu2")
ROUNDS = 3
COMPILED = ("/root/.cache/vllm", "/tmp/torchinductor_root")
FIRST_TOKEN = """\
import sys, time, urllib.request
url, body = sys.argv[1:]
until = time.monotonic() + 300
while time.monotonic() < until:
    try:
        request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
        sys.exit(urllib.request.urlopen(request, timeout=60).status != 200)
    except OSError:
        time.sleep(0.1)
sys.exit("no answer")
"""


def seconds(act: Callable[[], None]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def first_token(lab: Lab, host: str = "gpu1") -> None:
    """Until the model there has answered, as one who tries again and again sees it."""
    url = f"http://{lab.hosts[host].address}:{PORT}/v1/completions"
    body = json.dumps({"model": "alphabet", "prompt": "Hello", "max_tokens": 1})
    asked = lab.laptop([sys.executable, "-c", FIRST_TOKEN, url, body], timeout=600)
    assert asked.returncode == 0, asked.stderr


def one_by_hand(lab: Lab) -> None:
    serve(lab, *ARGS, *OVER_BOTH, "--distributed-executor-backend", "ray")
    first_token(lab)


def two_by_hand(lab: Lab) -> None:
    for host in PLACES:
        serve(lab, *EAGER, host=host)
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(first_token, lab), PLACES))


def end(lab: Lab) -> None:
    """Ends whatever serves, waits until it is gone, and leaves nothing compiled, as in a new container."""
    for host in lab.hosts.values():
        host.run("pkill", "--full", "bin/vllm serve", check=False)
    hosts = lab.hosts.values()
    wait_until("vLLM has ended", lambda: not any(host.runs("vllm serv[e]|VLLM::") for host in hosts), 60)
    for name in PLACES:
        lab.hosts[name].docker("exec", f"raycluster-lab-{name}", "rm", "-rf", *COMPILED)


def compared(lab: Lab, inventory: Path, by_hand: Callable[[Lab], None], *words: str) -> tuple[float, float]:
    """The best of some rounds by turns, in seconds: by hand, and with `raycluster serve WORDS`."""

    def ours() -> None:
        done = lab.raycluster("serve", "-i", inventory, *words, timeout=600)
        assert done.returncode == 0, done.stderr

    by_hand(lab)  # once before, so that the disk's cache is the same for all
    end(lab)
    took: dict[str, list[float]] = {"by hand": [], "raycluster serve": []}
    for _ in range(ROUNDS):
        took["by hand"].append(seconds(lambda: by_hand(lab)))
        end(lab)
        took["raycluster serve"].append(seconds(ours))
        assert lab.raycluster("serve", "stop", "--all", "-i", inventory).returncode == 0
        end(lab)
    sys.stderr.write(f"{ ({name: [round(each, 1) for each in times] for name, times in took.items()}) }\n")
    return min(took["by hand"]), min(took["raycluster serve"])


def test_a_model_that_is_served_answers_as_soon_as_one_that_is_started_by_hand(lab: Lab) -> None:
    """With vLLM's own defaults: it compiles the model."""
    inventory = brought_up(lab, two_hosts(lab, **for_vllm(compiled=True)))
    hand, ours = compared(lab, inventory, one_by_hand, FOLDER, "--", *ARGS, *OVER_BOTH)
    assert ours / hand <= 1.05


def test_two_models_of_a_list_answer_as_soon_as_two_that_are_started_by_hand(lab: Lab) -> None:
    models = [{"model": FOLDER, "name": host, "hosts": host, "gpus": 1, "args": [*EAGER]} for host in PLACES]
    inventory = brought_up(lab, two_hosts(lab, engine="mp", serve=models, **for_vllm()))
    hand, ours = compared(lab, inventory, two_by_hand)
    assert ours / hand <= 1.10
