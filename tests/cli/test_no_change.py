"""What is told where nothing changes: a cluster that stands, a dry run, a host that is refused, help."""

import os
import re
import signal
from pathlib import Path
from threading import Event

import pytest

from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory.parse import load
from orchestrator.model.secret import Secret
from orchestrator.plan.actions.up import Secrets, plan_up
from orchestrator.plan.command import Command
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.facts.parse import parse_host_facts
from orchestrator.plan.steps import Run
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import Raycluster, only_looked, seen, sent
from tests.plan.recordings import Said, containers, inspected, ray_line, ray_row
from tests.remote.fakes import Answer, FakeFleet, held

SEALED = Secrets((), Secret("ray-token", "generated"))
COMMANDS = ["up", "down", "status", "check", "trust"]


def started(of: Cluster, name: str, bare: dict[str, HostFacts]) -> dict[str, Said]:
    """A host's sections once `up` has started its container, as Docker would tell of the very line."""
    plan = plan_up(of, dict(bare), SEALED)
    argv = next(
        step.command.argv for step in plan if isinstance(step, Run) and step.starts and step.host == name
    )
    labels = dict(argv[i + 1].split("=", 1) for i, word in enumerate(argv) if word == "--label")
    return {
        "containers": containers(inspected(argv[argv.index("--name") + 1], labels=labels)),
        "processes": Said("PID COMMAND\n1 raylet\n"),
        "token": Said("c0ffee"),
    }


@pytest.fixture
def up_already(hosts: FakeFleet, folder: Path) -> FakeFleet:
    """Hosts on which the cluster stands just as the inventory has it."""
    of = load(str(folder / "inventory.yaml"))
    assert isinstance(of, Cluster)
    ips = {"gpu1": "10.0.0.1", "gpu2": "10.0.0.2"}
    bare = {name: parse_host_facts(seen(ip).stdout, "") for name, ip in ips.items()}
    known = {name: here for name, here in bare.items() if isinstance(here, HostFacts)}
    table = {"ray": Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))}
    for name, ip in ips.items():
        said = started(of, name, known) | (table if name == "gpu1" else {})
        hosts.on(name, sent("observe"), seen(ip, **said))
    return hosts


def test_a_second_up_changes_nothing_and_says_so(up_already: FakeFleet, raycluster: Raycluster) -> None:
    up = raycluster("up")
    assert (up.exit_code, up.stderr) == (0, "")
    assert re.fullmatch(
        r"cluster demo is up already, nothing to do: Ray 2\.56\.0 lists all 2 hosts, 16 GPUs \(\d+\.\d s\)\n",
        up.stdout,
    )
    assert only_looked(up_already)


@pytest.mark.usefixtures("up_already")
def test_a_dry_run_of_nothing_says_so(raycluster: Raycluster) -> None:
    shown = raycluster("up", "--dry-run")
    assert (shown.exit_code, shown.stdout) == (0, "Plan: bring up cluster demo\nNothing to do.\n")


@pytest.mark.usefixtures("up_already")
def test_the_table_has_a_row_for_each_host_under_its_heading(raycluster: Raycluster) -> None:
    _, _, heading, *rows = raycluster("status").stdout.splitlines()
    assert heading.split() == ["HOST", "ROLE", "IP", "VERDICT", "CONTAINER", "RAY", "JOINED", "GPUS", "UP"]
    assert [row.split()[:8] for row in rows] == [
        ["gpu1", "head", "10.0.0.1", "healthy", "running", "yes", "yes", "8/8"],
        ["gpu2", "worker", "10.0.0.2", "healthy", "running", "yes", "yes", "8/8"],
    ]


@pytest.mark.usefixtures("up_already")
def test_an_image_that_all_hosts_share_is_told_once(raycluster: Raycluster) -> None:
    assert raycluster("status").stdout.splitlines()[1] == "image vllm/vllm-openai:v0.17.1"


@pytest.mark.usefixtures("hosts")
def test_a_cluster_that_is_nowhere_is_down(raycluster: Raycluster) -> None:
    status = raycluster("status")
    assert status.exit_code == 3
    assert status.stdout.startswith("cluster demo is down\n")


def test_a_dry_run_names_the_host_that_it_would_leave_out(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "does not answer", fix="plug it in"))
    shown = raycluster("up", "--dry-run")
    assert shown.exit_code == 1
    assert "  gpu2  cannot: does not answer\n      → plug it in\n" in shown.stdout


@pytest.mark.parametrize("words", [("up", "-o", "json"), ("down", "-o", "json"), ("status", "-o", "sh")])
def test_a_form_that_a_command_does_not_have_is_usage(
    words: tuple[str, ...], hosts: FakeFleet, raycluster: Raycluster
) -> None:
    assert (raycluster(*words).exit_code, hosts.sent) == (2, [])


def test_a_file_that_is_not_there_is_named(hosts: FakeFleet, raycluster: Raycluster) -> None:
    up = raycluster("up", "nowhere.yaml")
    assert (up.exit_code, up.stdout, hosts.sent) == (2, "", [])
    assert "nowhere.yaml" in up.stderr


def test_looking_can_be_interrupted(hosts: FakeFleet, raycluster: Raycluster) -> None:
    def interrupted(command: Command, cancel: Event) -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        return held(command, cancel)

    hosts.on("gpu2", sent("observe"), interrupted)
    status = raycluster("status")
    assert (status.exit_code, status.stdout) == (130, "")


def test_a_log_is_kept_of_what_changes_hosts_and_not_of_what_only_looks(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    raycluster("status")
    raycluster("up", "--dry-run")
    assert not list(folder.rglob("*.log"))
    raycluster("up")
    assert len(list(folder.rglob("*.log"))) == 1
    assert hosts.closed == {"gpu1", "gpu2"}


def test_a_worker_that_ray_never_lists_fails_once_its_container_ends(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ended = '{"state": {"Status": "exited", "ExitCode": 1, "OOMKilled": false}, "restarts": 0}'
    hosts.on("gpu2", lambda command: "{{json .State}}" in command.line(), Output(0, ended))
    hosts.on("gpu2", sent("last-words"), Output(0, "InvalidAuthToken\n"))
    up = raycluster("up")
    assert up.exit_code == 1
    assert "  gpu2  wait until Ray lists it: its container ended with exit code 1\n" in up.stderr
    assert "      | InvalidAuthToken\n      → its Ray token is another than the head's" in up.stderr
    assert "docker rm" not in " ".join(hosts.lines("gpu1"))


OPTIONS = {
    "up": ["--inventory", "--limit", "--dry-run", "--offline", "--output", "--jobs", "--verbose"],
    "down": ["--inventory", "--limit", "--dry-run", "--offline", "--output", "--jobs", "--verbose"],
    "status": ["--inventory", "--output", "--jobs", "--verbose"],
    "check": ["--inventory", "--output", "--jobs", "--verbose"],
    "trust": ["--inventory", "--limit", "--jobs"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_mentions_every_option_and_fits_the_screen(command: str, raycluster: Raycluster) -> None:
    shown = raycluster(command, "--help").stdout
    assert set(re.findall(r"--[a-z-]+", shown)) >= {*OPTIONS[command], "--help"}
    assert max(map(len, shown.splitlines())) <= 80


def test_help_names_every_command(raycluster: Raycluster) -> None:
    shown = raycluster("--help")
    assert shown.exit_code == 0
    for word in (*COMMANDS, "-V, --version"):
        assert re.search(rf"(?m)^ +{word}\b", shown.stdout), word
