"""`restart` on real hosts, what is asked before, and what programs are told."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from orchestrator.cli.output.jsonl import Event

from .faults import hanging
from .lab import Lab
from .seeing import Answer, brought_up, containers, failed, repaired, stands, two_hosts, verdict
from .terminal import Terminal, terminal

QUESTION = "Take down cluster lab:"
ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def lines(answer: Answer) -> list[dict[str, Any]]:
    told = answer.stdout.splitlines()
    for line in told:
        ADAPTER.validate_json(line)
    return [json.loads(line) for line in told]


def born(lab: Lab) -> dict[str, str]:
    """The container on each host, told apart from its successor."""
    return {
        name: lab.hosts[name].docker("ps", "--quiet", "--filter", "label=raycluster.cluster")
        for name in ("gpu1", "gpu2")
    }


def test_one_worker_or_all_hosts_get_new_containers_and_ray_lists_them(cluster: Lab) -> None:
    inventory = two_hosts(cluster)
    before = born(cluster)
    one = cluster.raycluster("restart", "gpu2", "-i", inventory)
    assert one.returncode == 0, one.stderr
    assert "cluster lab is up: Ray 2.60.0 lists all 2 hosts, 16 GPUs" in one.stdout
    after = born(cluster)
    assert (after["gpu1"] == before["gpu1"], after["gpu2"] == before["gpu2"]) == (True, False)

    both = cluster.raycluster("restart", "-i", two_hosts(cluster, worker={"env": {"NCCL_DEBUG": "INFO"}}))
    assert both.returncode == 0, both.stderr
    assert "gpu2: new container: the inventory has changed: env NCCL_DEBUG" in both.stderr
    assert "cluster lab is up: Ray 2.60.0 lists all 2 hosts, 16 GPUs" in both.stdout
    assert not set(born(cluster).values()) & set(after.values())
    assert "NCCL_DEBUG=INFO" in cluster.hosts["gpu2"].docker("exec", "raycluster-lab-gpu2", "env")


@pytest.mark.long
def test_a_worker_that_cannot_be_reached_while_all_are_restarted(lab: Lab) -> None:
    inventory = brought_up(lab, two_hosts(lab, engine="mp"))
    before = born(lab)
    lab.hosts["gpu2"].stop_ssh()
    failed(
        lab.raycluster("restart", "-i", inventory),
        "✗ cluster lab is not complete: 1 of 2 hosts failed",
        "gpu2  192.0.2.12:22 refuses connections",
    )
    assert born(lab)["gpu1"] != before["gpu1"]
    lab.hosts["gpu2"].start_ssh()
    repaired(lab, inventory)
    assert verdict(lab, inventory) == "healthy"


def unwrapped(shell: Terminal) -> str:
    """What is on the screen, however wide that is."""
    return "".join(shell.seen.split())


def test_on_a_terminal_down_asks_and_a_no_changes_nothing(lab: Lab) -> None:
    inventory = brought_up(lab, two_hosts(lab, engine="mp"))
    before = born(lab)
    with terminal(lab) as shell:
        shell.type(f"raycluster down {inventory}")
        shell.wait_for(f"{QUESTION} its containers on gpu1 (head), gpu2?")
        shell.type("n")
        shell.wait_for("nothing was done")
    assert born(lab) == before


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 50)])
def test_what_is_typed_before_the_question_is_no_answer_and_moves_nothing_on_the_screen(
    cluster: Lab, columns: int, rows: int
) -> None:
    slow = cluster.hosts["gpu2"]
    inventory = stands(cluster, two_hosts(cluster))
    before = born(cluster)
    with terminal(cluster, columns, rows) as shell:
        with hanging(slow, "docker"):
            shell.clear()
            shell.type(f"raycluster down {inventory.name}")
            shell.wait_for("gpu2  inspecting")
            shell.type("y")
        question = f"{QUESTION} its containers on gpu1 (head), gpu2? Whatever runs in them ends. [y/N]"
        shell.wait_for("[y/N]")
        assert unwrapped(shell) == f"$ raycluster down {inventory.name}{question}".replace(" ", "")
        with hanging(slow, "docker"):
            shell.type("y")
            shell.wait_for("gpu2  inspecting")
            shell.press("C-c")
        shell.wait_for("is not known to be down: interrupted")
        assert f"{question} y interrupted: stopping in good order".replace(" ", "") in unwrapped(shell)
        shell.wait_for("log: ")
        shell.type("echo the terminal echoes")
        shell.wait_for("$ echo the terminal echoes\nthe terminal echoes\n")
    assert born(cluster) == before


def test_down_and_up_tell_each_step_and_the_end(cluster: Lab) -> None:
    inventory = two_hosts(cluster)
    down = cluster.raycluster("down", inventory, "-o", "jsonl")
    assert (down.returncode, down.stderr) == (0, "")
    told = lines(down)
    assert told[-1]["message"].startswith("cluster lab is down: its containers are gone from 2 hosts")
    stopped = [(line["step"], line["status"]) for line in told if line["event"] == "step-ended"]
    assert ("stop and remove its container", "ok") in stopped
    assert containers(cluster) == {}

    up = cluster.raycluster("up", inventory, "-o", "jsonl")
    assert (up.returncode, up.stderr) == (0, "")
    told = lines(up)
    assert told[-1]["message"].startswith("cluster lab is up: Ray 2.60.0 lists all 2 hosts, 16 GPUs")
    assert (told[-1]["exit_code"], told[-1]["verdict"], told[-1]["failures"]) == (0, "done", [])
    assert [line["time"] for line in told] == sorted(line["time"] for line in told)
