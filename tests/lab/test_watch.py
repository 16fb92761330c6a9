"""`raycluster status --watch` on three hosts whose cluster stands: what happens to them is seen as it happens."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .host import Host
from .lab import Lab
from .processes import wait_until
from .seeing import finished, stands
from .terminal import terminal

STAND_IN = """\
#!/bin/sh
cat <<'END'
0, 97, 71834, 81559, 64, 612.41
1, 0, 4, 81559, 30, [N/A]
END
"""
"""For hosts without GPUs: prints the columns that nvidia-smi is asked for, for two GPUs."""


BUSY = """
import ray
ray.init(address="auto", log_to_driver=False)
holder = ray.remote(num_gpus=5)(type("Holder", (), {"ready": lambda self: True})).remote()
ray.get(holder.ready.remote())
input()
"""
"""Takes five of Ray's GPUs, for as long as its standard input is open."""


@pytest.fixture
def watched(lab_with_cluster: Lab) -> Iterator[Lab]:
    """The lab with its cluster on all three hosts, and an inventory that expects NVIDIA's GPUs there."""
    lab = lab_with_cluster
    stands(lab, lab.inventory())
    lab.inventory(accelerator="nvidia")
    yield lab
    lab.end_commands()
    lab.mend()


def give_gpus(host: Host) -> None:
    write = "cat >/usr/local/bin/nvidia-smi; chmod +x /usr/local/bin/nvidia-smi"
    container = f"raycluster-lab-{host.name}"
    host.run("docker", "exec", "--interactive", container, "sh", "-c", write, stdin=STAND_IN)


def spent(host: Host) -> float:
    """CPU seconds of all SSH sessions of the host that have ended, and of what they ran.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    stat = host.run("sh", "-c", "cat /proc/$(cat /run/sshd.pid)/stat").stdout.rpartition(")")[2].split()
    return (int(stat[13]) + int(stat[14])) / 100


@contextmanager
def busy(head: Host) -> Iterator[None]:
    words = ("docker", "exec", "--interactive", "raycluster-lab-gpu1", "python3", "-c", BUSY)
    with subprocess.Popen(head.command(words), stdin=subprocess.PIPE) as program:
        yield
        assert program.stdin
        program.stdin.close()


OURS = (
    "docker event[s]",
    "docker exec .*nvidia-sm[i]",
    "bash -c .*nvidia-sm[i]",
    "python3 -c .* watc[h] 192",
)
"""The processes of a watch, in the containers too; the brackets, because the one who looks has these words."""


def nothing_of_it_runs_on(host: Host) -> bool:
    return not any(host.runs(each) for each in OURS)


def test_the_page_shows_hosts_gpus_and_ray_and_leaves_nothing_behind(watched: Lab) -> None:
    give_gpus(watched.hosts["gpu2"])
    with terminal(watched, columns=80, rows=24) as desk:
        desk.type("raycluster status --watch")
        desk.wait_for("gpu2  0  97% 70/80  1   0% 0/80")
        page = desk.wait_for("cluster lab is healthy: Ray 2.60.0 lists 3 of 3 hosts, 24 GPUs")
        assert page.count("healthy  running    yes  yes     8/8") == 3
        assert re.search(r"^all +0/\d+ +0/24 ", page, re.MULTILINE)
        assert page.endswith("no events yet\n")
        with busy(watched.hosts["gpu1"]):
            desk.wait_for(" 5/24 ")
        assert not nothing_of_it_runs_on(watched.hosts["gpu2"])
        desk.resize(120, 30)
        desk.wait_for("gpu2  0  97% 70/80 64° 612W")
        desk.press("q")
        desk.wait_for_prompt()
        left = desk.run("echo code $?")
        assert "code 0" in left
        assert "cluster lab is healthy" in left
    wait_until("nothing of it is left", lambda: all(map(nothing_of_it_runs_on, watched.hosts.values())), 20)


@pytest.mark.long
def test_a_host_whose_cable_is_cut_is_unknown_with_the_reason_and_comes_back_by_itself(watched: Lab) -> None:
    with terminal(watched) as desk:
        desk.type("raycluster status --watch")
        desk.wait_for("cluster lab is healthy")
        watched.hosts["gpu3"].cut()
        page = desk.wait_for("gpu3: unknown since ", seconds=60)
        assert "gpu3: lost: nothing has been heard of it for 20 s" in page
        assert page.count("running    yes  yes     8/8") == 2
        watched.hosts["gpu3"].mend()
        desk.wait_for("gpu3: can be asked again", seconds=60)
        desk.wait_for("cluster lab is healthy: Ray 2.60.0 lists 3 of 3 hosts")
        desk.press("C-c")
        desk.wait_for_prompt()
        assert "code 0" in desk.run("echo code $?")


def test_a_killed_container_is_an_event_and_so_is_its_return(watched: Lab) -> None:
    watch = watched.raycluster_popen("status", "--watch", "-o", "jsonl")
    assert watch.stdout
    assert json.loads(watch.stdout.readline())["state"]["verdict"] == "healthy"
    told = map(json.loads, iter(watch.stdout.readline, ""))

    def until(*words: str) -> None:
        for event in told:
            if [event["host"], event["text"]] == list(words):
                return
        raise AssertionError(f"it never told {words}")

    watched.hosts["gpu2"].docker("kill", "raycluster-lab-gpu2")
    until("gpu2", "its container exited with code 137")
    until("", "is degraded")
    watched.hosts["gpu2"].docker("start", "raycluster-lab-gpu2")
    until("gpu2", "its container runs again")
    until("gpu2", "joined Ray")
    until("", "is healthy")
    watch.send_signal(signal.SIGINT)
    assert finished(watch).returncode == 0


def test_fifteen_seconds_of_it_cost_a_host_less_than_four_looks(watched: Lab) -> None:
    host = watched.hosts["gpu2"]
    give_gpus(host)
    began = spent(host)
    assert watched.raycluster("status").returncode == 0
    wait_until("the session of status has ended", lambda: spent(host) > began, 20)
    look, began = spent(host) - began, spent(host)
    with terminal(watched) as desk:
        desk.type("raycluster status --watch")
        desk.wait_for(", 15 s; q ends it")
        desk.press("q")
        desk.wait_for_prompt()
    wait_until("the session of the watch has ended", lambda: spent(host) > began, 20)
    assert spent(host) - began < 4 * look
