"""`raycluster check` on real hosts: each fault is made, found, told apart from its likes, and mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .host import Host
from .lab import Lab
from .seeing import bad, brought_up, containers, findings, good, listening, two_hosts

DROP = ("INPUT", "-p", "tcp", "--syn", "-s", "192.0.2.11", "-j", "DROP")


@contextmanager
def iptables(host: Host, *rule: str) -> Iterator[None]:
    host.run("iptables", "-I", *rule)
    try:
        yield
    finally:
        host.run("iptables", "-D", *rule)


def test_hosts_in_good_order_have_no_failure_and_nothing_is_left_there(lab: Lab) -> None:
    found = findings(lab, two_hosts(lab))
    said = {(each["host"], each["topic"]): each["text"] for each in found if each["level"] == "ok"}
    assert said["gpu1", "ssh"] == "as root, key ~/.ssh/id_ed25519"
    assert said["gpu2", "docker"].startswith("Engine ")
    assert said["gpu2", "address"] == "ip on eth0"
    assert said["gpu2", "ray"] == "Ray 2.60.0, Python 3.11.2"
    assert said["gpu2", "network"] == "the head reaches it"
    assert said["gpu1", "ports"] == "port 6379 free"
    assert good(found)
    assert lab.hosts["gpu2"].docker("ps", "--all", "--quiet") == ""
    assert lab.hosts["gpu2"].run("ls", "-A", "/root").stdout == ""


def test_people_are_told_by_topic_with_the_hosts_and_a_line_that_mends_it(lab: Lab) -> None:
    lab.hosts["gpu2"].stop_docker()
    check = lab.raycluster("check", two_hosts(lab))
    assert check.returncode == 3
    assert "✗ docker     gpu2  Cannot connect to the Docker daemon" in check.stdout
    assert "→ on gpu2: sudo systemctl start docker" in check.stdout
    assert "✓ docker     gpu1  Engine " in check.stdout
    assert "cluster lab: 1 failure, " in check.stdout.splitlines()[-2]


def test_a_host_that_cannot_be_reached(lab: Lab) -> None:
    lab.hosts["gpu2"].stop_ssh()
    text, fix = bad(lab, two_hosts(lab), "gpu2", "ssh")
    assert text == "192.0.2.12:22 refuses connections"
    assert "is sshd running there" in fix


def test_a_port_that_another_program_holds_is_named_with_its_holder_and_up_says_the_same(lab: Lab) -> None:
    inventory = lab.inventory(workers=[])
    with listening(lab.hosts["gpu1"], 6379):
        text, fix = bad(lab, inventory, "gpu1", "ports")
        assert text.startswith("port 6379, for Ray's GCS, is held by python3 (pid ")
        up = lab.raycluster("up", inventory)
        assert up.returncode == 1
        assert f"gpu1  {text}" in up.stderr
        assert f"→ {fix}" in up.stderr
        assert containers(lab) == {}
    brought_up(lab, inventory)


def test_a_pinned_port_is_looked_after_on_workers_too(lab: Lab) -> None:
    with listening(lab.hosts["gpu2"], 6381):
        text, _ = bad(lab, two_hosts(lab, ray={"ports": "pinned"}), "gpu2", "ports")
        assert text.startswith("port 6381, for Ray's object manager, is held by python3")


def test_a_firewall_in_one_direction_is_told_from_a_missing_route_and_its_rule_opens_it(lab: Lab) -> None:
    inventory, gpu2 = two_hosts(lab), lab.hosts["gpu2"]
    with iptables(gpu2, *DROP):
        text, fix = bad(lab, inventory, "gpu2", "network")
        assert text.startswith("gpu1 does not reach it at 192.0.2.12:")
        assert "a firewall, for the host answers, but this port is dropped" in text
        rule = "-I INPUT -p tcp -s 192.0.2.11,192.0.2.12 -m multiport --dports 6379,"
        assert fix.startswith(f"on gpu2: sudo iptables {rule}")
        gpu2.run(*fix.removeprefix("on gpu2: sudo ").split())
        try:
            assert good(findings(lab, inventory))
        finally:
            gpu2.run("iptables", "-F", "INPUT")
            gpu2.run("iptables", "-I", *DROP)  # for `iptables` above to take away


def test_a_firewall_that_refuses_is_one_too(lab: Lab) -> None:
    reject = ("INPUT", "-p", "tcp", "--dport", "6379", "-j", "REJECT", "--reject-with", "tcp-reset")
    with iptables(lab.hosts["gpu1"], *reject):
        text, _ = bad(lab, two_hosts(lab), "gpu1", "network")
        assert "gpu2 does not reach it at 192.0.2.11:6379: a firewall" in text
        assert text.endswith("this port is refused")


def test_a_missing_route(lab: Lab) -> None:
    gpu1, inventory = lab.hosts["gpu1"], two_hosts(lab)
    gpu1.run("ip", "route", "add", "unreachable", "192.0.2.12/32")
    try:
        text, fix = bad(lab, inventory, "gpu2", "network")
    finally:
        gpu1.run("ip", "route", "del", "unreachable", "192.0.2.12/32")
    assert "gpu1 does not reach it at 192.0.2.12:" in text
    assert "no route" in text
    assert fix == f"raycluster exec -i {inventory} -l gpu1 --on-host -- ip route get 192.0.2.12"


def test_two_versions_of_ray(lab: Lab) -> None:
    gpu2 = lab.hosts["gpu2"]
    gpu2.docker("tag", "raylab:latest", "raylab:kept")
    gpu2.docker("tag", "raylab:old", "raylab:latest")
    try:
        found = [each for each in findings(lab, two_hosts(lab)) if each["level"] != "ok"]
    finally:
        gpu2.docker("tag", "raylab:kept", "raylab:latest")
    said = {(each["host"], each["topic"]): each["text"] for each in found}
    assert said["gpu2", "ray"].startswith("has Ray 2.54.0, Python 3.11.2, gpu1 has Ray 2.60.0, ")
    assert said["gpu2", "image"].startswith("has image ")


def test_an_image_without_ray_and_one_that_is_not_there(lab: Lab) -> None:
    for name in ("gpu1", "gpu2"):
        lab.hosts[name].variant("raylab:noray", "rm /usr/local/bin/ray")
    text, fix = bad(lab, two_hosts(lab, image="raylab:noray"), "gpu2", "ray")
    assert text == "the image has Ray 2.60.0, but no command `ray`, nor do the places where it might be"
    assert fix == "install Ray there with pip, which makes the command"
    text, _ = bad(lab, two_hosts(lab, image="raylab:absent"), "gpu2", "image")
    assert text == "image raylab:absent is not on this host, and `docker.pull` is never"
    text, _ = bad(lab, two_hosts(lab, image="raylab:absent", docker={"pull": "missing"}), "gpu2", "image")
    assert text.startswith("raylab:absent is not there, and pulling it may fail: ")


def test_a_deep_check_says_of_an_image_without_torch_that_it_has_none(lab: Lab) -> None:
    answer = lab.raycluster("check", "--deep", two_hosts(lab))
    assert answer.returncode == 3
    assert "✗ torch      all hosts  the image's torch cannot be used: ModuleNotFoundError: " in answer.stdout
    assert answer.stdout.splitlines()[-2].startswith("cluster lab: 1 failure, ")
    assert containers(lab, "raycluster.trial") == {}


def test_a_missing_driver_and_a_missing_toolkit_are_two_things(lab: Lab) -> None:
    inventory = two_hosts(lab, worker={"accelerator": "nvidia"})
    found = [each for each in findings(lab, inventory) if each["level"] != "ok" and each["topic"] == "gpus"]
    assert {each["text"] for each in found} == {
        "there is no NVIDIA driver on it (no NVIDIA card on its bus)",
        "the NVIDIA container toolkit is not there",
    }


def test_docker_arguments_that_docker_does_not_take(lab: Lab) -> None:
    text, _ = bad(lab, two_hosts(lab, worker={"docker": {"args": ["--no-such-option"]}}), "gpu2", "image")
    assert text == "a container from it does not start: unknown flag: --no-such-option"


def test_podmans_limit_of_processes_and_threads_is_told_where_it_holds(lab: Lab) -> None:
    """Docker has none, unless it is told one."""
    inventory = two_hosts(lab, worker={"docker": {"args": ["--pids-limit=2048"]}})
    told = [each for each in findings(lab, inventory) if "processes and threads" in each["text"]]
    assert [(each["host"], each["level"]) for each in told] == [("gpu2", "warning")]
    assert "add `--pids-limit=-1` to `docker.args`" in told[0]["fix"]


def test_one_machine_twice_and_up_says_the_same(lab: Lab) -> None:
    lab.hosts["gpu1"].run("ip", "address", "add", "192.0.2.99/24", "dev", "eth0")
    inventory = two_hosts(lab, worker={"host": "192.0.2.11", "ip": "192.0.2.99"})
    try:
        text, fix = bad(lab, inventory, "gpu2", "address")
        up = lab.raycluster("up", inventory)
    finally:
        lab.hosts["gpu1"].run("ip", "address", "del", "192.0.2.99/24", "dev", "eth0")
    assert text.startswith("is the same machine as gpu1: both have the network card 02:00:")
    assert (up.returncode, f"gpu2  {text}" in up.stderr, f"→ {fix}" in up.stderr) == (1, True, True)
    assert containers(lab) == {}


FAST_CLOCK = r"""printf '#!/bin/sh\nexec /bin/date -d "+90 seconds" "$@"\n'"""


@pytest.mark.parametrize(
    ("make", "unmake", "changes", "host", "topic", "said", "mends"),
    [
        (
            "ip link set eth0 mtu 1400",
            "ip link set eth0 mtu 1500",
            {},
            *("gpu2", "address", "has MTU 1400, gpu1 has MTU 1500", "one MTU"),
        ),
        (
            "mkdir -p /root/.cache && mount -t tmpfs -o size=1m,ro none /root/.cache",
            "umount /root/.cache",
            {"hf_home": "/root/.cache"},
            *("gpu2", "hf_home", "/root/.cache cannot be written by containers", "let root write there"),
        ),
        (
            "ip address add 8.8.4.4/32 dev eth0",
            "ip address del 8.8.4.4/32 dev eth0",
            {"worker": {"ip": "8.8.4.4"}},
            *("gpu2", "address", "8.8.4.4 is a public address", "an address of a private network"),
        ),
        (
            f"mkdir /root/bin && {FAST_CLOCK} >/root/bin/date && chmod +x /root/bin/date"
            " && echo 'PATH=/root/bin:$PATH' >/root/.bashrc",
            "rm -r /root/bin /root/.bashrc",
            {},
            *("gpu2", "clock", "its clock is 90 s ahead of gpu1's", "sudo timedatectl set-ntp true"),
        ),
        (
            "docker run -d --name node-4711 raylab bash -c 'sleep 300; ray start --head'",
            "docker rm -f node-4711",
            {},
            *(
                "gpu2",
                "containers",
                "node-4711 runs Ray there too, by hand, as run_cluster.sh does",
                "stop one",
            ),
        ),
        (
            "hostname localhost",
            "hostname gpu2",
            {},
            *("gpu2", "address", "its name localhost resolves to 127.0.0.1 there", "/etc/hosts"),
        ),
    ],
)
def test_what_is_wrong_with_a_host_is_found(
    lab: Lab, make: str, unmake: str, changes: dict[str, Any], host: str, topic: str, said: str, mends: str
) -> None:
    inventory = two_hosts(lab, **changes)
    lab.hosts["gpu2"].run("bash", "-c", make)
    try:
        found = findings(lab, inventory)
    finally:
        lab.hosts["gpu2"].run("bash", "-c", unmake)
    about = (
        each for each in found if (each["host"], each["topic"]) == (host, topic) and each["level"] != "ok"
    )
    fixes = [each["fix"] for each in about if said in each["text"]]
    assert len(fixes) == 1
    assert mends in fixes[0]
