"""Images: what Docker is told, what hosts have, and which of them have the same."""

import gzip
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import Docker, GetOn, Pull, Ray
from orchestrator.plan import docker, scripts
from orchestrator.plan.actions.images import plan_pull
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.image import ImageInfo, group_identical, parse_image
from orchestrator.plan.progress import Progress, Unit
from tests.plan.worlds import arguments, cluster, node, outline

IMAGE = "vllm/vllm-openai:v0.17.1"
ONE = ImageInfo("sha256:one", ("sha256:digest-one",), ("sha256:a", "sha256:b"), "linux/amd64", 10)
OTHER = ImageInfo("sha256:other", ("sha256:digest-other",), ("sha256:c",), "linux/amd64", 10)

PULLING = """\
v0.17.1: Pulling from vllm/vllm-openai
aa11: Already exists
bb22: Pulling fs layer
cc33: Pulling fs layer
dd44: Waiting
bb22: Download complete
bb22: Pull complete
cc33: Verifying Checksum
cc33: Download complete
""".splitlines()


def test_the_lines_that_docker_is_told() -> None:
    demo = cluster(workers=0)
    podman = replace(demo.head, docker=Docker(command=("sudo", "-n", "podman")))
    assert docker.pull(demo, podman).line() == f"sudo -n podman pull {IMAGE}"
    assert docker.save(demo.head, IMAGE).line() == f"docker save {IMAGE}"
    assert arguments(docker.load(demo.head, IMAGE)) == {
        "docker": "docker",
        "silence": "300",
        "name": IMAGE,
        "packed": "",
    }
    assert docker.inspect_image(demo.head, IMAGE).argv[3:] == ("held", "docker", IMAGE)


def test_how_far_a_pull_is() -> None:
    assert docker.pull_progress(PULLING[:1]) is None
    assert docker.pull_progress(PULLING[:5]) == Progress(1, 4, unit=Unit.LAYERS)
    assert docker.pull_progress(PULLING) == Progress(2, 4, unit=Unit.LAYERS, note="1 more downloaded")


def test_what_a_host_has_is_read_from_either_store_of_docker() -> None:
    told = {
        "Id": "sha256:one",
        "RepoDigests": ["vllm/vllm-openai@sha256:digest-one"],
        "RootFS": {"Type": "layers", "Layers": ["sha256:a", "sha256:b"]},
        "Os": "linux",
        "Architecture": "amd64",
        "Size": 10,
    }
    assert parse_image(json.dumps(told)) == ONE
    labels = {"Config": {"Labels": {"raycluster.base": "sha256:base"}}}
    assert parse_image(json.dumps(told | labels)) == replace(ONE, built_from="sha256:base")
    assert parse_image(json.dumps(told | {"Config": {"Labels": None}})) == ONE
    assert parse_image(json.dumps(told | {"RepoDigests": None, "RootFS": {}})) == replace(
        ONE, digests=(), layers=()
    )
    settings = {"Config": {"Env": ["A=1"], "Entrypoint": None, "Cmd": ["bash"]}}
    assert parse_image(json.dumps(told | settings)) == replace(ONE, settings=("Env A=1", "Cmd bash"))
    assert parse_image(f"[{json.dumps(told)}]") == ONE  # Podman 4.3
    assert parse_image("[]") is None
    assert parse_image("\n") is None
    assert parse_image(f"Welcome to gpu1!\n\x1e{json.dumps(told)}\n") == ONE
    assert parse_image("Welcome to gpu1!\n\x1e\n") is None


@pytest.mark.parametrize(
    ("inspects", "answers", "code"),
    [
        ("echo WARNING: no config >&2; echo '{}'", "true", 0),
        ("echo Error: no such image >&2; exit 1", "true", 0),
        ("exit 1", "exit 1", 1),
        ("exit 124", "true", 124),
    ],
    ids=["it is there, with a warning", "it is not there", "Docker answers nothing", "it is slow"],
)
def test_only_a_docker_that_answers_in_time_is_believed_to_lack_an_image(
    tmp_path: Path, inspects: str, answers: str, code: int
) -> None:
    """Busy with an image of 20 GB, it may tell its version at once, and of images nothing for long."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\ncase $1 in image) {inspects} ;; *) {answers} ;; esac\n")
    program.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    argv = docker.inspect_image(cluster(workers=0).head, IMAGE).argv
    ran = subprocess.run(argv, env=path, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert ran.stdout.rpartition("\x1e")[2].strip() in ("{}", "")


@pytest.mark.parametrize(
    "same",
    [
        ImageInfo("sha256:one", layers=ONE.layers),
        ImageInfo("sha256:arm", ("sha256:digest-one",), ("sha256:z",), "linux/arm64"),
        ImageInfo("sha256:manifest", (), ONE.layers, "linux/amd64"),
    ],
    ids=["its ID", "a registry's digest, for another machine", "its layers, in another store"],
)
def test_an_image_is_the_same_by(same: ImageInfo) -> None:
    assert ONE.is_same(same)


def test_an_image_of_the_same_layers_with_other_settings_is_another() -> None:
    manifest = replace(ONE, id="sha256:manifest", digests=())
    assert ONE.is_same(manifest)
    assert not ONE.is_same(replace(manifest, settings=("Env A=1",)))


def test_an_image_that_has_lost_its_layers_is_none_of_those_that_have_them() -> None:
    """Docker's containerd store may know one by its manifest alone, and save and load that without a word."""
    assert not ONE.is_same(replace(ONE, layers=()))
    assert not replace(ONE, layers=()).is_same(ONE)


def test_hosts_with_the_same_image_stand_together_the_most_first() -> None:
    assert group_identical({"gpu1": OTHER, "gpu2": ONE, "gpu3": ONE}) == (("gpu2", "gpu3"), ("gpu1",))
    assert group_identical({"gpu1": ONE, "gpu2": ONE}) == (("gpu1", "gpu2"),)
    assert not ImageInfo("sha256:x").is_same(ImageInfo("sha256:y"))


def test_every_host_pulls_and_is_then_asked_what_it_has() -> None:
    demo = cluster(workers=1)
    assert outline(plan_pull(demo, demo.nodes, {"gpu1": ONE, "gpu2": None})) == [
        ("Get the image", [f"gpu1: pull {IMAGE}", f"gpu2: pull {IMAGE}"]),
        ("Compare", ["gpu1: see what it has", "gpu2: see what it has"]),
    ]


def test_a_host_that_never_pulls_is_only_looked_at() -> None:
    demo = cluster(workers=0, head=node(1, docker=Docker(pull=Pull.NEVER)))
    assert outline(plan_pull(demo, demo.nodes, {"gpu1": ONE})) == [("Compare", ["gpu1: see what it has"])]


def test_an_image_that_lacks_ray_gets_it() -> None:
    demo = cluster(workers=0, ray=Ray(install="ray[default]==2.56.*"))
    assert outline(plan_pull(demo, demo.nodes, {"gpu1": None}))[0] == (
        "Get the image",
        [f"gpu1: pull {IMAGE}", "gpu1: add ray[default]==2.56.* to the image"],
    )


def test_where_the_head_builds_it_the_others_only_pull() -> None:
    demo = cluster(workers=1, ray=Ray(install="ray==2.56.*"), get_on=GetOn.HEAD)
    assert outline(plan_pull(demo, demo.nodes, {"gpu1": None, "gpu2": None}))[0] == (
        "Get the image",
        [f"gpu1: pull {IMAGE}", "gpu1: add ray==2.56.* to the image", f"gpu2: pull {IMAGE}"],
    )


def test_a_host_that_could_not_be_asked_is_a_failure_by_name() -> None:
    demo = cluster(workers=1)
    plan = plan_pull(demo, demo.nodes, {"gpu1": ONE, "gpu2": Unreachable("does not answer", "plug it in")})
    assert [(each.host, each.problem.text, each.problem.fix) for each in plan.refusals] == [
        ("gpu2", "does not answer", "plug it in")
    ]
    assert {step.host for step in plan} == {"gpu1"}


@pytest.fixture
def fake_docker(tmp_path: Path) -> Path:
    """One whose `load` keeps what it reads, and fails where that is not the whole."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\ncat >{tmp_path}/loaded\ngrep -q end {tmp_path}/loaded\n")
    program.chmod(0o755)
    return program


def loading(fake_docker: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sh", "-c", scripts.LOAD, "load", fake_docker, "0.5"], stdin=subprocess.PIPE)


def test_an_archive_is_loaded_to_the_last_byte(fake_docker: Path) -> None:
    archive = bytes(range(256)) * 40_000 + b"end"
    load = loading(fake_docker)
    load.communicate(archive, timeout=20)
    assert load.returncode == 0
    assert fake_docker.with_name("loaded").read_bytes() == archive


def test_a_load_whose_sender_falls_silent_ends_by_itself(fake_docker: Path) -> None:
    load = loading(fake_docker)
    assert load.stdin
    load.stdin.write(b"some")
    load.stdin.flush()
    assert load.wait(timeout=20) == 1
    load.stdin.close()


def test_a_packed_archive_is_unpacked_before_docker_has_it(fake_docker: Path) -> None:
    (fake_docker.with_name("zstd")).write_text(
        "#!/bin/sh\nexec gzip -dc\n"
    )  # it unpacks as told by its name alone
    (fake_docker.with_name("zstd")).chmod(0o755)
    path = {"PATH": f"{fake_docker.parent}:/usr/bin:/bin"}
    words = ["sh", "-c", scripts.LOAD, "load", str(fake_docker), "5", "x:1", "zstd"]
    load = subprocess.run(words, input=gzip.compress(b"all to the end"), env=path, timeout=20, check=False)
    assert load.returncode == 0
    assert fake_docker.with_name("loaded").read_bytes() == b"all to the end"
