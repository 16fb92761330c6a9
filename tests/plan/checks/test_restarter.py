"""Whether Podman's containers come back after a reboot, by what the host's systemd tells of it."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Docker
from orchestrator.plan.checks.docker_engine import check_restarter
from orchestrator.plan.facts.docker_engine import Engine, Maker
from orchestrator.plan.facts.inspection import Restarter
from orchestrator.plan.typed import change, there
from tests.plan.worlds import node

PODMAN = Engine("5.4.2", "amd64", "/var/lib/containers/storage", maker=Maker.PODMAN)
DOWN = "its containers do not come back after a reboot: "
ENABLE = there("sudo systemctl enable podman-restart.service")
ALWAYS, ALL = "restart-policy=always", "should-start-on-boot=true"


def found(
    state: str,
    starts: str,
    policy: str = "unless-stopped",
    lingers: bool | None = None,
    engine: Engine = PODMAN,
) -> list[tuple[str, str]]:
    asked = node(1, docker=Docker(command=("podman",), restart=policy))
    findings = list(check_restarter(asked, engine, Restarter(state, starts, lingers)))
    assert {each.level for each in findings} <= {"warning"}
    return [(each.text.removeprefix(DOWN), each.fix) for each in findings]


def test_an_older_podmans_unit_starts_no_unless_stopped_containers() -> None:
    text = "podman-restart.service starts no `unless-stopped` ones"
    assert found("enabled", ALWAYS) == [(text, change("docker.restart", "always"))]
    assert found("disabled", ALWAYS) == [(text, f"{change('docker.restart', 'always')}; {ENABLE}")]


def test_a_unit_that_is_disabled_is_to_be_enabled() -> None:
    disabled = ("podman-restart.service is disabled", ENABLE)
    assert found("disabled", ALL) == [disabled]
    assert found("disabled", ALWAYS, policy="always") == [disabled]


def test_without_systemd_up_is_what_brings_them_back() -> None:
    ((text, fix),) = found("", "")
    assert text == "there is no podman-restart.service"
    assert "up" in fix


def test_what_an_ordinary_user_runs_ends_with_his_login_unless_he_lingers() -> None:
    (linger, disabled) = found("disabled", ALL, lingers=False)
    assert "logs out" in linger[0]
    assert linger[1] == there('sudo loginctl enable-linger "$(id -un)"')
    assert disabled[1] == there("systemctl --user enable podman-restart.service")
    assert found("enabled", ALL, lingers=True) == []


@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_nothing_is_said_of_containers_that_are_not_to_come_back(policy: str) -> None:
    assert found("disabled", ALWAYS, policy) == []


def test_nothing_is_said_where_they_do_come_back() -> None:
    assert found("enabled", ALL) == []
    assert found("enabled", ALWAYS, policy="always") == []
    assert found("disabled", ALWAYS, engine=replace(PODMAN, maker=Maker.DOCKER)) == []
