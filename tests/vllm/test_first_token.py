"""From the command to the first token: `raycluster serve` beside `vllm serve` by hand in the same container."""

import json
import sys
import time
from collections.abc import Callable

from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import brought_up, two_hosts

from .asking import PORT
from .by_hand import serve
from .inventory import FOLDER, for_vllm
from .test_serve import ARGS, OVER_BOTH, Served

ROUNDS = 2
SHARE, SECONDS = 0.05, 2.5
"""What it may take more: of a load that takes long, a share; of this small one, a look at the hosts, which is 1.4 s."""
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


def by_hand(lab: Lab) -> None:
    """Until it has answered, as one who tries again and again sees it."""
    serve(lab, *OVER_BOTH, "--distributed-executor-backend", "ray")
    url = f"http://{lab.hosts['gpu1'].address}:{PORT}/v1/completions"
    body = json.dumps({"model": "alphabet", "prompt": "Hello", "max_tokens": 1})
    asked = lab.laptop([sys.executable, "-c", FIRST_TOKEN, url, body], timeout=600)
    assert asked.returncode == 0, asked.stderr


def end(lab: Lab) -> None:
    """Ends whatever serves, and waits until its port and its actors are gone."""
    for host in lab.hosts.values():
        host.run("pkill", "--full", "bin/vllm serve", check=False)
    hosts = lab.hosts.values()
    wait_until("vLLM has ended", lambda: not any(host.runs("vllm serv[e]|VLLM::") for host in hosts), 60)


def test_a_model_that_is_served_answers_as_soon_as_one_that_is_started_by_hand(lab: Lab) -> None:
    served = Served(lab, brought_up(lab, two_hosts(lab, **for_vllm())))
    took: dict[str, list[float]] = {"by hand": [], "raycluster serve": []}
    by_hand(lab)  # once before, so that the disk's cache is the same for all
    end(lab)
    for _ in range(ROUNDS):
        took["by hand"].append(seconds(lambda: by_hand(lab)))
        end(lab)

        def ours() -> None:
            words = ("serve", FOLDER, "-i", served.inventory, "--", *ARGS, *OVER_BOTH)
            done = lab.raycluster(*words, timeout=600)
            assert done.returncode == 0, done.stderr

        took["raycluster serve"].append(seconds(ours))
        assert served.serve("stop").returncode == 0
        end(lab)
    sys.stderr.write(f"{ ({name: [round(each, 1) for each in times] for name, times in took.items()}) }\n")
    hand, served_in = min(took["by hand"]), min(took["raycluster serve"])
    assert served_in - hand < max(SHARE * hand, SECONDS), took
