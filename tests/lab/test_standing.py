"""A cluster that stands on two real hosts: how it came up before a person's eyes, checked, joined by another worker."""

import os
import pty
import re
from contextlib import suppress

from .lab import Lab
from .seeing import containers, findings, good, ids, two_hosts

TWO = {"raycluster-lab-gpu1": "running", "raycluster-lab-gpu2": "running"}


def test_on_a_terminal_the_hosts_are_shown_live_and_the_end_stays(lab_with_cluster: Lab) -> None:
    """It comes up here; the tests below find it standing."""
    lab = lab_with_cluster
    lab.restore()
    ours, theirs = pty.openpty()
    up = lab.raycluster_popen("up", two_hosts(lab), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = _all_of(ours)
    assert up.wait(timeout=120) == 0
    assert "gpu2  start its container" in shown
    assert "✓  gpu2  joined, 8 GPUs" in shown
    assert "cluster lab is up: Ray 2.60.0 lists all 2 hosts, 16 GPUs" in shown


def _all_of(terminal: int) -> str:
    """What a terminal shows until its program ends, without colours."""
    said = b""
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as screen:
        while piece := screen.read(65536):
            said += piece
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())


def test_a_cluster_that_stands_is_no_fault_and_is_left_standing(cluster: Lab) -> None:
    found = findings(cluster, two_hosts(cluster))
    assert good(found)
    assert ("gpu1", "the head reaches it") not in {(each["host"], each["text"]) for each in found}
    assert {"the head reaches it", "1 worker reaches it"} <= {each["text"] for each in found}
    assert containers(cluster) == TWO


def test_a_worker_added_to_the_file_joins_the_cluster_that_runs_and_gets_its_token(cluster: Lab) -> None:
    hosts, before = cluster.hosts, ids(cluster)
    up = cluster.raycluster("up", cluster.inventory())
    assert up.returncode == 0, up.stderr
    assert "gpu3: no container yet" in up.stderr
    assert "gpu1: start" not in up.stderr
    assert before < ids(cluster)
    assert containers(cluster) == TWO | {"raycluster-lab-gpu3": "running"}
    tokens = {hosts[host].run("cat", f"/root/.raycluster/lab/{host}.token").stdout for host in hosts}
    assert len(tokens) == 1
    folder = "/root/.raycluster/lab"
    assert hosts["gpu3"].run("stat", "-c", "%a", folder, f"{folder}/gpu3.token").stdout == "700\n644\n"
