"""Commands that only look, limited to some hosts with -l."""

import json

from tests.cli.conftest import Raycluster
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
