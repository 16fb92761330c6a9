"""What the second look at a host tells."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Docker, GetOn, Pull, Ray, Rdma
from orchestrator.plan.checks.hardware import BY_DEVICE, BY_RUNTIME, SET_CDI, check_hardware
from orchestrator.plan.facts.docker_engine import Maker
from orchestrator.plan.facts.inspection import OTHERS, Inspection
from orchestrator.plan.remedies import (
    HALF_UPDATED,
    NO_CDI,
    NO_DRIVER,
    NO_IMAGE,
    NO_TOOLKIT,
    OTHER_DRIVER,
    UNTRUSTED_REGISTRY,
    docker_problem,
)
from orchestrator.plan.typed import add, change, ours, there
from tests.plan.checks.samples import (
    ALONE,
    ENGINE,
    GIB,
    Told,
    brief,
    fine,
    found,
    hardware,
    head,
    inspection,
    neighbour,
)
from tests.plan.worlds import bare_host, cluster

MOVE = f"{there('docker system prune')}; or move Docker's data-root to a larger disk"
IMAGE = "vllm/vllm-openai:v0.17.1"


def bad(found: Inspection, **changes: object) -> Told:
    """What is not good on an NVIDIA host; `changes` are to its entry."""
    of = head(**{"accelerator": Accelerator.NVIDIA, **changes})
    return [
        (level, text, fix)
        for _, level, text, fix in brief(check_hardware(of, of.head, bare_host(of.head), found))
    ]


def test_a_good_host() -> None:
    of = head(accelerator=Accelerator.NVIDIA)
    found = list(check_hardware(of, of.head, bare_host(of.head), inspection()))
    assert brief(found) == []
    assert fine(found) == [
        ("gpu1", "docker", "Engine 27.3.1, x86_64"),
        ("gpu1", "disk", "/var/lib/docker has room"),
        ("gpu1", "image", f"{IMAGE} is there (one)"),
        ("gpu1", "gpus", "driver 570.86.15 lists 8 GPUs"),
    ]


@pytest.mark.parametrize("sudo", [True, False])
def test_docker_in_trouble_that_answers_to_sudo_is_told_how_to_use_it(sudo: bool) -> None:
    of = head(accelerator=Accelerator.NVIDIA)
    facts = bare_host(of.head, docker=docker_problem(1, "permission denied"), image_id="")
    found = list(check_hardware(of, of.head, facts, inspection(engine=None, sudo_docker=sudo)))
    told = [(each.level, each.topic, each.text, each.fix) for each in found]
    how = change("docker.command", "sudo -n docker")
    assert told == ([("ok", "docker", "Docker answers there to `sudo -n docker`", how)] if sudo else [])


@pytest.mark.parametrize(
    ("version", "old"), [("18.09.9", True), ("19.03.0", False), ("20.10.5+dfsg1", False), ("dev", False)]
)
def test_an_engine_that_knows_no_gpus(version: str, old: bool) -> None:
    told = f"Engine {version}, x86_64 has no --gpus"
    wanted = [("failure", told, "install a Docker Engine of 19.03 or later")] if old else []
    assert bad(inspection(engine=replace(ENGINE, version=version))) == wanted


@pytest.mark.parametrize(
    ("image_id", "free", "told"),
    [
        ("sha256:one", 2 * GIB, None),
        ("sha256:one", GIB, "only 1.0 GiB are free in /var/lib/docker, and containers write there"),
        ("sha256:one", None, None),
    ],
)
def test_room_for_containers(image_id: str, free: int | None, told: str | None) -> None:
    found = check_hardware(
        ALONE,
        ALONE.head,
        bare_host(ALONE.head, image_id=image_id),
        inspection(engine=replace(ENGINE, free=free)),
    )
    disk = [(each.level, each.text, each.fix) for each in found if each.topic == "disk"]
    good = [] if free is None else [("ok", "/var/lib/docker has room", "")]
    assert disk == ([("warning", told, MOVE)] if told else good)


def test_an_image_that_is_still_to_come_needs_more_room() -> None:
    few = inspection(engine=replace(ENGINE, free=29 * GIB))
    found = check_hardware(ALONE, ALONE.head, bare_host(ALONE.head, image_id=""), few)
    told = "only 29.0 GiB are free in /var/lib/docker, and the image has to go there"
    assert [(each.level, each.text) for each in found if each.topic == "disk"] == [("warning", told)]


@pytest.mark.parametrize(
    ("pull", "pullable", "wanted"),
    [
        (Pull.NEVER, None, []),  # the first look has told it
        (
            Pull.MISSING,
            "",
            [
                (
                    "warning",
                    f"{IMAGE} is not there; `up` will pull it, and what is in it cannot be told before",
                    ours("pull", limit=True),
                )
            ],
        ),
        (
            Pull.ALWAYS,
            "warning: slow\nmanifest unknown",
            [
                (
                    "warning",
                    f"{IMAGE} is not there, and pulling it may fail: manifest unknown",
                    NO_IMAGE,
                )
            ],
        ),
        (
            Pull.MISSING,
            'Get "https://r.lan/v2/": x509: certificate signed by unknown authority',
            [
                (
                    "warning",
                    f'{IMAGE} is not there, and pulling it may fail: Get "https://r.lan/v2/": x509: certificate signed '
                    "by unknown authority",
                    UNTRUSTED_REGISTRY,
                )
            ],
        ),
    ],
)
def test_an_image_that_is_not_there(pull: Pull, pullable: str | None, wanted: Told) -> None:
    of = head(docker=Docker(command=("sudo", "-n", "docker"), pull=pull))
    seen = replace(hardware(nvidia_cards=0), pullable=pullable)
    found = check_hardware(of, of.head, bare_host(of.head, image_id=""), seen)
    assert [(level, text, fix) for _, level, text, fix in brief(found)] == wanted


@pytest.mark.parametrize("there", [True, False])
def test_an_image_that_ray_is_added_to_is_spoken_of_as_such(there: bool) -> None:
    of = replace(head(docker=Docker(pull=Pull.NEVER)), ray=Ray(install="ray[default]==2.56.*"))
    facts = bare_host(of.head, image_id="sha256:abc" if there else "")
    (only,) = (each for each in check_hardware(of, of.head, facts, inspection()) if each.topic == "image")
    derived = f"{IMAGE} with ray[default]==2.56.*"
    build = f"{derived} is not there; `up` will build it, and what is in it cannot be told before"
    assert only.text == (f"{derived} is there (abc)" if there else build)
    assert (only.level, only.fix) == (
        ("ok", "") if there else ("warning", f"after {ours('up')}, {ours('check')} tells more")
    )


@pytest.mark.parametrize("install", ["ray==2.56.0", None], ids=["builds", "pulls"])
def test_an_image_that_the_head_gets_for_all_is_copied_from_it(install: str | None) -> None:
    of = cluster(workers=1, ray=Ray(install=install), get_on=GetOn.HEAD)
    (worker,) = of.workers
    found = check_hardware(of, worker, bare_host(worker, image_id=""), hardware(nvidia_cards=0))
    (only,) = (each for each in found if each.topic == "image")
    assert "is not there; `up` will copy it from gpu1, and what is in it" in only.text


MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"
NO_TOOLKIT_THERE = "the NVIDIA container toolkit is not there"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, []),
        (
            {"nvidia_cards": 0, "nvidia_driver": ""},
            [("failure", "there is no NVIDIA driver on it (no NVIDIA card on its bus)", NO_DRIVER)],
        ),
        (
            {"nvidia_cards": 1, "nvidia_driver": ""},
            [("failure", "there is no NVIDIA driver on it (1 NVIDIA card on its bus)", NO_DRIVER)],
        ),
        (
            {"nvidia_driver": "", "nvidia_toolkit": "", "nvidia_hook": ""},
            [
                ("failure", "there is no NVIDIA driver on it (8 NVIDIA cards on its bus)", NO_DRIVER),
                ("warning", NO_TOOLKIT_THERE, NO_TOOLKIT),
            ],
        ),
        ({"nvidia_usable": 0}, [("failure", "driver 570.86.15, but nvidia-smi lists no GPU", NO_DRIVER)]),
        (
            {"nvidia_usable": 0, "nvidia_trouble": MISMATCH},
            [("failure", f"driver 570.86.15, but nvidia-smi lists no GPU: {MISMATCH}", HALF_UPDATED)],
        ),
        ({"nvidia_toolkit": "", "nvidia_hook": ""}, [("failure", NO_TOOLKIT_THERE, NO_TOOLKIT)]),
    ],
)
def test_nvidias_card_driver_and_toolkit(changes: dict[str, object], wanted: Told) -> None:
    assert bad(hardware(**changes)) == wanted


@pytest.mark.parametrize("kind", OTHERS)
def test_devices_of_another_kind(kind: Accelerator) -> None:
    told = f"`accelerator` is {kind}, and there is no such device on it"
    fix = OTHER_DRIVER
    assert bad(hardware(), accelerator=kind) == [("failure", told, fix)]
    of = head(accelerator=kind)
    for count, devices in ((1, "device"), (8, "devices")):
        found = check_hardware(of, of.head, bare_host(of.head), hardware(others=((kind, count),)))
        assert [each.text for each in found if each.topic == "gpus"] == [f"{count} {kind} {devices} on it"]


@pytest.mark.parametrize(("cards", "many"), [(0, None), (1, "1 NVIDIA card"), (8, "8 NVIDIA cards")])
def test_a_host_for_no_accelerator_that_has_cards(cards: int, many: str | None) -> None:
    wanted = (
        [("warning", f"has {many}, and `accelerator` is none", change("accelerator", "nvidia"))]
        if many
        else []
    )
    assert bad(hardware(nvidia_cards=cards), accelerator=Accelerator.NONE) == wanted


@pytest.mark.parametrize(
    ("rdma", "devices", "passed", "warned"),
    [
        (Rdma.AUTO, ("mlx5_0", "mlx5_1"), False, True),
        (Rdma.ON, ("mlx5_0", "mlx5_1"), False, True),
        (Rdma.OFF, ("mlx5_0", "mlx5_1"), False, False),
        (Rdma.AUTO, ("mlx5_0", "mlx5_1"), True, False),
        (Rdma.AUTO, (), False, False),
    ],
)
def test_rdma_cards_whose_modules_are_not_loaded(
    rdma: Rdma, devices: tuple[str, ...], passed: bool, warned: bool
) -> None:
    of = head(rdma=rdma)
    found = check_hardware(
        of, of.head, bare_host(of.head, infiniband=passed), hardware(nvidia_cards=0, infiniband=devices)
    )
    told = "has mlx5_0, mlx5_1, but no /dev/infiniband to give to containers"
    wanted = [("gpu1", "warning", told, there("sudo modprobe ib_uverbs rdma_ucm"))] if warned else []
    assert brief(found) == wanted


@pytest.mark.parametrize(
    ("other", "whose"),
    [
        (neighbour(), "by hand, as run_cluster.sh does"),
        (neighbour(cluster="big", command='"bash"'), "of cluster big"),
        (neighbour(running=False), None),
        (neighbour(cluster="demo"), None),
        (neighbour(command='"redis-server"'), None),
    ],
)
def test_who_else_runs_ray_there(other: object, whose: str | None) -> None:
    told = f"node-4711 runs Ray there too, {whose}: they share its GPUs and memory"
    wanted = [("warning", told, "stop one of them, if that is not meant")] if whose else []
    assert bad(inspection(neighbours=(other,))) == wanted


HOOKLESS: dict[str, object] = {"nvidia_hook": "", "nvidia_toolkit": "/usr/bin/nvidia-ctk"}
BY_CDI = "its Docker may know the GPUs by CDI, but its --gpus wants the hook of NVIDIA's toolkit"


@pytest.mark.parametrize(
    ("docker", "host", "wanted"),
    [
        (
            {"version": "28.5.2", "devices": ("nvidia.com/gpu=0", "nvidia.com/gpu=all")},
            {},
            [(BY_CDI, SET_CDI)],
        ),
        ({"version": "26.1.5"}, {"nvidia_cdi": "/etc/cdi/nvidia.yaml"}, [(BY_CDI, SET_CDI)]),
        (
            {"version": "29.2.0", "devices": ("nvidia.com/gpu=all",)},
            {"nvidia_cdi_hook": "/usr/bin/nvidia-cdi-hook"},
            [],
        ),
        ({"version": "29.2.0", "devices": ("nvidia.com/gpu=all",)}, {}, [(BY_CDI, SET_CDI)]),
        (
            {"version": "28.5.2", "runtimes": ("runc", "nvidia")},
            {},
            [
                (
                    "its Docker has NVIDIA's runtime, but its --gpus wants the hook of NVIDIA's toolkit",
                    BY_RUNTIME,
                )
            ],
        ),
        (
            {"version": "28.5.2"},
            {},
            [("there is /usr/bin/nvidia-ctk, but not the hook that --gpus wants", NO_TOOLKIT)],
        ),
        ({"version": "28.5.2", "runtimes": ("runc", "nvidia")}, {"nvidia_hook": "/usr/bin/hook"}, []),
    ],
)
def test_what_gives_containers_nvidias_gpus(
    docker: dict[str, str], host: dict[str, object], wanted: list[tuple[str, str]]
) -> None:
    of = head(accelerator=Accelerator.NVIDIA)
    seen = hardware(**(HOOKLESS | host))
    assert seen.engine
    told = replace(seen, engine=replace(seen.engine, **docker))  # type: ignore[arg-type]
    found = check_hardware(of, of.head, bare_host(of.head), told)
    assert [(each.text, each.fix) for each in found if each.topic == "gpus" and each.fix] == wanted


@pytest.mark.parametrize(
    ("version", "described", "wanted"),
    [
        ("5.4.2", "/etc/cdi/nvidia.yaml", []),
        ("4.3.1", "/etc/cdi/nvidia.yaml", [("its Podman takes no notice of --gpus", BY_DEVICE)]),
        ("5.4.2", "", [("no GPU is described there by CDI, which Podman's --gpus goes by", NO_CDI)]),
    ],
)
def test_podman_gives_gpus_by_cdi_and_needs_no_hook(
    version: str, described: str, wanted: list[tuple[str, str]]
) -> None:
    seen = hardware(**HOOKLESS, nvidia_cdi=described)
    assert seen.engine
    podman = replace(seen, engine=replace(seen.engine, maker=Maker.PODMAN, version=version))
    assert [told[1:] for told in bad(podman)] == wanted
    assert bad(podman, docker=Docker(gpus="none")) == []


@pytest.mark.parametrize(
    ("gpus", "named"),
    [
        ("2", ["0", "1"]),
        ("device=0,2", ["0", "2"]),
        ('"device=0:1"', ["0:1"]),
        ("device=GPU-3a23c669", ["GPU-3a23c669"]),
        ("driver=cdi,device=nvidia.com/gpu=all", ["all"]),
    ],
)
def test_podman_is_given_gpus_by_their_names_of_cdi(gpus: str, named: list[str]) -> None:
    """To its --gpus, `2` is the third one."""
    of = head(accelerator=Accelerator.NVIDIA, num_gpus=None, docker=Docker(gpus=gpus))
    podman = replace(ENGINE, maker=Maker.PODMAN, version="5.4.2")
    ((level, text, fix),) = found(of, gpus=4, engine=podman)
    assert (level, text) == (
        "failure",
        f"its Podman would look for GPUs of other names than {gpus} means to Docker",
    )
    devices = (f"--device=nvidia.com/gpu={name}" for name in named)
    assert fix == f"{change('docker.gpus', 'none')} and {add('docker.args', *devices)}"
    assert found(of, gpus=4, engine=ENGINE) == []


def test_who_asks_for_cdi_or_for_no_gpus_option_needs_no_hook() -> None:
    for gpus in ("none", "driver=cdi,device=nvidia.com/gpu=all"):
        assert bad(hardware(**HOOKLESS), accelerator=Accelerator.NVIDIA, docker=Docker(gpus=gpus)) == []
