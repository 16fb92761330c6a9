"""`raycluster serve` on real hosts, with a server that only stands in for vLLM: begun, lost, back again, gone."""

import json
import re
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.payload.serving.place import VLLM

from .lab import Lab
from .processes import wait_until
from .seeing import URL, Answer, failed, is_served, listening, two_hosts

CONTAINER = "raycluster-lab-gpu1"
LOG = "/var/tmp/raycluster/served/alphabet/vllm.log"
OURS = "/usr/local/bin/vllm serv[e]|supervisor.p[y]"


@pytest.fixture
def served(cluster: Lab) -> Iterator[Lab]:
    """The standing cluster, each host with a `vllm`, and nothing served."""
    taken = ("sh", "-c", 'cat >"$0" && chmod +x "$0"', "/usr/local/bin/vllm")
    for name in ("gpu1", "gpu2"):
        into = ("exec", "--interactive", f"raycluster-lab-{name}", *taken)
        cluster.hosts[name].run("docker", *into, stdin=VLLM.read_text())
    yield cluster
    cluster.raycluster("serve", "stop", "--all", "-i", two_hosts(cluster))


def inside(lab: Lab, *words: str) -> str:
    return lab.hosts["gpu1"].docker("exec", CONTAINER, *words, check=False)


def serve(lab: Lab, *words: str) -> Answer:
    return lab.raycluster("serve", "-y", "-i", two_hosts(lab), *words)


def status(lab: Lab) -> Answer:
    return lab.raycluster("serve", "status", "-i", two_hosts(lab))


def curl(lab: Lab, path: str) -> str:
    """What the laptop gets from the server."""
    get = f"import urllib.request as u; print(u.urlopen('{URL}{path}', timeout=5).read().decode())"
    return lab.laptop([sys.executable, "-c", get]).stdout


def pid(lab: Lab) -> str:
    """The server's process, as its container counts."""
    log = inside(lab, "cat", LOG)
    return str(re.findall(r"^pid (\d+)$", log, re.MULTILINE)[-1])


def test_a_model_is_served_asked_from_the_laptop_and_ended_without_a_trace(served: Lab) -> None:
    done = serve(served, "alphabet", "--", "--x", "it's $HOME & `id`")
    assert done.returncode == 0, done.stderr
    assert f"alphabet answers at {URL}/v1 (" in done.stdout
    assert "tensor parallel 8, pipeline parallel 2, for 8 GPUs on each of 2 hosts" in done.stderr
    assert json.loads(curl(served, "/v1/models"))["data"][0]["id"] == "alphabet"
    words = json.loads(inside(served, "grep", "^words ", LOG).removeprefix("words "))
    assert words[-2:] == ["--x", "it's $HOME & `id`"]

    shown = done.stdout.partition("Ask it:\n")[2].partition("\nFrom")[0]
    answer = served.laptop(["bash", "-c", shown])
    assert (answer.returncode, json.loads(answer.stdout)["model"]) == (0, "alphabet")
    again = serve(served, "alphabet", "--", "--x", "it's $HOME & `id`")
    assert (again.returncode, again.stderr) == (0, "")
    assert "already, nothing to do" in again.stdout

    stop = served.raycluster("serve", "stop", "-i", two_hosts(served))
    assert (stop.returncode, stop.stdout) == (0, "cluster lab serves nothing any more\n")
    assert not served.hosts["gpu1"].runs(OURS)
    assert status(served).returncode == 3


def test_a_server_that_is_killed_is_told_within_seconds_and_comes_back_by_itself(served: Lab) -> None:
    assert serve(served, "alphabet").returncode == 0
    inside(served, "mv", "/usr/local/bin/vllm", "/usr/local/bin/away")  # so that there is time to look
    inside(served, "kill", "-9", pid(served))
    told = re.compile(r"does not answer: vLLM ended with exit code \d+ and will be started again")
    wait_until("it is told", lambda: bool(told.search(status(served).stdout)), 10)
    lost = served.raycluster("status", two_hosts(served))
    inside(served, "mv", "/usr/local/bin/away", "/usr/local/bin/vllm")
    assert (lost.returncode, lost.stdout.partition(":")[0]) == (3, "cluster lab is degraded")
    assert "model alphabet does not answer: " in lost.stdout
    wait_until("it is back", lambda: is_served(served) and status(served).returncode == 0, 30)
    assert re.search(r"alphabet answers at .* started \d times", status(served).stdout)


def test_a_paused_container_is_told_with_the_line_that_lets_it_go_on(served: Lab) -> None:
    assert serve(served, "alphabet").returncode == 0
    served.hosts["gpu1"].docker("pause", CONTAINER)
    inventory, unpause = two_hosts(served), ("--on-host", "--", "docker", "unpause", CONTAINER)
    line = f"→ raycluster exec -i {inventory} -l gpu1 {' '.join(unpause)}"
    try:
        for command in ("serve", "stop", "-i"), ("up",):
            failed(served.raycluster(*command, inventory), "gpu1  its container is paused", line)
        sick = served.raycluster("status", inventory)
        assert (sick.returncode, "gpu1: its container is paused" in sick.stdout) == (3, True)
    finally:
        done = served.raycluster("exec", "-i", inventory, "-l", "gpu1", *unpause)
    assert done.returncode == 0, done.stderr
    wait_until("it answers again", lambda: status(served).returncode == 0, 30)


def test_a_model_that_cannot_be_served_is_told_with_its_cause_and_leaves_nothing(served: Lab) -> None:
    gated = serve(served, "gated")
    failed(gated, "gpu1  wait until it answers: the model is gated", "→ accept its conditions")
    assert "| OSError: You are trying to access a gated repo." in gated.stderr
    assert not served.hosts["gpu1"].runs(OURS)
    logs = served.raycluster("serve", "logs", "-i", two_hosts(served))
    assert "See root cause above" in logs.stdout


def test_what_nobody_could_ask_is_refused_before_anything_starts(served: Lab) -> None:
    for words, said, fix in (
        (["--headless"], "--headless: vLLM would have no server to ask", "→ raycluster serve -i "),
        (["-h"], "--help: vLLM would print its options, and end", "-- vllm serve --help"),
        (["-tp", "8", "-pp", "4"], "needs 32 GPUs, and Ray lists 16", "→ raycluster serve -i "),
    ):
        failed(serve(served, "alphabet", "--", *words), said, fix, "Nothing was started.")
    assert not served.hosts["gpu1"].runs(OURS)


def test_a_file_of_arguments_in_the_container_is_read_and_one_that_is_not_there_is_told(served: Lab) -> None:
    missing = serve(served, "alphabet", "--", "--config", "/etc/serve.yaml")
    failed(
        missing,
        "--config /etc/serve.yaml: the head's container cannot read it: No such file",
        "docker: {args:",
    )
    assert not served.hosts["gpu1"].runs(OURS)
    text = "port: 8000\nserved-model-name: [fromfile]\ntensor-parallel-size: 4\n"
    inside(served, "sh", "-c", 'printf %s "$0" >/etc/serve.yaml', text)
    done = serve(served, "alphabet", "--", "--config", "/etc/serve.yaml")
    assert done.returncode == 0, done.stderr
    assert "pipeline parallel 4, for 8 GPUs on each of 2 hosts" in done.stderr
    assert json.loads(curl(served, "/v1/models"))["data"][0]["id"] == "fromfile"


def test_a_second_model_has_what_the_first_leaves_and_neither_ends_with_the_other(served: Lab) -> None:
    assert serve(served, "alphabet", "--gpus", "8").returncode == 0
    second = serve(served, "numbers")
    assert second.returncode == 0, second.stderr
    assert "tensor parallel 8, pipeline parallel 1, for 8 GPUs on 1 host" in second.stderr
    assert "numbers answers at http://192.0.2.12:8001/v1" in second.stdout
    failed(serve(served, "words"), "no GPU is free: alphabet has 8 on gpu1, numbers has 8 on gpu2")
    stop = served.raycluster("serve", "stop", "numbers", "-i", two_hosts(served))
    assert (stop.returncode, stop.stdout) == (0, "numbers is no longer served; alphabet still is\n")
    assert is_served(served)


def test_a_port_that_another_program_holds_is_told_with_the_argument_for_another(served: Lab) -> None:
    with listening(served.hosts["gpu1"], 8000):
        held = serve(served, "alphabet", "--port", "8000")
    failed(held, "another program holds the server's port on the head", "-- --port 8001")
    assert not served.hosts["gpu1"].runs(OURS)


def test_an_image_without_vllm_is_told_when_it_is_to_serve(served: Lab) -> None:
    inside(served, "rm", "/usr/local/bin/vllm")
    failed(serve(served, "alphabet"), "the image has no vLLM", "image: vllm/vllm-openai:")
    assert not served.hosts["gpu1"].runs(OURS)


def test_ctrl_c_while_it_loads_leaves_nothing(served: Lab) -> None:
    running = served.raycluster_popen("serve", "-y", "-i", two_hosts(served), "loads")
    served.hosts["gpu1"].catch("/usr/local/bin/vllm serv[e]")
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130, stderr
    assert "Nothing of it is left running" in stderr
    assert not served.hosts["gpu1"].runs(OURS)


def test_its_log_is_followed(served: Lab) -> None:
    assert serve(served, "alphabet").returncode == 0
    running = served.raycluster_popen("serve", "logs", "-i", two_hosts(served), "-f", "-n", "1")
    assert running.stdout
    assert "Application startup complete" in running.stdout.readline()
    curl(served, "/talk")
    assert "word word" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=5)
    assert running.returncode == 130


def test_what_was_served_comes_back_with_the_heads_container(served: Lab) -> None:
    assert serve(served, "alphabet").returncode == 0
    served.hosts["gpu1"].docker("restart", "--time", "1", CONTAINER)
    wait_until("it answers again", lambda: is_served(served) and status(served).returncode == 0, 60)
    assert json.loads(curl(served, "/v1/models"))["data"][0]["id"] == "alphabet"
