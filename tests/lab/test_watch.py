"""`raycluster status --watch` on three hosts whose cluster stands: what happens to them is seen as it happens."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import Host
from .lab import Lab
from .processes import wait_until
from .seeing import brought_up, finished
from .terminal import Terminal

RECORDED = """\
#!/bin/sh
cat <<'END'
0, 97, 71834, 81559, 64, 612.41
1, 0, 4, 81559, 30, [N/A]
END
"""
"""Stands in for nvidia-smi on hosts without GPUs: what two of an H100's siblings have told."""


@pytest.fixture
def watched(lab_with_cluster: Lab) -> Iterator[tuple[Lab, Path]]:
    """The lab with its cluster on all three hosts, and an inventory that expects NVIDIA's GPUs there."""
    lab = lab_with_cluster
    brought_up(lab, lab.inventory())
    yield lab, lab.inventory(accelerator="nvidia")
    if not lab.is_whole:
        lab.restore()


def give_gpus(host: Host) -> None:
    write = "cat >/usr/local/bin/nvidia-smi; chmod +x /usr/local/bin/nvidia-smi"
    container = f"raycluster-lab-{host.name}"
    host.run("docker", "exec", "--interactive", container, "sh", "-c", write, stdin=RECORDED)


def spent(host: Host) -> float:
    """CPU seconds of all SSH sessions of the host that have ended, and of what they ran.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    stat = host.run("sh", "-c", "cat /proc/$(cat /run/sshd.pid)/stat").stdout.rpartition(")")[2].split()
    return (int(stat[13]) + int(stat[14])) / 100


OURS = (
    "docker event[s]",
    "docker exec .*nvidia-sm[i]",
    "bash -c .*nvidia-sm[i]",
    "python3 -c .* watc[h] 192",
)
"""The processes of a watch, in the containers too; the brackets, because the one who looks has these words."""


def nothing_of_it_runs_on(host: Host) -> bool:
    return not any(host.runs(each) for each in OURS)


def test_the_page_shows_hosts_gpus_and_ray_and_leaves_nothing_behind(watched: tuple[Lab, Path]) -> None:
    lab, inventory = watched
    give_gpus(lab.hosts["gpu2"])
    terminal = Terminal(lab, "status", "--watch", inventory)
    page = terminal.shows("cluster lab is healthy: Ray 2.60.0 lists 3 of 3 hosts, 24 GPUs", "97%")
    assert "gpu2  0  97% 70/80  1   0% 0/80" in page
    assert page.count("running    yes  yes     8/8") == 3
    assert " 0/24 " in next(line for line in page.splitlines() if line.startswith("all "))
    assert len([line for line in page.splitlines() if line.startswith("gpu1 ")]) == 2
    assert page.rstrip().endswith("nothing has happened")
    assert not nothing_of_it_runs_on(lab.hosts["gpu2"])
    terminal.type("q")
    assert terminal.ended() == 0
    assert terminal.end.startswith("cluster lab is healthy: Ray 2.60.0 lists 3 of 3 hosts")
    wait_until("nothing of it is left", lambda: all(map(nothing_of_it_runs_on, lab.hosts.values())), 20)


def test_a_host_whose_cable_is_cut_is_unknown_with_the_reason_and_comes_back_by_itself(
    watched: tuple[Lab, Path],
) -> None:
    lab, inventory = watched
    terminal = Terminal(lab, "status", "--watch", inventory)
    terminal.shows("cluster lab is healthy")
    lab.hosts["gpu3"].cut()
    page = terminal.shows("cluster lab is degraded", "gpu3: unknown since ")
    assert "gpu3: lost: nothing has been heard of it for 20 s" in page
    assert page.count("running    yes  yes     8/8") == 2
    lab.hosts["gpu3"].mend()
    terminal.shows("gpu3: can be asked again", "cluster lab is healthy")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.ended() == 0


def test_a_killed_container_is_an_event_and_so_is_its_return(watched: tuple[Lab, Path]) -> None:
    lab, inventory = watched
    watch = lab.raycluster_popen("status", "--watch", "-o", "json", inventory)
    assert watch.stdout
    assert json.loads(watch.stdout.readline())["status"]["verdict"] == "healthy"
    told = map(json.loads, iter(watch.stdout.readline, ""))

    def until(*words: str) -> None:
        for event in told:
            if [event["host"], event["text"]] == list(words):
                return
        raise AssertionError(f"it never told {words}")

    lab.hosts["gpu2"].docker("kill", "raycluster-lab-gpu2")
    until("gpu2", "its container exited with code 137")
    until("", "is degraded")
    lab.hosts["gpu2"].docker("start", "raycluster-lab-gpu2")
    until("gpu2", "its container runs again")
    until("gpu2", "joined Ray")
    until("", "is healthy")
    watch.send_signal(signal.SIGINT)
    assert finished(watch).returncode == 0


def test_fifteen_seconds_of_it_cost_a_host_less_than_four_looks(watched: tuple[Lab, Path]) -> None:
    lab, inventory = watched
    host = lab.hosts["gpu2"]
    give_gpus(host)
    began = spent(host)
    assert lab.raycluster("status", inventory).returncode == 0
    wait_until("the session of status has ended", lambda: spent(host) > began, 20)
    look = spent(host) - began
    terminal = Terminal(lab, "status", "--watch", inventory)
    terminal.shows(", 15 s; q ends it")
    began = spent(host)
    terminal.type("q")
    terminal.ended()
    wait_until("the session of the watch has ended", lambda: spent(host) > began, 20)
    assert spent(host) - began < 4 * look
