"""Images from host to host while something goes wrong: who leaves is named, the others get it, and nothing is left."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.lab import network
from tests.lab.host import Host
from tests.lab.image import TAG
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.registry import registry, small_image
from tests.lab.seeing import failed, finished
from tests.lab.test_check import iptables

IMAGE = "fat:1"
SIZE = 40_000_000
MAKE = """
cd "$(mktemp -d)"
head -c "$1" /dev/urandom >fat
tar c fat | docker import - "$2" >/dev/null
rm fat
"""
MAKE_HALF = """
cd "$(mktemp -d)"
head -c "$1" /dev/urandom >fat
head -c "$1" /dev/zero >>fat
tar c fat | docker import - "$2" >/dev/null
rm fat
"""
LAYERED = "fat:2"
ADD = """
cd "$(mktemp -d)"
head -c "$1" /dev/urandom >layer
printf 'FROM %s\\nCOPY layer /layer\\n' "$3" >Dockerfile
docker build -q -t "$2" . >/dev/null 2>&1
rm layer
"""
PORTS = ("-p", "tcp", "--dport", "10002:19999", "-j", "DROP")
RELAYS = "python[3] -c import base64,zlib"
STRANGER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
got = b""
try:
    with context.wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)) as wire:
        wire.sendall(b'{"from": 0, "behind": [0]}\\n')
        got = wire.recv(1000)
except OSError:
    pass
print(len(got))
"""


@pytest.fixture
def slow(lab: Lab) -> Iterator[Lab]:
    """The first host has an image that takes some ten seconds over its cable."""
    for host in lab.hosts.values():
        host.docker("rmi", "--force", IMAGE, check=False)
    lab.hosts["gpu1"].run("sh", "-ec", MAKE, "make", str(SIZE), IMAGE)
    with network.limited("40mbit", *lab.hosts):
        yield lab
    lab.mend()
    for host in lab.hosts.values():
        host.docker("rmi", "--force", IMAGE, check=False)


def copying(lab: Lab, *words: str | Path) -> Popen[str]:
    """A copy that is under way: the last host has some of it."""
    running = lab.raycluster_popen("image", "copy", IMAGE, "-i", lab.inventory(), "-o", "jsonl", *words)
    assert running.stdout
    for line in running.stdout:
        if '"event": "step-progress", "host": "gpu3"' in line and '"done": 0' not in line:
            return running
    raise AssertionError(running.stderr.read() if running.stderr else "")


def relays(lab: Lab) -> list[str]:
    """The hosts on which something of a copy still runs."""
    words = ("pgrep", "-f", f"{RELAYS}|docker (load|save)")
    return [name for name, host in lab.hosts.items() if host.run(*words, check=False).stdout]


def has(host: Host) -> bool:
    return bool(host.docker("images", "--quiet", IMAGE))


def test_a_host_that_is_lost_in_the_middle_leaves_by_name_and_those_behind_it_get_the_image(
    slow: Lab,
) -> None:
    running = copying(slow)
    slow.hosts["gpu2"].cut()
    ended = finished(running)
    assert ended.returncode == 1
    result = ended.stdout.splitlines()[-1]
    assert '"hosts": ["gpu2"]' in result
    assert "took nothing for" in result
    assert has(slow.hosts["gpu3"])
    slow.hosts["gpu2"].mend()
    again = slow.raycluster("image", "copy", IMAGE, "-i", slow.inventory())
    assert again.returncode == 0, again.stderr
    assert "(copied to gpu2 in " in again.stdout


def test_a_relay_that_is_killed_is_gone_around(slow: Lab) -> None:
    running = copying(slow)
    slow.hosts["gpu2"].run("pkill", "-KILL", "-f", RELAYS)
    ended = finished(running)
    assert ended.returncode == 1
    assert '"hosts": ["gpu2"], "what": "load fat:1 from gpu1: ' in ended.stdout.splitlines()[-1]
    assert has(slow.hosts["gpu3"])
    assert not has(slow.hosts["gpu2"])


def test_an_interrupted_copy_ends_on_every_host_and_leaves_nothing_half_loaded(slow: Lab) -> None:
    running = copying(slow)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    wait_until("nothing of the copy runs", lambda: not relays(slow), 2)
    assert time.monotonic() - began < 3
    assert finished(running).returncode == 130
    assert not has(slow.hosts["gpu2"])
    assert not has(slow.hosts["gpu3"])
    for host in slow.hosts.values():
        assert not host.run(
            "sh", "-c", "grep -rls 'PRIVATE KEY' /tmp /var/tmp /dev/shm /run/user", check=False
        ).stdout
        ports = host.run("ss", "-Hltn", "sport >= 10002 and sport <= 19999").stdout
        assert not ports


def test_hosts_that_do_not_reach_each_other_get_it_through_the_laptop_and_the_rule_is_told(slow: Lab) -> None:
    with iptables(slow.hosts["gpu1"], "INPUT", *PORTS):
        copy = slow.raycluster("image", "copy", IMAGE, "-i", slow.inventory())
    assert copy.returncode == 0, copy.stderr
    assert f"all 3 hosts have {IMAGE}, sha256:" in copy.stdout
    for name in ("gpu2", "gpu3"):
        assert f"! {name}: gets it through this machine: does not reach 192.0.2.11:1" in copy.stderr
    assert "on gpu1: sudo iptables -I INPUT -p tcp -s " in copy.stderr


def test_a_host_that_nobody_reaches_comes_last_in_the_chain(slow: Lab) -> None:
    with iptables(slow.hosts["gpu2"], "INPUT", *PORTS):
        copy = slow.raycluster("image", "copy", IMAGE, "-i", slow.inventory())
    assert copy.returncode == 0, copy.stderr
    assert "through this machine" not in copy.stderr
    assert "! gpu3: does not reach 192.0.2.12:1" in copy.stderr


def test_a_host_without_python_gets_it_through_the_laptop(slow: Lab) -> None:
    gpu3 = slow.hosts["gpu3"]
    gpu3.run("sh", "-c", "mount --bind /dev/null $(readlink -f /usr/bin/python3)")
    try:
        copy = slow.raycluster("image", "copy", IMAGE, "-i", slow.inventory())
    finally:
        gpu3.run("sh", "-c", "umount $(readlink -f /usr/bin/python3)")
    assert copy.returncode == 0, copy.stderr
    assert "! gpu3: gets it through this machine: this host has no python3" in copy.stderr
    assert "! gpu2" not in copy.stderr


def test_a_stranger_on_another_host_gets_nothing_and_people_are_told(slow: Lab) -> None:
    running = copying(slow)
    gpu1, gpu3 = slow.hosts["gpu1"], slow.hosts["gpu3"]
    port = gpu1.run("ss", "-Hltn", "sport >= 10002 and sport <= 19999").stdout.split()[3].rpartition(":")[2]
    assert gpu3.run("python3", "-c", STRANGER, gpu1.address, port).stdout == "0\n"
    ended = finished(running)
    assert ended.returncode == 0, ended.stderr
    note = next(line for line in ended.stdout.splitlines() if '"event": "note"' in line)
    assert "somebody at 192.0.2.13 spoke to its relay without this run's certificate, and got nothing" in note


def test_a_full_disk_half_way_is_told_in_dockers_words_and_the_others_go_on(slow: Lab) -> None:
    gpu2 = slow.hosts["gpu2"]
    gpu2.run("mount", "-t", "tmpfs", "-o", "size=8m", "none", "/var/lib/docker/tmp")
    copy = slow.raycluster("image", "copy", IMAGE, "-i", slow.inventory())
    failed(copy, f"gpu2  load {IMAGE} from gpu1: ", "no space left on device (exit code 1)\n")
    assert has(slow.hosts["gpu3"])


def test_a_registry_that_only_the_head_reaches_is_enough(slow: Lab) -> None:
    lab, name = slow, f"{network.LAPTOP}:5000/small:once"
    registry(lab)
    first = lab.hosts["gpu1"]
    small_image(first, name, "one", "two")
    first.docker("push", name)
    first.docker("rmi", "--force", name)
    away = ("OUTPUT", "-p", "tcp", "-d", network.LAPTOP, "--dport", "5000", "-j", "REJECT")
    inventory = lab.inventory(image=name, docker={"pull": "missing"})
    with iptables(lab.hosts["gpu2"], *away), iptables(lab.hosts["gpu3"], *away):
        each = lab.raycluster("pull", inventory)
        assert each.returncode == 1
        once = lab.raycluster("pull", "--once", inventory)
        for host in ("gpu2", "gpu3"):
            lab.hosts[host].docker("rmi", "--force", name)
        by_key = lab.raycluster("pull", lab.inventory(image={"from": name, "get_on": "head"}))
    assert by_key.returncode == 0, by_key.stderr
    assert "(pulled on gpu1, copied to gpu2, gpu3, " in by_key.stdout
    assert once.returncode == 0, once.stderr
    assert f"all 3 hosts have {name}, sha256:" in once.stdout
    assert "(pulled on gpu1, copied to gpu2, gpu3, " in once.stdout
    for each_host in lab.hosts.values():
        each_host.docker("rmi", "--force", name)


def test_the_laptop_gives_an_image_once_and_the_hosts_pass_it_on(slow: Lab) -> None:
    """Its Docker is gpu1's, by SSH: a laptop of the lab has none of its own. Half of the image is one letter."""
    slow.hosts["gpu1"].run("sh", "-ec", MAKE_HALF, "make", str(SIZE // 2), IMAGE)
    laptop, gpu2 = network.counted("laptop", "rx"), network.counted("gpu2", "rx")
    mine = {"DOCKER_HOST": f"ssh://{slow.hosts['gpu1'].address}"}
    words = ("image", "copy", IMAGE, "-i", slow.inventory(), "-l", "gpu2,gpu3", "--from", "laptop")
    copy = slow.raycluster(*words, env=mine)
    assert copy.returncode == 0, copy.stderr
    assert f"laptop, gpu2, gpu3 have {IMAGE}, sha256:" in copy.stdout
    assert network.counted("laptop", "rx") - laptop < 0.7 * SIZE
    assert network.counted("gpu2", "rx") - gpu2 > SIZE


def test_up_gives_the_heads_image_to_workers_that_have_none_or_another(lab: Lab) -> None:
    name = "raylab:heads"
    lab.hosts["gpu1"].docker("tag", TAG, name)
    small_image(lab.hosts["gpu3"], name, "another")
    inventory = lab.inventory(image={"from": name, "get_on": "head"}, engine="mp")
    try:
        up = lab.raycluster("up", inventory, timeout=300)
        assert up.returncode == 0, up.stderr
        assert {host.docker("images", "--quiet", name) for host in lab.hosts.values()} == {
            lab.hosts["gpu1"].docker("images", "--quiet", TAG)
        }
        assert "is up already, nothing to do" in lab.raycluster("up", inventory).stdout
    finally:
        lab.raycluster("down", "-y", inventory)
        for host in lab.hosts.values():
            host.docker("rmi", "--force", name, check=False)


def test_of_an_image_on_one_that_all_have_only_the_layer_is_sent(slow: Lab) -> None:
    first = slow.hosts["gpu1"]
    first.run("sh", "-ec", ADD, "add", "5000000", LAYERED, TAG)
    before = network.counted("gpu3", "tx")
    copy = slow.raycluster("image", "copy", LAYERED, "-i", slow.inventory(), "-o", "jsonl")
    assert copy.returncode == 0, copy.stderr
    *events, result = map(json.loads, copy.stdout.splitlines())
    assert f"all 3 hosts have {LAYERED}, sha256:" in result["message"]
    totals = [each["total"] for each in events if each["event"] == "step-progress" and each["done"]]
    assert totals
    assert all(5_000_000 <= each < 5_200_000 for each in totals), totals
    assert network.counted("gpu3", "tx") - before < 1.2 * 5_000_000
    for host in slow.hosts.values():
        host.docker("rmi", "--force", LAYERED)
