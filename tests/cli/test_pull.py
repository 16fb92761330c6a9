"""`raycluster pull`, as a person sees it."""

import json
from pathlib import Path

from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, sent
from tests.remote.fakes import FakeFleet

IMAGE = "vllm/vllm-openai:v0.17.1"
PULLED = ("aa11: Pulling fs layer", "aa11: Pull complete", Output(0))


def has(id_: str, *digests: str) -> Output:
    layers = [digests[0] if digests else f"layer of {id_}"]
    told = {
        "Id": id_,
        "RepoDigests": [f"vllm/vllm-openai@{each}" for each in digests],
        "RootFS": {"Layers": layers},
    }
    return Output(0, json.dumps(told) + "\n")


def test_one_image_on_all_hosts_is_named_by_its_digest(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.streams("*", sent("pull"), *PULLED)
    hosts.on("gpu1", sent("held"), has("sha256:old"), has("sha256:new", "sha256:d1"))
    hosts.on("gpu2", sent("held"), has("sha256:new", "sha256:d1"))
    pull = raycluster("pull")
    assert pull.exit_code == 0, pull.stderr
    assert pull.stdout.startswith(f"all 2 hosts have {IMAGE}, sha256:d1 (new on gpu1, ")
    assert pull.stderr.endswith("Containers that run keep their image; `raycluster up` replaces them.\n")
    assert not [each for each in hosts.sent if each.command.script == "hold-lock"]


def test_hosts_with_different_images_are_told_apart(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.streams("*", sent("pull"), *PULLED)
    hosts.on("gpu1", sent("held"), has("sha256:new", "sha256:d1"))
    hosts.on("gpu2", sent("held"), has("sha256:old", "sha256:d2"))
    pull = raycluster("pull")
    assert (pull.exit_code, pull.stdout) == (1, "")
    told = f"✗ {IMAGE} is not the same on all hosts\n  gpu1  has sha256:d1\n  gpu2  has sha256:d2\n      → pull again"
    assert told in pull.stderr


def test_a_host_that_has_none_is_named(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.streams("*", sent("pull"), *PULLED)
    hosts.on("gpu1", sent("held"), has("sha256:new"))
    hosts.on("gpu2", sent("held"), Output(0))
    pull = raycluster("pull")
    assert (pull.exit_code, pull.stdout) == (1, "")
    assert "is not on all hosts\n  gpu1  has sha256:new\n  gpu2  has no such image\n" in pull.stderr


def test_a_pull_that_fails_is_told_in_dockers_words(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.streams("gpu1", sent("pull"), *PULLED)
    hosts.streams("gpu2", sent("pull"), Output(1, stderr="Error: manifest unknown\n"))
    hosts.on("*", sent("held"), has("sha256:one"))
    pull = raycluster("pull")
    assert (pull.exit_code, pull.stdout) == (1, "")
    assert f"gpu2  pull {IMAGE}: Error: manifest unknown (exit code 1)\n      → check `image`" in pull.stderr


def test_docker_that_does_not_run_is_no_image_that_is_missing(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.on("gpu1", sent("held"), has("sha256:one"))
    hosts.on("gpu2", sent("held"), Output(1, stderr="Cannot connect to the Docker daemon\n"))
    hosts.streams("gpu1", sent("pull"), *PULLED)
    pull = raycluster("pull")
    assert pull.exit_code == 1
    assert (
        "gpu2  Cannot connect to the Docker daemon\n      → on gpu2: sudo systemctl start docker"
        in pull.stderr
    )


def test_with_a_limit_the_others_are_left_alone(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("gpu2", sent("held"), has("sha256:one"))
    hosts.streams("gpu2", sent("pull"), *PULLED)
    pull = raycluster("pull", "-l", "gpu2")
    assert pull.stdout.startswith(f"gpu2 has {IMAGE}, sha256:one (nothing new, ")
    assert {each.host for each in hosts.sent} == {"gpu2"}


def test_a_host_that_cannot_be_reached_is_a_failure_by_name(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("gpu1", sent("held"), has("sha256:one"))
    hosts.on("gpu2", sent("held"), Failure(FailureKind.UNREACHABLE, "does not answer", fix="plug it in"))
    hosts.streams("gpu1", sent("pull"), *PULLED)
    pull = raycluster("pull")
    assert (pull.exit_code, pull.stdout) == (1, "")
    assert "hosts: 1 host failed\n  gpu2  does not answer\n      → plug it in\n" in pull.stderr


WITH_RAY = INVENTORY.replace(f"image: {IMAGE}", f"image: {{from: {IMAGE}, get_on: head}}").replace(
    "ray: {", "ray: {install: ray==2.56.0, "
)


def test_where_the_head_builds_the_image_it_alone_pulls(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(WITH_RAY)
    hosts.streams("gpu1", sent("pull"), *PULLED)
    hosts.on("gpu1", sent("build"), Output(0))
    hosts.on("gpu1", sent("held"), has("sha256:one"))
    pull = raycluster("pull")
    assert pull.exit_code == 0, pull.stderr
    assert pull.stdout.startswith(f"gpu1 has {IMAGE}, sha256:one (nothing new, ")
    assert "`raycluster up` gives it to the hosts that lack it" in pull.stderr
    assert {each.host for each in hosts.sent} == {"gpu1"}


def test_a_worker_has_nothing_to_pull_where_the_head_builds_the_image(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(WITH_RAY)
    pull = raycluster("pull", "-l", "workers")
    assert (pull.exit_code, hosts.sent) == (2, [])
    assert "with `get_on: head`, gpu1 alone pulls" in pull.stderr


def test_get_on_head_means_once_and_a_worker_alone_has_nothing_to_pull(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(
        INVENTORY.replace(f"image: {IMAGE}", f"image: {{from: {IMAGE}, get_on: head}}")
    )
    hosts.streams("gpu1", sent("pull"), *PULLED)
    hosts.on("gpu1", sent("held"), Output(0), has("sha256:new", "sha256:d1"))
    hosts.on("gpu2", sent("held"), Output(0), has("sha256:new", "sha256:d1"))
    hosts.on("gpu2", sent("layers"), Output(0))
    hosts.on("gpu1", sent("save"), Output(0, "all of it"))
    hosts.on("gpu2", sent("load"), Output(0))
    pull = raycluster("pull")
    assert pull.exit_code == 0, pull.stderr
    assert pull.stdout.startswith(f"all 2 hosts have {IMAGE}, sha256:d1 (pulled on gpu1, copied to gpu2, ")
    assert [each.host for each in hosts.sent if "pull" in each.command.argv] == ["gpu1"]
    alone = raycluster("pull", "-l", "workers")
    assert (alone.exit_code, "with `get_on: head`, gpu1 alone pulls" in alone.stderr) == (2, True)


def test_once_means_that_one_host_pulls_and_the_others_get_it_from_there(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.streams("gpu1", sent("pull"), *PULLED)
    hosts.on("gpu1", sent("held"), Output(0), has("sha256:new", "sha256:d1"))
    hosts.on("gpu2", sent("held"), Output(0), has("sha256:new", "sha256:d1"))
    hosts.on("gpu2", sent("layers"), Output(0))
    hosts.on("gpu1", sent("save"), Output(0, "all of it"))
    hosts.on("gpu2", sent("load"), Output(0))
    pull = raycluster("pull", "--once")
    assert pull.exit_code == 0, pull.stderr
    assert pull.stdout.startswith(f"all 2 hosts have {IMAGE}, sha256:d1 (pulled on gpu1, copied to gpu2, ")
    assert [each.host for each in hosts.sent if "pull" in each.command.argv] == ["gpu1"]


def test_once_is_refused_for_what_a_copy_does_not_carry(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    file = folder / "inventory.yaml"
    file.write_text(file.read_text().replace(IMAGE, f"vllm/vllm-openai@sha256:{'0' * 64}"))
    pull = raycluster("pull", "--once")
    assert (pull.exit_code, hosts.sent) == (2, [])
    assert "which a copy does not carry: pull without --once" in pull.stderr


def test_where_it_cannot_be_pulled_nobody_gets_it(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.streams("gpu1", sent("pull"), Output(1, "", "Error: no such image\n"))
    hosts.on("gpu1", sent("held"), Output(0))
    pull = raycluster("pull", "--once")
    assert (pull.exit_code, pull.stdout) == (1, "")
    assert "gpu1  pull vllm/vllm-openai:v0.17.1: Error: no such image (exit code 1)" in pull.stderr
    assert {each.host for each in hosts.sent} == {"gpu1"}
