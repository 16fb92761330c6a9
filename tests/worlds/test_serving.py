"""Two models on one cluster, by both engines: whatever becomes of one, the other is never silent.

The server only stands in for vLLM. `Asker` asks the other all the while, ten times a second.
"""

import json
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import brought_up, failed, finished, health, heard, two_hosts
from tests.lab.terminal import terminal
from tests.payload.serving.place import VLLM

PLACE = "/root/vllm"
SERVING = {"docker": {"args": ["-v", f"{PLACE}:/usr/local/bin/vllm:ro"]}}
BY_BOTH = pytest.mark.parametrize("engine", ["ray", "mp"])
ASK = """
import sys, threading, time, urllib.request
ended, asked, silent = threading.Event(), 0, []
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.wait(0.1):
    try:
        urllib.request.urlopen(sys.argv[1] + "/v1/models", timeout=5).read()
        asked += 1
    except OSError as problem:
        silent.append(f"{time.time():.1f}: {problem}")
print(asked, *silent, sep="\\n")
"""


class Asker:
    """Asks a server all the while; at its end, none of the questions may have been in vain."""

    def __init__(self, lab: Lab, url: str) -> None:
        self._program = lab.laptop_popen([sys.executable, "-c", ASK, url])

    def never_silent(self) -> None:
        told, _ = self._program.communicate("", timeout=30)
        asked, *silent = told.splitlines()
        assert not silent
        assert int(asked) > 10


Serve = Callable[..., str]


@pytest.fixture
def cluster(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Path]:
    for host in lab.hosts.values():
        host.run("sh", "-c", 'cat >"$0" && chmod +x "$0"', PLACE, stdin=VLLM.read_text())
    inventory = two_hosts(lab, engine=request.getfixturevalue("engine"), **SERVING)
    yield brought_up(lab, inventory)
    lab.end_commands()


@pytest.fixture
def serve(lab: Lab, cluster: Path) -> Serve:
    """Serves a model; where it answers."""

    def serving(*words: str) -> str:
        done = lab.raycluster("serve", "-y", "-i", cluster, *words)
        assert done.returncode == 0, done.stderr
        return str(done.stdout.partition(" answers at ")[2].partition("/v1 ")[0])

    return serving


def model(lab: Lab, inventory: Path, name: str) -> dict[str, Any]:
    told: dict[str, Any] = next(each for each in health(lab, inventory)["models"] if each["name"] == name)
    return told


def answers(lab: Lab, inventory: Path, name: str, lives: int) -> None:
    """Waits until it does, in that life."""

    def holds() -> bool:
        now = model(lab, inventory, name)
        return bool(now["answers"] and now["lives"] >= lives)

    wait_until(f"{name} answers", holds, 120)


def container(host: str) -> str:
    return f"raycluster-lab-{host}"


def kill(lab: Lab, host: str, name: str) -> None:
    """The server's process, as whatever ends it would."""
    mine = f"grep -qz '^RAYCLUSTER_SERVES=.*/{name}$' $p/environ"
    found = f"for p in /proc/[0-9]*; do {mine} && kill -9 ${{p#/proc/}}; done"
    lab.hosts[host].docker("exec", container(host), "sh", "-c", f"{found} 2>/dev/null; true")


@BY_BOTH
def test_one_that_is_killed_stopped_rebooted_and_served_again_never_silences_the_other(
    lab: Lab, engine: str, cluster: Path, serve: Serve
) -> None:
    del engine
    other, one = serve("alphabet", "-l", "gpu1"), serve("numbers", "-l", "gpu2")
    assert (other, one) == ("http://192.0.2.11:8000", "http://192.0.2.12:8001")
    asker = Asker(lab, other)
    kill(lab, "gpu2", "numbers")
    answers(lab, cluster, "numbers", 2)
    lab.hosts["gpu2"].docker("restart", "--time", "1", container("gpu2"))
    answers(lab, cluster, "numbers", 3)
    lab.hosts["gpu2"].reboot()
    answers(lab, cluster, "numbers", 4)
    stop = lab.raycluster("serve", "stop", "numbers", "-i", cluster)
    assert (stop.returncode, stop.stdout) == (0, "numbers is no longer served; alphabet still is\n")
    log = lab.raycluster("serve", "logs", "numbers", "-i", cluster).stdout
    assert [f"raycluster: vLLM start no. {life}" in log for life in (1, 2, 3, 4)] == [True] * 4
    assert serve("numbers") == one
    assert model(lab, cluster, "alphabet")["lives"] == 1
    asker.never_silent()


@BY_BOTH
def test_on_one_host_two_servers_end_and_begin_by_themselves(
    lab: Lab, engine: str, cluster: Path, serve: Serve
) -> None:
    del engine
    asker = Asker(lab, serve("alphabet", "-l", "gpu1", "--gpus", "4"))
    one = serve("numbers", "-l", "gpu1", "--gpus", "4", "--name", "one")
    assert one == "http://192.0.2.11:8001"
    full = lab.raycluster("serve", "-y", "-i", cluster, "letters", "-l", "gpu1")
    failed(full, "gpu1  no GPU is free on gpu1: alphabet has 4 on gpu1, one has 4 on gpu1", "-l gpu2")
    failed(
        lab.raycluster("serve", "-y", "-i", cluster, "letters", "--port", "8000"), "port 8000 is alphabet's"
    )
    kill(lab, "gpu1", "one")
    answers(lab, cluster, "one", 2)
    gated = lab.raycluster("serve", "-y", "-i", cluster, "gated", "-l", "gpu2")
    failed(gated, "gpu2  wait until it answers: the model is gated")
    assert "gated repo" in lab.raycluster("serve", "logs", "gated", "-i", cluster).stdout
    assert lab.raycluster("serve", "stop", "one", "-i", cluster).returncode == 0
    asker.never_silent()
    lab.hosts["gpu1"].docker("restart", "--time", "1", container("gpu1"))
    answers(lab, cluster, "alphabet", 2)
    assert [each["name"] for each in health(lab, cluster)["models"]] == ["alphabet"]


@pytest.mark.parametrize("engine", ["mp"])
def test_two_models_of_several_ranks_each_have_ports_and_ranks_of_their_own(
    lab: Lab, engine: str, cluster: Path, serve: Serve
) -> None:
    del engine
    asker = Asker(lab, serve("alphabet", "--gpus", "10"))
    serve("numbers", "--gpus", "6")
    told = {each["name"]: (each["ranks"], each["gpus"]) for each in health(lab, cluster)["models"]}
    assert told == {"alphabet": (2, 10), "numbers": (2, 6)}
    kill(lab, "gpu2", "numbers")
    answers(lab, cluster, "numbers", 2)
    assert model(lab, cluster, "alphabet")["lives"] == 1
    asker.never_silent()
    lab.hosts["gpu2"].docker("rm", "--force", container("gpu2"))
    brought_up(lab, cluster)
    answers(lab, cluster, "alphabet", 2)
    answers(lab, cluster, "numbers", 3)


@BY_BOTH
def test_what_ends_models_names_them_before_it_does(
    lab: Lab, engine: str, cluster: Path, serve: Serve
) -> None:
    del engine
    serve("alphabet", "-l", "gpu1")
    serve("numbers", "-l", "gpu2", "--name", "small")
    both = "Whatever runs {} them ends: the models alphabet and small (numbers), which answer on :8000 and :8001."
    other = cluster.with_name("other.yaml")
    other.write_text(cluster.read_text().replace("shm_size: 1g", "shm_size: 2g"))
    with terminal(lab, 80, 50) as shell:
        assert "nothing to do" in shell.run(f"raycluster up {cluster.name}")
        for command, where in (
            (f"down {cluster.name}", "in"),
            (f"restart -i {cluster.name}", "on"),
            ("up other.yaml", "in"),
        ):
            shell.clear()
            shell.type(f"raycluster {command}")
            asked = shell.wait_for("[y/N]")
            shell.type("n")
            shell.wait_for_prompt()
            assert "nothing was done" in shell.seen
            assert both.format(where) in " ".join(asked.split())
            assert all(len(line) <= 80 for line in asked.splitlines())
    restart = lab.raycluster("restart", "-i", cluster, "-l", "gpu2")
    assert restart.returncode == 0, restart.stderr
    line = f"raycluster serve -i {cluster} numbers --name small -l gpu2"
    assert f"ends with its old container → once the cluster is up: `{line}`" in restart.stderr
    assert lab.raycluster(*line.split()[1:], "-y").returncode == 0
    down = lab.raycluster("down", "-i", cluster, "-o", "jsonl").stdout.splitlines()
    (planned,) = (told for told in map(json.loads, down) if told["event"] == "plan")
    assert [(each["host"], each["what"]) for each in planned["warnings"]] == [
        ("gpu1", "alphabet, which answers on :8000, ends with its container"),
        ("gpu2", "small (numbers), which answers on :8001, ends with its container"),
    ]


@BY_BOTH
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpus", "3", "--", "-dp", "2"), "data parallel 2 uses 2 of the 3 GPUs that --gpus asks for"),
        (("--", "--max-model"), "--max-model-len: vLLM wants a value"),
        (("--", "--headless"), "--headless: vLLM would have no server to ask"),
        (("--", "-tp", "8", "-pp", "4"), "needs 32 GPUs, and "),
    ],
)
def test_what_is_refused_is_served_by_the_line_that_is_told(
    lab: Lab, engine: str, cluster: Path, words: tuple[str, ...], said: str
) -> None:
    del engine
    refused = lab.raycluster("serve", "-y", "-i", cluster, "alphabet", *words)
    failed(refused, said, "Nothing was started.")
    line = re.search(r"→ `?raycluster ([^`\n]+)", refused.stderr)
    assert line
    told = shlex.split(line[1])
    at = told.index("--") if "--" in told else len(told)
    served = lab.raycluster(*told[:at], "-y", *told[at:])
    assert served.returncode == 0, served.stderr
    lab.raycluster("serve", "stop", "-i", cluster, "--all")


MODELS = [
    {"model": "org/alphabet", "gpus": 8},
    {"model": "org/gated", "gpus": 4},
    {"model": "org/numbers", "name": "small", "gpus": 4, "port": 9000},
]


def listed(lab: Lab, engine: str, *models: dict[str, Any]) -> Path:
    """An inventory with these models, in whose names there may be an organisation."""
    stand_in = (
        VLLM.read_text()
        .replace("_, _, MODEL, *WORDS", "_, _, NAME, *WORDS")
        .replace("GIVEN = ", 'MODEL = NAME.rpartition("/")[2]\nGIVEN = ', 1)
    )
    for host in lab.hosts.values():
        host.run("sh", "-c", 'cat >"$0"', PLACE, stdin=stand_in)
    other_hub = {"VLLM_USE_MODELSCOPE": "true"}  # else a model that nobody could have would be refused
    return two_hosts(lab, engine=engine, serve=list(models), env=other_hub, **SERVING)


@pytest.mark.parametrize("engine", ["mp"])
def test_up_brings_all_models_of_the_inventory_and_says_which_failed(
    lab: Lab, engine: str, cluster: Path
) -> None:
    inventory = listed(lab, engine, *MODELS)
    del cluster
    up = lab.raycluster("up", "--serve", inventory)
    assert up.returncode == 1
    assert up.stderr.endswith("✗ of 3 models 1 failed: gated; 2 have answered: alphabet, small\n")
    told = {each["name"]: (each["url"], each["gpus"]) for each in health(lab, inventory)["models"]}
    assert told == {
        "alphabet": ("http://192.0.2.11:8000", 8),
        "small": ("http://192.0.2.12:9000", 4),
    }
    status = json.loads(lab.raycluster("serve", "status", "-i", inventory, "-o", "json").stdout)
    assert [each["name"] for each in status["models"]] == ["alphabet", "small"]


@BY_BOTH
def test_one_that_never_gets_ready_hides_none_and_others_are_served_from_another_terminal_meanwhile(
    lab: Lab, engine: str, cluster: Path
) -> None:
    inventory = listed(lab, engine, {"model": "org/loads", "gpus": 8}, *MODELS[1:])
    del cluster
    first = lab.raycluster_popen("serve", "-i", inventory)
    assert first.stdout
    assert "small (org/numbers) answers at http://192.0.2.1" in first.stdout.readline()
    free = "cluster lab is not locked\n"
    wait_until("the lock is free", lambda: lab.raycluster("lock", "status", inventory).stdout == free, 30)
    second = lab.raycluster("serve", "-y", "-i", inventory, "org/letters")
    assert second.returncode == 0, second.stderr
    assert "org/letters answers at " in second.stdout
    assert "the weights: 25%" in lab.raycluster("serve", "status", "loads", "-i", inventory).stdout
    first.send_signal(signal.SIGINT)
    _, stderr = first.communicate(timeout=60)
    assert first.returncode == 130, stderr
    assert "wait until it answers: the model is gated" in stderr
    assert stderr.endswith("✗ of 3 models 1 failed: gated; 1 was interrupted: loads; 1 has answered: small\n")
    told = {each["name"]: each["answers"] for each in health(lab, inventory)["models"]}
    assert told == {"letters": True, "small": True}
    stop = lab.raycluster("serve", "stop", "--all", "-i", inventory)
    assert stop.returncode == 0, stop.stderr
    at_once = [lab.raycluster_popen("serve", "-y", "-i", inventory, *words) for words in TWO]
    for each in at_once:
        _, stderr = each.communicate(timeout=120)
        assert each.returncode == 0, stderr
    assert [each["name"] for each in health(lab, inventory)["models"]] == ["letters", "words"]


@BY_BOTH
def test_what_becomes_of_a_model_that_loads_is_told_to_whoever_waits_for_it(
    lab: Lab, engine: str, cluster: Path
) -> None:
    inventory = two_hosts(lab, engine=engine, ssh={"connect_timeout": 3}, **SERVING)
    assert cluster == inventory
    serve = partial(lab.raycluster_popen, "serve", "-y", "-i", inventory, "loads")
    for words, said in (
        (("serve", "stop", "-i"), "another run has stopped it"),
        (("down",), "Nothing of it is left: its container"),
    ):
        heard(running := serve(), "gpu1: start vLLM: ok")
        ended = lab.raycluster(*words, inventory)
        assert ended.returncode == 0, ended.stderr
        failed(finished(running), said)
        assert health(lab, inventory)["models"] == []
    brought_up(lab, inventory)
    heard(running := serve(), "gpu1: start vLLM: ok")
    lab.hosts["gpu1"].cut()
    failed(finished(running), "whether loads is served is not known: gpu1: ", "It may still run there")
    lab.hosts["gpu1"].mend()


TWO = (("org/letters", "--gpus", "8"), ("org/words", "--gpus", "8"))
