"""A cluster's life in steps, each a command as a person types it and what must be true then."""

import json
import re
import shlex
import signal
import sys
from pathlib import Path
from threading import Timer

from tests.payload.serving.place import VLLM

from .host import Host
from .lab import Lab
from .processes import wait_until
from .seeing import containers, findings, finished, verdict, watched

RUNNING = {"raycluster-lab-gpu1": "running", "raycluster-lab-gpu2": "running"}
STAND_IN = "run/vllm"
SERVING = {"docker": {"args": ["-v", f"/{STAND_IN}:/usr/local/bin/vllm:ro"]}}
"""What an inventory says whose containers are to have the server that stands in for vLLM."""
ROUND_TRIPS = """
head -c 300000 /dev/urandom >sent
for place in '' --on-host; do
  $exec -l gpu2 $place -- cat <sent >back && cmp sent back || exit
done
$exec -l head --on-host -- cat /run/sample >sample
"""
WORDS = (
    "a b",
    "$HOME",
    "it's",
    '"',
    "*",
    "",
    "-x",
    "A=b",
    "\\",
    "a\\\\b",
    "end\\",
    "a!b",
    "!!",
    "two\nlines",
    "é",
)
SHOW = ("sh", "-c", 'printf "<%s>" "$@"', "show", *WORDS)


def checked(lab: Lab, inventory: Path) -> None:
    failures = [each for each in findings(lab, inventory) if each["level"] == "failure"]
    assert not failures, failures


def comes_up(lab: Lab, inventory: Path) -> None:
    """And up again: it is up already."""
    up = lab.raycluster("up", inventory)
    assert up.returncode == 0, up.stderr
    assert (standing := containers(lab)) == RUNNING, standing
    again = lab.raycluster("up", inventory)
    assert again.returncode == 0, again.stderr
    assert "is up already, nothing to do" in again.stdout


def is_seen(lab: Lab, inventory: Path) -> None:
    assert verdict(lab, inventory) == "healthy"
    with watched(lab, inventory) as until:
        until("healthy", 30)


def is_followed(lab: Lab, inventory: Path) -> None:
    _says(lab.hosts["gpu2"], "one")
    running = lab.raycluster_popen("logs", "-i", inventory, "gpu2", "-f", "-n", "1")
    late = Timer(30, running.kill)
    late.start()
    assert running.stdout
    assert running.stdout.readline() == "gpu2 | one\n", finished(running).stderr
    _says(lab.hosts["gpu2"], "two")
    assert running.stdout.readline() == "gpu2 | two\n", finished(running).stderr
    running.send_signal(signal.SIGINT)
    assert finished(running, 10).returncode == 130
    late.cancel()


def _says(host: Host, word: str) -> None:
    host.docker("exec", f"raycluster-lab-{host.name}", "sh", "-c", f"echo {word} >/proc/1/fd/1")


def passes_bytes(lab: Lab, inventory: Path) -> None:
    """Both ways, and words of a command line, in containers and on hosts."""
    lab.hosts["gpu1"].run("sh", "-c", "head -c 300000 /dev/urandom >/run/sample; chmod a+r /run/sample")
    program = f"{shlex.quote(sys.executable)} -m orchestrator exec -i {inventory}"
    _, env = lab.raycluster_command()
    script = f"set -o pipefail; exec={shlex.quote(program)}; {ROUND_TRIPS}"
    piped = lab.laptop(["bash", "-c", script], env=env)
    assert piped.returncode == 0, piped.stdout + piped.stderr
    assert (lab.folder / "sample").read_bytes() == (lab.hosts["gpu1"].folder / "run/sample").read_bytes()
    for place in ((), ("--on-host",)):
        shown = lab.raycluster("exec", "-i", inventory, "-l", "gpu2", *place, "--", *SHOW)
        assert (shown.returncode, shown.stdout) == (0, "".join(f"<{word}>" for word in WORDS)), shown.stderr


def lend_vllm(lab: Lab, text: str = VLLM.read_text()) -> None:
    """Before `up`: the server stands where SERVING says."""
    for host in lab.hosts.values():
        (host.folder / STAND_IN).write_text(text)
        (host.folder / STAND_IN).chmod(0o755)


def serves(lab: Lab, inventory: Path) -> None:
    served = lab.raycluster("serve", "-y", "-i", inventory, "alphabet")
    assert served.returncode == 0, served.stderr
    url = f"http://{_head(inventory)}:8000/v1"
    assert f"alphabet answers at {url} (" in served.stdout
    get = f"import urllib.request as u; print(u.urlopen('{url}/models', timeout=5).read().decode())"
    assert json.loads(lab.laptop([sys.executable, "-c", get]).stdout)["data"][0]["id"] == "alphabet"
    status = lab.raycluster("serve", "status", "-i", inventory)
    assert status.returncode == 0, status.stdout + status.stderr
    stop = lab.raycluster("serve", "stop", "-i", inventory)
    assert (stop.returncode, stop.stdout) == (0, "cluster lab serves nothing any more\n"), stop.stderr


def _head(inventory: Path) -> str:
    """The head's address, as a URL has it."""
    found = re.search(r'^head: .*\bip: "?([\w.:]+)', inventory.read_text(), re.MULTILINE)
    assert found
    return f"[{found[1]}]" if ":" in found[1] else found[1]


def is_free(lab: Lab, inventory: Path) -> None:
    """Nobody has the lock."""
    lock = lab.raycluster("lock", "status", inventory)
    assert (lock.returncode, lock.stdout) == (0, "cluster lab is not locked\n"), lock.stderr


def goes_down(lab: Lab, inventory: Path) -> None:
    """And nothing of it is left, in the homes either."""
    down = lab.raycluster("down", inventory)
    assert down.returncode == 0, down.stderr
    assert not (standing := containers(lab)), standing
    # The lock's holder, which ends with its connection, takes the folder along.
    wait_until("nothing is left in the homes", lambda: not any(map(_left, lab.hosts.values())))


def _left(host: Host) -> str:
    return host.run("sh", "-c", "ls -d /root/.raycluster /home/*/.raycluster", check=False).stdout


STEPS = (checked, is_free, comes_up, is_seen, is_followed, passes_bytes, serves, is_free, goes_down)
