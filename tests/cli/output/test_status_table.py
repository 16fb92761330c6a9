"""The table of `status` shows a column only where it tells something."""

from dataclasses import replace

import pytest

from orchestrator.cli.output.console import answer
from orchestrator.cli.output.status_table import model_state, show_health
from orchestrator.model.cluster import Accelerator, Role
from orchestrator.plan.serving.health import ModelHealth
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


MODEL = ModelHealth(
    "one", "org/One", "http://10.0.0.1:8000", answers=True, state="answering", since=60, lives=1
)


@pytest.mark.parametrize(
    ("held", "place"),
    [
        ({"gpu1": 1}, "1 GPU on gpu1"),
        ({"gpu1": 8, "gpu2": 8}, "8 GPUs on each of gpu1, gpu2"),
        ({"gpu1": 8, "gpu2": 4}, "8 GPUs on gpu1, 4 on gpu2"),
        ({f"gpu{n}": 8 for n in range(1, 6)}, "8 GPUs on each of 5 hosts"),
        ({f"gpu{n}": n for n in range(1, 6)}, "15 GPUs on 5 hosts"),
        ({}, "on gpu1"),
        ({"gpu1": 0}, "on gpu1"),
    ],
)
def test_a_model_is_told_with_its_hosts_and_what_it_has_on_each(held: dict[str, int], place: str) -> None:
    model = replace(MODEL, hosts=tuple(held) or ("gpu1",), gpus_by_host=held)
    assert model_state(model).plain.endswith(f", for 60 s, {place}")
    npus = model_state(replace(model, accelerator=Accelerator.ASCEND)).plain
    assert npus.endswith(place.replace("GPU", "NPU"))
