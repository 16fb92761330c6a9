"""What the lab's tests look at: the program's answers, and the hosts themselves."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

from .host import Host
from .lab import Lab
from .processes import wait_until

Answer = subprocess.CompletedProcess[str]

WHAT_RUNS = """\
docker ps --quiet --no-trunc --filter label=raycluster.cluster
pgrep 'raylet|gcs_server'
"""

HAS_STARTED = """\
since=$(date +%s.%N)
docker ps --filter "name=^$0\\$" --format {{.ID}} | grep -q . && exit
coproc docker events --since "$since" --filter event=start --filter "container=$0"
read -r _ <&"${COPROC[0]}"
kill $COPROC_PID
"""

LISTEN = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    server.accept()[0].close()
"""

URL = "http://192.0.2.11:8000"
"""Where vLLM answers, on the head."""

SUCCESS = ("is up", "is down", "healthy")
"""The words that may never be said when something failed."""


@contextmanager
def listening(host: Host, port: int) -> Iterator[None]:
    """Another program that holds a port of the host."""
    host.run("bash", "-c", f"setsid --fork python3 -c '{LISTEN}' {host.address} {port} >/run/listen.log 2>&1")
    wait_until(f"port {port} is held", lambda: f":{port} " in host.run("ss", "-Hltn").stdout)
    try:
        yield
    finally:
        host.run("pkill", "-f", "server = socket.create_server")


def health(lab: Lab, inventory: Path) -> dict[str, Any]:
    """`status -o json`, with the hosts by name."""
    told: dict[str, Any] = json.loads(lab.raycluster("status", inventory, "-o", "json").stdout)
    return told | {"hosts": {host["name"]: host for host in told["hosts"]}}


def verdict(lab: Lab, inventory: Path) -> str:
    return str(health(lab, inventory)["verdict"])


def brought_up(lab: Lab, inventory: Path) -> Path:
    """The inventory, its cluster standing."""
    answer = lab.raycluster("up", inventory)
    assert answer.returncode == 0, answer.stderr
    return inventory


def stands(lab: Lab, inventory: Path) -> Path:
    """The inventory, its cluster standing: brought up, unless all of it runs on as it was left the last time."""
    text = inventory.read_text()
    if lab.left.get(text) != lab.on_each(_what_runs):
        brought_up(lab, inventory)
        lab.left.clear()
        lab.left[text] = lab.on_each(_what_runs)
    return inventory


def _what_runs(host: Host) -> str:
    """The host's containers and Ray's processes; one that was started anew is another."""
    return host.run("sh", "-c", WHAT_RUNS, check=False).stdout


def containers(lab: Lab, label: str = "raycluster.cluster") -> dict[str, str]:
    """The state of each container of ours, by name, as Docker on its host has it."""
    shown = ("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}} {{.State}}")
    lines = (line for host in lab.hosts.values() for line in host.docker(*shown).splitlines())
    states = dict(line.split(maxsplit=1) for line in lines)
    return {name: _state(told) for name, told in states.items()}


def _state(told: str) -> str:
    """Podman 4.3 tells `Up 5 seconds ago`, and `Exited (1) 2 seconds ago`."""
    return "running" if told.startswith("Up ") else told.partition(" ")[0].lower()


def has_started(host: Host, cluster: str = "lab") -> None:
    """Waits until the host's container has been started. Docker itself tells: to ask it again and again costs much."""
    host.run("timeout", "60", "bash", "-c", HAS_STARTED, f"raycluster-{cluster}-{host.name}")


@contextmanager
def watched(lab: Lab, inventory: Path) -> Iterator[Callable[[str, float], None]]:
    """Waits, by the name of a verdict and seconds, until a `status --watch` gives it.

    One program that is told of changes costs next to nothing beside a `status` again and again.
    """
    watch = lab.raycluster_popen("status", inventory, "--watch", "-o", "jsonl")
    assert watch.stdout
    lines, said = iter(watch.stdout.readline, ""), list[str]()

    def until(verdict: str, seconds: float) -> None:
        late = Timer(seconds, watch.kill)
        late.start()
        try:
            for line in lines:
                said.append(line)
                told = json.loads(line)
                now = told["state"]["verdict"] if "state" in told else not told["host"] and told["text"]
                if now in (verdict, f"is {verdict}"):
                    return
        finally:
            late.cancel()
        raise AssertionError(f"not {verdict} within {seconds:g} s: {said}")

    try:
        yield until
    finally:
        watch.kill()
        watch.communicate()


def is_served(lab: Lab) -> bool:
    """Whether a model's server answers the laptop: a fraction of what `status` costs, so it is asked first."""
    return (
        lab.laptop(
            [sys.executable, "-c", f"import urllib.request as u; u.urlopen('{URL}/v1/models', timeout=5)"]
        ).returncode
        == 0
    )


def ids(lab: Lab) -> set[str]:
    """The containers of ours, told apart from their successors."""
    return {
        each
        for host in lab.hosts.values()
        for each in host.docker("ps", "--all", "--quiet", "--filter", "label=raycluster.cluster").split()
    }


def says_nothing_good(answer: Answer) -> bool:
    """Whether no word of success was said, on either stream."""
    said = answer.stdout + answer.stderr
    return not any(f" {word}" in said for word in SUCCESS)


def failed(answer: Answer, *said: str) -> None:
    """Pins exit code 1, no word of success, and what is said."""
    assert answer.returncode == 1, answer.stderr
    assert says_nothing_good(answer), answer.stdout + answer.stderr
    for words in said:
        assert words in answer.stderr, answer.stderr
    assert "log: " in answer.stderr


def heard(running: subprocess.Popen[str], words: str) -> None:
    """Waits until a command that was started says so on standard error; `finished` has what comes after."""
    assert running.stderr
    assert any(words in line for line in iter(running.stderr.readline, "")), f"it never said: {words}"


def just_asked(host: Host) -> None:
    """Waits until `up` has asked how the host's container is, and has its answer: no command is under way."""
    host.catch(
        "docker container inspec[t]", gone=True
    )  # the bracket, because the one who looks has these words


def finished(running: subprocess.Popen[str], seconds: float = 120) -> Answer:
    """What a command that was started says when it has ended, within `seconds`."""
    stdout, stderr = running.communicate(timeout=seconds)
    return Answer([], running.returncode, stdout, stderr)


def repaired(lab: Lab, inventory: Path) -> None:
    """A later `up` makes it whole."""
    up = lab.raycluster("up", inventory)
    assert up.returncode == 0, up.stderr
    assert verdict(lab, inventory) == "healthy"


def findings(lab: Lab, inventory: Path) -> list[dict[str, Any]]:
    """What `check` finds; its exit code tells whether there is a failure among it."""
    answer = lab.raycluster("check", inventory, "-o", "json")
    told: dict[str, Any] = json.loads(answer.stdout)
    assert told["version"] == 2
    found: list[dict[str, Any]] = told["findings"]
    assert answer.returncode == (3 if "failure" in {each["level"] for each in found} else 0), answer.stderr
    return found


def bad(lab: Lab, inventory: Path, host: str, topic: str) -> tuple[str, str]:
    """The text and the remedy of the one thing that is wrong with a host in a topic."""
    found = [each for each in findings(lab, inventory) if each["level"] != "ok"]
    (one,) = [each for each in found if (each["host"], each["topic"]) == (host, topic)]
    return one["text"], one["fix"]


def good(found: list[dict[str, Any]]) -> bool:
    return "failure" not in {each["level"] for each in found}


def remedies(answer: Answer) -> list[str]:
    """What a person is told to do, word for word."""
    lines = (line.strip() for line in (answer.stdout + answer.stderr).splitlines())
    return [line.removeprefix("→ ") for line in lines if line.startswith("→ ")]


def two_hosts(lab: Lab, **changes: Any) -> Path:
    """The lab's inventory with gpu1 and gpu2 alone, `worker` changing gpu2's entry."""
    worker = {**lab.hosts["gpu2"].entry, **changes.pop("worker", {})}
    return lab.inventory(workers=[worker], **changes)


def environment(lab: Lab, host: str) -> list[str]:
    """What the first process of the host's container has been given, as NAME=VALUE."""
    given = lab.hosts[host].docker("exec", f"raycluster-lab-{host}", "cat", "/proc/1/environ")
    return given.split("\0")
