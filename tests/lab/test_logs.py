"""`raycluster logs` on real hosts: merged, followed through a cut cable, and gone when it is left."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice

import pytest

from . import faults
from .host import Host
from .lab import Lab
from .processes import wait_until
from .seeing import heard, ids, two_hosts

SAYS = "echo {} >/proc/1/fd/1"
FOLLOWERS = "follow-log[s]|docker log[s]"


def say(lab: Lab, host: str, *texts: str) -> None:
    """The host's container says this, as its first process would."""
    said = "; ".join(SAYS.format(text) for text in texts)
    lab.hosts[host].docker("exec", f"raycluster-lab-{host}", "sh", "-c", said)


def ray_is_silent(lab: Lab, host: str) -> bool:
    """Whether `ray start` has printed its last line, in each life: a worker joins before it has."""
    log = lab.hosts[host].docker("logs", f"raycluster-lab-{host}")
    return log.count("Process exit logs will be saved") == log.count("Local node IP") > 0


@pytest.fixture
def following(cluster: Lab) -> Iterator[subprocess.Popen[str]]:
    """`logs -f`, begun on both hosts."""
    inventory = two_hosts(cluster, ssh={"connect_timeout": 3})
    for host in ("gpu1", "gpu2"):
        wait_until(f"Ray on {host} has no more to say", partial(ray_is_silent, cluster, host), 20)
    running = cluster.raycluster_popen("logs", "-i", inventory, "-f", "-n", "0")
    for host in ("gpu1", "gpu2"):
        cluster.hosts[host].catch("docker logs --follo[w]")
    yield running
    running.kill()
    running.communicate()


def shown(running: subprocess.Popen[str], lines: int) -> list[str]:
    """So many lines that it shows next."""
    assert running.stdout
    return [line.rstrip("\n") for line in islice(running.stdout, lines)]


def nobody_follows(host: Host) -> None:
    wait_until(f"nobody follows on {host.name}", lambda: not host.runs(FOLLOWERS), 20)


def test_the_logs_of_all_hosts_in_order_of_time_and_of_those_that_stand_when_one_does_not(
    cluster: Lab,
) -> None:
    inventory = two_hosts(cluster, ssh={"connect_timeout": 3})
    for host, number in (("gpu2", 1), ("gpu1", 2), ("gpu2", 3)):
        say(cluster, host, f"number {number}")
    all_ = cluster.raycluster("logs", "-i", inventory)
    assert (all_.returncode, all_.stderr) == (0, "")
    numbers = [line for line in all_.stdout.splitlines() if "| number" in line]  # Ray may have a word between
    assert numbers == ["gpu2 | number 1", "gpu1 | number 2", "gpu2 | number 3"]
    assert re.search(r"^gpu1 \| .*Ray runtime started\.$", all_.stdout, re.MULTILINE)

    cluster.hosts["gpu2"].cut()
    say(cluster, "gpu1", "number 4")
    rest = cluster.raycluster("logs", "-n", "1", env={"RAYCLUSTER_INVENTORY": str(inventory)})
    assert (rest.returncode, rest.stdout) == (1, "gpu1 | number 4\n")
    assert "✗ gpu2  192.0.2.12:22 does not answer" in rest.stderr


@pytest.mark.long
def test_a_follower_that_loses_a_host_says_so_and_goes_on_without_a_line_lost_or_told_twice(
    cluster: Lab, following: subprocess.Popen[str]
) -> None:
    say(cluster, "gpu2", "number 1", "number 2")
    assert shown(following, 2) == ["gpu2 | number 1", "gpu2 | number 2"]
    cluster.hosts["gpu2"].cut()
    heard(following, "gpu2: 192.0.2.12:22 does not answer any more; trying again")
    say(cluster, "gpu2", "number 3", "number 4")
    say(cluster, "gpu1", "meanwhile")
    assert shown(following, 1) == ["gpu1 | meanwhile"]
    cluster.hosts["gpu2"].mend()
    heard(following, "gpu2: answers again")
    assert shown(following, 2) == ["gpu2 | number 3", "gpu2 | number 4"]

    faults.drop_connections(cluster.hosts["gpu2"])
    say(cluster, "gpu2", "number 5")
    heard(following, "gpu2: the connection to 192.0.2.12:22 was lost; trying again")
    heard(following, "gpu2: answers again")
    say(cluster, "gpu2", "number 6")
    assert shown(following, 2) == ["gpu2 | number 5", "gpu2 | number 6"]


@pytest.mark.parametrize(
    ("number", "exit_code"),
    [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["ctrl-c", "killed"],
)
def test_a_follower_that_is_left_ends_at_once_and_leaves_nothing_on_the_hosts(
    cluster: Lab, following: subprocess.Popen[str], number: signal.Signals, exit_code: int
) -> None:
    following.send_signal(number)
    stdout, stderr = following.communicate(timeout=3)
    assert (following.returncode, stdout, stderr) == (exit_code, "", "")
    for host in ("gpu1", "gpu2"):
        nobody_follows(cluster.hosts[host])


def test_a_container_that_is_replaced_is_followed_from_one_to_the_next(
    cluster: Lab, following: subprocess.Popen[str]
) -> None:
    before = ids(cluster)
    cluster.hosts["gpu2"].docker("kill", "raycluster-lab-gpu2")
    heard(following, "gpu2: its container exited with code 137; waiting for it to start again")
    cluster.hosts["gpu2"].docker("rm", "raycluster-lab-gpu2")
    heard(following, "gpu2: its container is gone; waiting for another")
    assert cluster.raycluster("up", two_hosts(cluster)).returncode == 0
    heard(following, "gpu2: a new container is there")
    assert len(ids(cluster) - before) == 1
    say(cluster, "gpu2", "of the new one")
    assert "gpu2 | of the new one" in until(following, "of the new one")


def until(running: subprocess.Popen[str], words: str) -> list[str]:
    """The lines up to one with these words."""
    assert running.stdout
    lines = []
    for line in running.stdout:
        lines.append(line.rstrip("\n"))
        if words in line:
            break
    return lines


def test_rays_own_logs_from_inside_the_containers_and_as_they_grow(cluster: Lab) -> None:
    inventory = two_hosts(cluster)
    once = cluster.raycluster("logs", "-i", inventory, "--ray", "-n", "all")
    assert (once.returncode, once.stderr) == (0, "")
    assert re.search(r"^gpu1 gcs_server\.out +\| .*\(gcs_server\)", once.stdout, re.MULTILINE)
    assert re.search(r"^gpu2 raylet\.out +\| .*\(raylet\)", once.stdout, re.MULTILINE)
    assert "worker-" not in {line.split()[1] for line in once.stdout.splitlines()}

    running = cluster.raycluster_popen("logs", "-i", inventory, "gpu2", "--ray", "-f", "-n", "0")
    cluster.hosts["gpu2"].catch("docker exec --interactiv[e]")
    file = "/tmp/ray/session_latest/logs/raylet.err"
    cluster.hosts["gpu2"].docker("exec", "raycluster-lab-gpu2", "sh", "-c", f"sleep 1; echo grown >>{file}")
    assert re.fullmatch(r"gpu2 raylet\.err +\| grown", until(running, "grown")[-1])
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=3) == 130
    inside = ("exec", "raycluster-lab-gpu2", "pgrep", "-fc", 'session_latest/log[s]"')
    wait_until("nobody reads inside", lambda: cluster.hosts["gpu2"].docker(*inside, check=False) == "0", 20)


def test_a_log_of_a_hundred_thousand_lines_takes_seconds_and_may_be_left_half_read(cluster: Lab) -> None:
    container = "raycluster-lab-gpu1"
    cluster.hosts["gpu1"].docker("exec", container, "sh", "-c", "seq 100000 >/proc/1/fd/1")
    began = time.monotonic()
    told = cluster.raycluster("logs", "-i", two_hosts(cluster), "gpu1")
    assert told.stdout.count("\n") > 100_000
    assert time.monotonic() < began + 20
    argv, env = cluster.raycluster_command("logs", "-i", two_hosts(cluster))
    left = cluster.laptop(["sh", "-c", '"$@" | head -1', "sh", *argv], env=env)
    assert (left.stdout.count("\n"), left.stderr) == (1, "")


def test_a_reader_that_has_enough_ends_it_here_and_on_the_hosts(cluster: Lab) -> None:
    argv, env = cluster.raycluster_command("logs", "-i", two_hosts(cluster), "-f")
    left = cluster.laptop(["bash", "-c", '"$@" | head -1; echo ${PIPESTATUS[0]}', "bash", *argv], env=env)
    assert (left.stdout.splitlines()[1:], left.stderr) == (["141"], "")
    for host in ("gpu1", "gpu2"):
        wait_until("nobody follows", lambda host=host: not cluster.hosts[host].runs(FOLLOWERS), 10)  # type: ignore[misc]
