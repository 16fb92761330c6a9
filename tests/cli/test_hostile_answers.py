"""Hosts whose every word is an attack on the terminal that shows it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from orchestrator.cli.output import console as screen
from orchestrator.remote.ssh.host_keys import Unknown
from orchestrator.remote.ssh.known_hosts import HostKey
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, asks_state, seen, sent
from tests.plan.recordings import Said, addresses, containers, inspected, ray_line, ray_row, standing, state
from tests.remote.fakes import FakeFleet

EVIL = (
    "\x1b[2J\x1b]0;owned\x07\x9b31m\u202ereversed\x85\b\b\b\rcluster demo is healthy\x1b]8;;http://evil\x1b\\"
)
LINE = EVIL.replace("\r", "").replace("\x85", "")
ASKED = '"driver={}"'.format(LINE.replace('"', '""'))
RICHS_OWN = re.compile(r"\x1b\[[0-9;]*m|\r(?=\x1b\[)|\x1b\[2K|\x1b\[[0-9]*A|\x1b\[\?25[lh]")
COMMANDS = (
    *(["up"], ["up", "-v"], ["up", "-vv"], ["up", "--dry-run"], ["up", "-o", "sh"]),
    *(["check"], ["check", "-v"], ["check", "-o", "json"]),
    *(["down"], ["down", "-vv"], ["down", "--dry-run"], ["down", "-o", "sh"]),
    *(["status"], ["status", "-v"], ["status", "-o", "json"]),
)


def left(written: str) -> str:
    """What a terminal would obey, besides what Rich itself sends."""
    return "".join(char for char in RICHS_OWN.sub("", written) if not (char.isprintable() or char in "\n\t"))


def told_by(result: Result, folder: Path) -> str:
    """Everything that one run has written; a traceback would be another way to lose the terminal."""
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return result.stdout + result.stderr + "".join(log.read_text() for log in folder.rglob("*.log"))


@pytest.fixture(params=["pipe", "terminal"])
def seen_on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Consoles of either kind, made anew."""
    if request.param == "terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    for console in (screen.answer, screen.notice):
        console.cache_clear()
    yield request.param
    for console in (screen.answer, screen.notice):
        console.cache_clear()


def evil_container(name: str, **changes: object) -> dict[str, object]:
    """A container of ours, hostile in whatever it may choose itself."""
    labels = {"raycluster.cluster": "demo", "raycluster.role": EVIL, "raycluster.spec": EVIL}
    config = {"Env": [f"A={EVIL}", EVIL], "Image": EVIL, "Labels": labels}
    told = {"Id": EVIL + name, "Image": EVIL, "Args": ["-c", EVIL], "Config": config}
    return inspected(name, **{**told, **changes})


def evil_seen(ip: str, **said: Said) -> Output:
    """What such a host tells when it is looked at."""
    found = evil_container(f"raycluster-demo-gpu{ip[-1]}", State=state(Status=EVIL, Error=EVIL))
    stranger = evil_container(EVIL)
    table = ray_line(
        ray_row("10.0.0.1", hostname=EVIL), ray_row(ip, alive=False, death=EVIL), ray_row(EVIL, hostname=EVIL)
    )
    told = {
        "host": Said(f"1772366460.9\n/home/{LINE}\nnone\n0\n"),
        "addresses": addresses((EVIL, ip)),
        "containers": containers(found, stranger),
        "image": Said(json.dumps({"Id": EVIL, "RootFS": {"Layers": [EVIL]}}), EVIL),
        "machine": Said(
            f"hostname {LINE}\nresolves_to 127.0.1.1{LINE}\nmemory 1\npath {LINE}\nfree 1\n", EVIL
        ),
        "listeners": Said(f'LISTEN 0 9 {LINE.split()[0]}:6379 *:* users:(("{LINE}",pid=1,fd=2))\n', EVIL),
        "processes": Said(f"PID COMMAND\n1 raylet\n2 {EVIL}\n", EVIL),
        "token": Said(f"c0ffee{EVIL}", EVIL),
        "ray": Said(table, EVIL),
    }
    return seen(ip, **{**told, **said})


@pytest.fixture
def evil(hosts: FakeFleet) -> FakeFleet:
    """Two hosts that work, and say terrible things."""
    for name, ip in (("gpu1", "10.0.0.1"), ("gpu2", "10.0.0.2")):
        hosts.on(name, sent("observe"), evil_seen(ip))
    for name in ("date", "run", "keep-token", "discard", "remove", "forget-token", "listening", "reach"):
        hosts.on("*", sent(name), Output(0, EVIL, EVIL))
    hosts.streams("*", "raycluster.trial", EVIL, Output(1, EVIL, EVIL))
    return hosts


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("seen_on")
def test_hosts_that_work_cannot_steer_the_terminal(
    words: list[str], evil: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    told = told_by(raycluster(*words), folder)
    assert evil.sent
    assert told
    assert left(told) == ""


def broken_docker() -> Output:
    return evil_seen("10.0.0.2", containers=Said("", EVIL, 1))


def ended() -> Output:
    gone = evil_container(
        "raycluster-demo-gpu2", State=state(Status="exited", Running=False, Error=EVIL, ExitCode=1)
    )
    return evil_seen("10.0.0.2", containers=containers(gone))


TROUBLES: dict[str, Output | Failure] = {
    "failure": Failure(FailureKind.UNREACHABLE, EVIL, detail=EVIL, fix=EVIL),
    "nonsense": Output(0, EVIL, EVIL),
    "no-addresses": evil_seen("10.0.0.2", addresses=Said("", EVIL, 1)),
    "no-address": evil_seen(EVIL),
    "docker": broken_docker(),
    "ended": ended(),
    "other-address": evil_seen("10.0.0.9"),
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.usefixtures("seen_on")
def test_hosts_in_trouble_cannot_steer_the_terminal(
    words: list[str], trouble: Output | Failure, evil: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    evil.on("gpu2", sent("observe"), trouble)
    told = told_by(raycluster(*words), folder)
    assert told
    assert left(told) == ""


STEPS: dict[str, Output | Failure] = {
    "run": Output(1, EVIL, EVIL),
    "reach": Output(1, EVIL, EVIL),
    "keep-token": Failure(FailureKind.TIMEOUT, EVIL, detail=EVIL, fix=EVIL),
    "listening": Output(1, EVIL, EVIL),
    "remove": Output(1, EVIL, EVIL),
    "absent": Output(1, EVIL, EVIL),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("words", [["up"], ["up", "-vv"], ["down"], ["down", "-vv"]], ids=" ".join)
@pytest.mark.usefixtures("seen_on")
def test_a_step_that_fails_cannot_steer_the_terminal(
    step: str, words: list[str], evil: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    evil.on("*", sent("last-words"), Output(0, f"{EVIL}\n{EVIL}\n"))
    evil.on("*", sent(step), STEPS[step])
    assert left(told_by(raycluster(*words), folder)) == ""


@pytest.mark.usefixtures("seen_on")
def test_rays_words_cannot_steer_the_terminal(evil: FakeFleet, raycluster: Raycluster, folder: Path) -> None:
    dead = json.dumps(
        {"state": {"Status": "exited", "ExitCode": 1, "OOMKilled": False, "Error": EVIL}, "restarts": 0}
    )
    evil.on("*", asks_state, Output(0, dead, EVIL))
    evil.streams("gpu1", sent("exec"), json.dumps({"error": EVIL, "gone": False}), EVIL)
    evil.on("*", sent("last-words"), Output(0, EVIL))
    up = raycluster("up")
    assert up.exit_code == 1
    assert left(told_by(up, folder)) == ""


@pytest.mark.usefixtures("seen_on", "hosts")
def test_host_keys_cannot_steer_the_terminal(raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = {
        "gpu1": Unknown(EVIL, HostKey(EVIL, "AAAA"), None),
        "gpu2": Failure(FailureKind.UNREACHABLE, EVIL, detail=f"{EVIL}\n{EVIL}", fix=EVIL),
    }
    monkeypatch.setattr("orchestrator.remote.ssh.keyscan.examine", lambda host, _ssh: verdicts[host])
    for answer in ("n\n", "y\n"):
        trust = raycluster("trust", stdin=answer)
        assert trust.exit_code == 1
        assert left(trust.stdout + trust.stderr) == ""


OWN_WORDS = f"""\
env: {{A: {json.dumps(EVIL)}, B: "tab\\there"}}
docker: {{gpus: {json.dumps(ASKED)}, args: [{json.dumps("--label=x=" + EVIL)}]}}
ray: {{args: [{json.dumps(EVIL)}], num_gpus: 8}}
hf_home: {json.dumps("/data/" + LINE.replace(":", ""))}
"""


@pytest.mark.parametrize("words", COMMANDS[:-3], ids=" ".join)
@pytest.mark.usefixtures("seen_on")
def test_what_the_user_wrote_cannot_steer_the_terminal(
    words: list[str], evil: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY.replace("ray: {num_gpus: 8}\n", "") + OWN_WORDS)
    told = told_by(raycluster(*words), folder)
    assert evil.sent
    assert left(told) == ""


@pytest.mark.usefixtures("seen_on")
def test_a_problem_of_the_file_cannot_steer_the_terminal(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    name = f"{EVIL.replace('/', '')}.yaml"
    (folder / name).write_text(INVENTORY + f"docker: {{gpus: {json.dumps('-' + EVIL)}}}\n# \u202e\n")
    for words in (["status", name], ["up", name + "x"], ["up", "-l", EVIL]):
        result = raycluster(*words)
        assert (result.exit_code, hosts.sent) == (2, [])
        assert left(result.stdout + result.stderr) == ""


def test_a_status_for_programs_holds_the_very_words(evil: FakeFleet, raycluster: Raycluster) -> None:
    told = json.loads(raycluster("status", "-o", "json").stdout)
    assert evil.sent
    assert told["hosts"][0]["image"] == EVIL
    assert any(EVIL in note for note in told["notes"])


@pytest.mark.usefixtures("hosts")
def test_standing_is_as_hostile_as_told(raycluster: Raycluster, hosts: FakeFleet) -> None:
    hosts.on("gpu2", sent("observe"), seen("10.0.0.2", **standing("raycluster-demo-gpu2", Name="/" + EVIL)))
    status = raycluster("status")
    assert "also runs \\x1b[2J" in status.stdout
