"""Ray's ports: pinned, needed, opened between hosts, tried, and spelled."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import PINNED_PORTS, WORKER_PORTS, Cluster, Ports, Ray
from orchestrator.plan.ray import ports
from orchestrator.plan.ray.commands import start
from tests.plan.worlds import cluster

RANDOM = cluster(workers=1, ray=Ray(port=7000))
PINNED = replace(RANDOM, ray=Ray(port=7000, ports=Ports.PINNED))
ON_EACH = (
    *("--node-manager-port=7001", "--object-manager-port=7002", "--runtime-env-agent-port=7003"),
    *("--dashboard-agent-grpc-port=7004", "--dashboard-agent-listen-port=7005", "--metrics-export-port=7006"),
)


def test_unpinned_ports_are_left_to_ray() -> None:
    for node in RANDOM.nodes:
        assert (ports.flags(RANDOM, node), ports.variables(RANDOM, node)) == ((), {})


def test_pinned_ports_follow_the_gcs_port() -> None:
    (worker,) = PINNED.workers
    assert ports.flags(PINNED, worker) == ON_EACH
    assert ports.flags(PINNED, PINNED.head) == (*ON_EACH, "--dashboard-port=7007")
    assert ports.variables(PINNED, worker) == {}
    assert ports.variables(PINNED, PINNED.head) == {
        "AUTOSCALER_METRIC_PORT": "7008",
        "DASHBOARD_METRIC_PORT": "7009",
    }


def test_there_are_as_many_pinned_ports_as_the_inventory_is_checked_for() -> None:
    assert sorted(ports.required_ports(PINNED, PINNED.head)) == list(range(7000, 7000 + PINNED_PORTS))


def test_the_heads_client_server_is_pinned_where_its_image_has_one() -> None:
    """An image without is refused by Ray, if it is told of a port for it."""
    asks = f'{ports.OF_RAY}; ${{by:-python3}} -c "import grpc" 2>/dev/null'
    pinned = f" $({asks} && echo --ray-client-server-port=7010)"
    (worker,) = PINNED.workers
    assert ports.of_client(PINNED, PINNED.head) == pinned
    assert (ports.of_client(PINNED, worker), ports.of_client(RANDOM, RANDOM.head)) == ("", "")
    told = replace(PINNED.head, ray_args=("--ray-client-server-port", "20001"))
    assert ports.of_client(PINNED, told) == ""


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ("#!{0}/venv/bin/python3", "the venv's"),
        ("#! {0}/venv/bin/python3 -s", "the venv's"),
        ("#!/usr/bin/env of_env_python3", "env's"),
        ("#!/bin/sh\n'''exec' {0}/too/long/python3 \"$0\" \"$@\"", "the first of the PATH"),
        ("#!/bin/bash\nexec /opt/venv/bin/ray", "the first of the PATH"),
        ("", "the first of the PATH"),
    ],
)
def test_whether_there_is_a_client_server_is_asked_of_the_python_that_ray_runs_on(
    tmp_path: Path, script: str, asked: str
) -> None:
    notes = f'case "$*" in *\'-c import grpc\') echo "$name" >{tmp_path}/asked ;; esac\n'
    for path, text in (
        ("venv/bin/python3", f'#!/bin/sh\nname="the venv\'s"\n{notes}'),
        ("bin/of_env_python3", f'#!/bin/sh\nname="env\'s"\n{notes}'),
        ("bin/python3", f'#!/bin/sh\nname="the first of the PATH"\n{notes}'),
        ("bin/ray", script.format(tmp_path)),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    line = f"echo{ports.of_client(PINNED, PINNED.head)}"
    env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout == "--ray-client-server-port=7010\n"
    assert (tmp_path / "asked").read_text() == f"{asked}\n"


def test_the_ports_that_two_heads_would_share_are_those_that_are_not_pinned() -> None:
    (worker,) = RANDOM.workers
    assert sorted(ports.shared_ports(RANDOM, RANDOM.head)) == [8265, 10001]
    assert ports.shared_ports(RANDOM, worker) == ports.shared_ports(PINNED, PINNED.head) == {}
    told = replace(RANDOM.head, ray_args=("--dashboard-port=1", "--dashboard-port=8300"))
    assert sorted(ports.shared_ports(RANDOM, told)) == [8300, 10001]


def test_agents_of_ray_before_2_54_are_let_through_above_the_systems_own_ports() -> None:
    assert ports.open_between_hosts(RANDOM, (2, 52, 1))[-1] == range(32768, 65536)
    assert ports.open_between_hosts(RANDOM, (2, 54, 0))[-1] == range(32768, 61000)
    assert ports.open_between_hosts(PINNED, (2, 52, 1)) == ports.open_between_hosts(PINNED)


def test_the_numbers_that_must_be_free_are_told_with_what_for() -> None:
    (worker,) = PINNED.workers
    assert ports.required_ports(RANDOM, RANDOM.head) == {7000: "Ray's GCS"}
    assert ports.required_ports(RANDOM, worker) == {}
    assert ports.required_ports(PINNED, worker) == {
        7001: "Ray's node manager",
        7002: "Ray's object manager",
        7003: "Ray's runtime env agent",
        7004: "Ray's dashboard agent (gRPC)",
        7005: "Ray's dashboard agent (HTTP)",
        7006: "Ray's metrics",
    }


@pytest.mark.parametrize(
    ("of", "opened"), [(RANDOM, "7000,10002:19999,32768:60999"), (PINNED, "7000:7010,10002:19999")]
)
def test_the_ports_that_have_to_be_open_between_hosts(of: Cluster, opened: str) -> None:
    assert ports.format_ports(ports.open_between_hosts(of), ":") == opened


@pytest.mark.parametrize("of", [RANDOM, PINNED])
def test_every_port_that_is_tried_is_one_that_the_rule_opens(of: Cluster) -> None:
    opened = ports.open_between_hosts(of)
    for node in of.nodes:
        tried = ports.probe_ports(of, node, frozenset())
        assert all(any(port in each for each in opened) for port in tried)


def test_a_port_of_each_kind_is_tried() -> None:
    (worker,) = RANDOM.workers
    assert ports.probe_ports(RANDOM, RANDOM.head, frozenset()) == (7000, 60999, 19999)
    assert ports.probe_ports(RANDOM, worker, frozenset()) == (60999, 19999)
    assert ports.probe_ports(PINNED, PINNED.head, frozenset()) == (7000, 7001, 19999)
    assert ports.probe_ports(PINNED, worker, frozenset()) == (7001, 19999)


def test_of_ports_that_ray_would_choose_a_free_one_is_tried_but_no_other_of_those_that_it_would_not() -> None:
    held = frozenset({7000, 7001, 60999, 60998, *WORKER_PORTS[-5:]})
    assert ports.probe_ports(RANDOM, RANDOM.head, held) == (7000, 60997, 19994)
    assert ports.probe_ports(PINNED, PINNED.head, held) == (7000, 7001, 19994)


@pytest.mark.parametrize(
    ("ranges", "between", "spelled"),
    [
        ((), ":", ""),
        ((range(6379, 6380),), ":", "6379"),
        ((range(6379, 6381), range(22, 23)), ":", "6379:6380,22"),
        ((range(6379, 6389),), "-", "6379-6388"),
    ],
)
def test_a_range_of_one_is_a_port(ranges: tuple[range, ...], between: str, spelled: str) -> None:
    assert ports.format_ports(ranges, between) == spelled


def test_the_ports_that_a_container_of_ours_holds_can_be_read_off_its_command() -> None:
    of = cluster(workers=1)
    pinned = replace(of, ray=replace(of.ray, port=7000, ports=Ports.PINNED))
    for each, node, wanted in (
        (of, of.head, {6379, 8265, 10001}),
        (of, of.workers[0], set()),
        (pinned, pinned.head, set(range(7000, 7011))),
        (pinned, pinned.workers[0], set(range(7001, 7007))),
    ):
        command = f'"bash -c {start(each, node, "10.0.0.1", "10.0.0.1")!r}"'
        assert {port for port in range(6300, 10100) if ports.held_by(command, port)} == wanted
    assert not ports.held_by('"redis-server --port=6379"', 6379)
