"""Commands that only look, limited to some hosts with -l."""

import json

from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import Raycluster, sent
from tests.remote.fakes import FakeFleet


def names(raycluster: Raycluster, *words: str) -> list[str]:
    return [host["name"] for host in json.loads(raycluster(*words, "-o", "json").stdout)["hosts"]]


def test_status_tells_of_these_hosts_alone_and_asks_the_head_of_ray(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    whole = json.loads(raycluster("status", "-o", "json").stdout)
    limited = json.loads(raycluster("status", "-l", "gpu2", "-o", "json").stdout)
    assert limited["hosts"] == whole["hosts"][1:]
    assert limited["hosts"][0]["joined"]
    assert cluster_stands.sent


def test_a_host_that_is_not_meant_is_not_contacted(hosts: FakeFleet, raycluster: Raycluster) -> None:
    assert names(raycluster, "status", "-l", "head") == ["gpu1"]
    assert {each.host for each in hosts.sent} == {"gpu1"}


def test_check_finds_what_is_wrong_with_these_hosts(good: FakeFleet, raycluster: Raycluster) -> None:
    ran = raycluster("check", "-l", "gpu2", "-o", "json")
    assert ran.exit_code == 0
    assert {each["host"] for each in json.loads(ran.stdout)["findings"]} == {"gpu2"}
    assert "on 1 host" in raycluster("check", "-l", "gpu2").stdout.splitlines()[-2]
    assert good.sent


def test_the_configuration_is_shown_of_these_hosts(raycluster: Raycluster) -> None:
    assert names(raycluster, "config", "show", "-l", "workers") == ["gpu2"]


def test_hosts_that_are_given_one_by_one_are_all_meant(hosts: FakeFleet, raycluster: Raycluster) -> None:
    assert names(raycluster, "config", "show", "-l", "gpu2", "-l", "gpu1") == ["gpu1", "gpu2"]
    assert names(raycluster, "config", "show", "-l", "gpu*", "--limit", "!gpu1") == ["gpu2"]
    assert hosts.sent == []


def test_what_to_type_next_is_for_the_same_hosts(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("gpu2", sent("run"), Output(125, stderr="no such image"))
    up = raycluster("up", "-l", "gpu1", "-l", "gpu2")
    assert up.exit_code == 1
    assert "`raycluster up -l gpu1,gpu2`" in up.stderr
    hosts.on("gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "does not answer"))
    down = raycluster("down", "-l", "gpu2")
    assert "`raycluster down -l gpu2` takes down what remains." in down.stderr
