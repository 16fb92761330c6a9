"""The table of `status` shows a column only where it tells something."""

from dataclasses import replace

import pytest

from orchestrator.cli.output.console import answer
from orchestrator.cli.output.status_table import show_health
from orchestrator.model.cluster import Role
from orchestrator.plan.status.health import ClusterHealth, HostHealth, Verdict

GPU1 = HostHealth("gpu1", Role.HEAD, "10.0.0.1", Verdict.HEALTHY, "running", image="ray:1", restarts=0)
GPU2 = replace(GPU1, name="gpu2", role=Role.WORKER, ip="10.0.0.2")


def table(capsys: pytest.CaptureFixture[str], *hosts: HostHealth) -> list[list[str]]:
    answer.cache_clear()
    show_health(ClusterHealth("demo", Verdict.HEALTHY, hosts))
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_restarts_and_images_that_are_all_alike_have_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    _, image, heading, *_ = table(capsys, GPU1, GPU2)
    assert image == ["image", "ray:1"]
    assert not {"RESTARTS", "IMAGE"} & set(heading)


def test_images_that_differ_stand_beside_their_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    _, heading, *rows = table(capsys, GPU1, replace(GPU2, image="ray:2"))
    assert heading[-1] == "IMAGE"
    assert [row[-1] for row in rows] == ["ray:1", "ray:2"]


def test_one_restart_brings_the_column(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, heading, *rows = table(capsys, GPU1, replace(GPU2, restarts=3))
    assert heading[-1] == "RESTARTS"
    assert [row[-1] for row in rows] == ["0", "3"]
