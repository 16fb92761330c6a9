"""`raycluster status` and `down`, as a person sees them."""

import json
import signal
from pathlib import Path
from threading import Event

import pytest

from orchestrator.plan.command import Command
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import Raycluster, only_looked, seen, sent
from tests.plan.recordings import ORDERLY, Said, ray_line, ray_row, ray_told, standing, state
from tests.remote.fakes import FakeFleet, reached


def test_a_cluster_whose_hosts_are_all_in_ray_is_healthy(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    status = raycluster("status")
    assert status.exit_code == 0, status.stdout
    assert status.stdout.startswith("cluster demo is healthy: Ray 2.56.0 lists 2 of 2 hosts, 16 GPUs\n")
    assert len(cluster_stands.sent) == 2


def test_an_exited_container_is_told_with_its_code(cluster_stands: FakeFleet, raycluster: Raycluster) -> None:
    ended = state(
        Status="exited", Running=False, ExitCode=137, OOMKilled=True, FinishedAt="2026-03-01T12:00:30Z"
    )
    cluster_stands.on(
        "gpu2", sent("observe"), seen("10.0.0.2", **standing("raycluster-demo-gpu2", State=ended))
    )
    status = raycluster("status")
    assert status.exit_code == 3
    assert "gpu2: its container exited with code 137 (out of memory), 31 s ago" in status.stdout
    assert "→ raycluster up\n" in status.stdout


def test_while_somebody_works_on_the_cluster_that_run_is_named_and_nothing_advised(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    held = Said("4711\n1772366400\nana@desk\nup\n")
    cluster_stands.on("gpu1", sent("observe"), seen("10.0.0.1", **standing(), lock=held))
    cluster_stands.on("gpu2", sent("observe"), seen("10.0.0.2"))
    status = raycluster("status")
    assert status.exit_code == 3
    assert status.stdout.endswith("ana@desk has run `raycluster up` for 61 s\n")
    assert "→" not in status.stdout
    run = json.loads(raycluster("status", "-o", "json").stdout)["run"]
    assert (run["by"], run["command"]) == ("ana@desk", "up")


def test_a_lock_that_nobody_holds_is_none(cluster_stands: FakeFleet, raycluster: Raycluster) -> None:
    cluster_stands.on("gpu1", sent("observe"), seen("10.0.0.1", **standing(), lock=Said("", "", 1)))
    assert "→ raycluster up\n" in raycluster("status").stdout


def test_a_host_that_cannot_be_asked_is_unknown_and_its_remedy_said(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    cluster_stands.on(
        "gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "does not answer", fix="plug it in")
    )
    status = raycluster("status")
    assert status.exit_code == 3
    assert "gpu2: does not answer\n→ plug it in (gpu2)\n" in status.stdout


def test_what_was_said_on_the_way_to_a_host_is_shown_below_its_trouble(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    refused = Failure(FailureKind.AUTH, "refuses every key", detail="id_ed25519: refused\nagent key: refused")
    cluster_stands.on("gpu2", sent("observe"), refused)
    shown = "gpu2: refuses every key\n    | id_ed25519: refused\n    | agent key: refused\n"
    assert shown in raycluster("status").stdout


def test_no_part_of_the_table_can_steer_the_terminal(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    steering = "\x1b]0;owned\x07"
    config = {"Env": [], "Image": steering, "Labels": {"raycluster.cluster": "demo"}}
    ended = state(Status=steering, Running=False)
    hostile = standing("raycluster-demo-gpu2", State=ended, Config=config)
    cluster_stands.on("gpu2", sent("observe"), seen("10.0.0.2", **hostile))
    table = json.dumps({"ray": steering, "nodes": [ray_row("10.0.0.1"), ray_row(steering)]})
    head = standing("raycluster-demo-gpu1")
    cluster_stands.on("gpu1", sent("observe"), seen("10.0.0.1", **head, ray=Said(table)))
    status = raycluster("status")
    assert status.stdout.count("owned") == 5
    assert "\x1b" not in status.stdout


def test_json_has_a_version_and_the_four_facts(cluster_stands: FakeFleet, raycluster: Raycluster) -> None:
    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2", accelerators={"GPU": 4})))
    cluster_stands.on(
        "gpu1", sent("observe"), seen("10.0.0.1", **standing("raycluster-demo-gpu1"), ray=table)
    )
    told = json.loads(raycluster("status", "-o", "json").stdout)
    assert (told["version"], told["verdict"], told["ray_version"]) == (2, "degraded", "2.56.0")
    facts = {
        key: told["hosts"][1][key]
        for key in ("container", "ray", "joined", "gpus", "gpus_expected", "trouble")
    }
    assert facts == {
        "container": "running",
        "ray": True,
        "joined": True,
        "gpus": 4,
        "gpus_expected": 8,
        "trouble": "Ray sees 4 of its 8 GPUs",
    }


@pytest.mark.usefixtures("cluster_stands")
def test_down_says_that_the_containers_are_gone(raycluster: Raycluster) -> None:
    down = raycluster("down")
    assert down.exit_code == 0, down.stderr
    assert down.stdout.startswith("cluster demo is down: its containers are gone from 2 hosts (")


def test_down_of_nothing_is_a_success_that_touches_nothing(hosts: FakeFleet, raycluster: Raycluster) -> None:
    down = raycluster("down")
    assert (down.exit_code, down.stderr) == (0, "")
    assert down.stdout == "cluster demo is down already: none of its hosts has a container of it\n"
    assert only_looked(hosts)


def test_a_container_that_remains_is_a_failure_by_name(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    cluster_stands.on("gpu2", sent("absent"), Output(1, "", "raycluster-demo-gpu2 (Up 2 minutes)"))
    down = raycluster("down")
    assert (down.exit_code, down.stdout) == (1, "")
    assert (
        "gpu2  verify that nothing is left: raycluster-demo-gpu2 (Up 2 minutes) (exit code 1)" in down.stderr
    )


def test_a_host_that_could_not_be_asked_is_never_called_down(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    cluster_stands.on("gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "does not answer"))
    down = raycluster("down")
    assert (down.exit_code, down.stdout) == (1, "")
    assert "✗ cluster demo is not known to be down: 1 host failed\n  gpu2  does not answer\n" in down.stderr
    assert any(each.command.script == "remove" for each in cluster_stands.sent if each.host == "gpu1")


@pytest.fixture
def third(cluster_stands: FakeFleet) -> FakeFleet:
    """Ray, asked by itself, tells of a third host, with a container that the inventory does not have."""
    cluster_stands.on("gpu1", sent("observe"), seen("10.0.0.1", **standing("raycluster-demo-gpu1")))
    told = ray_told("10.0.0.1", "10.0.0.2", "10.0.0.3")
    cluster_stands.on("gpu1", sent("ask-ray"), Output(0, f"Welcome to gpu1!\n{told}"))
    cluster_stands.on("10.0.0.3", sent("observe"), seen("10.0.0.3", **standing("raycluster-demo-gpu3")))
    return cluster_stands


LEFT = "10.0.0.3  raycluster-demo-gpu3 of this cluster is there, which is not in the inventory\n"


def test_a_container_that_only_ray_tells_of_while_it_is_taken_down_keeps_it_from_success(
    third: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    down = raycluster("down")
    assert (down.exit_code, down.stdout) == (1, "")
    assert LEFT in down.stderr
    assert "→ remove it: ssh 10.0.0.3 docker rm --force raycluster-demo-gpu3\n" in down.stderr
    assert "takes down what remains" not in down.stderr  # it would not find that host again
    assert any(each.command.script == "remove" for each in third.sent if each.host == "gpu1")
    (log,) = folder.glob("state/**/*.log")
    assert "raycluster-demo-gpu3 of this cluster is there" in log.read_text()


def test_who_interrupts_down_is_still_told_what_ray_told(third: FakeFleet, raycluster: Raycluster) -> None:
    def interrupts(_command: Command, cancel: Event) -> Output:
        signal.raise_signal(signal.SIGINT)
        assert reached(cancel)
        return Output(0)

    third.on("gpu1", sent("remove"), interrupts)
    down = raycluster("down")
    assert down.exit_code == 130
    assert (
        "10.0.0.3  Ray listed a node there, which is not in the inventory and could not be a" in down.stderr
    )


def test_a_ray_that_cannot_be_asked_keeps_nothing_from_going_down(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    cluster_stands.on("gpu1", sent("observe"), seen("10.0.0.1", **standing("raycluster-demo-gpu1")))
    cluster_stands.on("gpu1", sent("ask-ray"), Output(0))
    assert raycluster("down").exit_code == 0


@pytest.mark.parametrize(
    ("words", "asks_ray"),
    [((), False), (("--prune",), True), (("--dry-run",), True), (("-l", "workers"), False)],
)
def test_the_look_of_down_is_as_brief_as_it_may_be(
    third: FakeFleet, raycluster: Raycluster, words: tuple[str, ...], asks_ray: bool
) -> None:
    raycluster("down", *words)
    (look, *_) = (
        each.command.argv for each in third.sent if each.command.script == "observe" and each.host == "gpu1"
    )
    image, hf_home, gcs = look[8:11]
    assert (image, hf_home, gcs) == (
        ("vllm/vllm-openai:v0.17.1", "", "10.0.0.1:6379") if asks_ray else ("", "", "")
    )


def test_down_as_a_script_needs_no_host(hosts: FakeFleet, raycluster: Raycluster) -> None:
    script = raycluster("down", "-o", "sh", "--offline")
    assert (script.exit_code, hosts.sent) == (0, [])
    assert 'on gpu2 sh -c "$REMOVE" remove docker demo\n' in script.stdout


def test_what_a_limit_leaves_standing_is_not_called_down(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    down = raycluster("down", "-l", "workers")
    assert down.stdout.startswith("cluster demo on gpu2 is down: its containers are gone from 1 host (")
    assert not [
        each for each in cluster_stands.sent if each.host == "gpu1" and each.command.script == "remove"
    ]


OTHERS = (
    "\035id-of-y\ty\traycluster-y-gpu1\tUp 3 hours\t\"bash -c 'exec ray start --block --head --port=6379'\"\n"
    'id-of-z\tz\traycluster-z-gpu1\tExited (0) 2 days ago\t"bash"\n'
)


def test_who_takes_down_with_the_wrong_file_hears_of_the_cluster_that_stands_there(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    others = Said(f"[]\n{OTHERS}")
    hosts.on("gpu1", sent("observe"), seen("10.0.0.1", containers=others))
    down = raycluster("down")
    assert (down.exit_code, down.stderr) == (0, "")
    assert down.stdout == (
        "cluster demo is down already: none of its hosts has a container of it; cluster y runs on gpu1\n"
    )
    assert only_looked(hosts)


def test_up_names_the_cluster_that_holds_a_port(hosts: FakeFleet, raycluster: Raycluster) -> None:
    listeners = Said('LISTEN 0 128 *:6379 *:* users:(("gcs_server",pid=812,fd=3))\n')
    there = {**ORDERLY, "listeners": listeners, "containers": Said(f"[]\n{OTHERS}")}
    hosts.on("gpu1", sent("observe"), seen("10.0.0.1", **there))
    up = raycluster("up")
    assert up.exit_code == 1
    assert (
        "gpu1  port 6379, for Ray's GCS, is held by cluster y's head (container raycluster-y-gpu1)"
        in up.stderr
    )
    assert (
        "      → take cluster y down, with its own inventory (`raycluster ls` lists those used here),"
        " or choose another `ray.port`\n" in up.stderr
    )
