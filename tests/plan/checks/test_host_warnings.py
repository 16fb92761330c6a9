"""What one look tells that does not stop `up`, or is about the hardware."""

import pytest

from orchestrator.model.cluster import Accelerator, Docker, Rdma
from orchestrator.plan.checks import quick
from orchestrator.plan.checks.host import check_hostname
from orchestrator.plan.facts.host import Address, HostFacts
from orchestrator.plan.typed import change, host_command, where
from tests.plan.checks.samples import (
    ALONE,
    GIB,
    Told,
    brief,
    fine,
    folder,
    found,
    head,
    machine,
)
from tests.plan.worlds import bare_host, node


@pytest.mark.parametrize(
    ("ip", "public"), [("8.8.4.4", True), ("2a00::1", True), ("10.0.0.1", False), ("fd00::1", False)]
)
def test_a_public_address_is_warned_of(ip: str, public: bool) -> None:
    told = f"{ip} is a public address: Ray and vLLM talk there unencrypted, and run code for whoever may"
    wanted = [("warning", told, "use an address of a private network as `ip`")] if public else []
    assert found(head(ip=ip), addresses=(Address("eth0", ip),)) == wanted


@pytest.mark.parametrize(
    ("resolves_to", "warned"),
    [("127.0.1.1", True), ("::1", True), ("10.0.0.1", False), ("fd00::1", False), ("", False)],
)
def test_a_name_of_its_own_on_loopback_is_warned_of(resolves_to: str, warned: bool) -> None:
    told = f"its name node resolves to {resolves_to} there"
    fix = "in /etc/hosts there, give node its `ip`; gloo and NCCL are told their interface anyway"
    wanted = [("warning", told, fix)] if warned else []
    assert brief(check_hostname(node(1), machine(resolves_to=resolves_to))) == [
        ("gpu1", *each) for each in wanted
    ]


def test_a_name_of_its_own_on_loopback_is_no_matter_for_up() -> None:
    assert found(machine=machine(resolves_to="127.0.1.1")) == []


@pytest.mark.parametrize(
    ("shm_size", "memory", "told"),
    [
        ("16g", 8 * GIB, "/dev/shm gets 16.0 GiB of the host's 8.0 GiB of memory"),
        ("8g", 8 * GIB, None),
        ("900m", GIB // 2, "/dev/shm gets 0.9 GiB of the host's 0.5 GiB of memory"),
        ("1tb", 0, None),
    ],
)
def test_shared_memory_larger_than_memory(shm_size: str, memory: int, told: str | None) -> None:
    wanted = [("warning", told, "set a smaller `docker: {shm_size: …}`")] if told else []
    assert found(head(docker=Docker(shm_size=shm_size)), machine=machine(memory=memory)) == wanted


ROOM = f"free some room, or set {where('hf_home')} to a larger disk"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"free": 20 * GIB}, []),
        ({"free": None}, []),
        ({"free": 3 * GIB}, [("warning", "only 3.0 GiB are free for /home/ana/.cache/huggingface", ROOM)]),
        (
            {"path": "/data/two words", "exists": False},
            [
                (
                    "warning",
                    "/data/two words does not exist there; Docker will make it, owned by root",
                    host_command("mkdir", "-p", "/data/two words"),
                )
            ],
        ),
        (
            {"path": "/hf", "exists": False, "free": 0},
            [
                (
                    "warning",
                    "/hf does not exist there; Docker will make it, owned by root",
                    host_command("mkdir", "-p", "/hf"),
                ),
                ("warning", "only 0.0 GiB are free for /hf", ROOM),
            ],
        ),
    ],
)
def test_the_folder_for_models(changes: dict[str, object], wanted: Told) -> None:
    assert found(machine=machine(hf_home=folder(**changes))) == wanted


@pytest.mark.parametrize(
    ("rdma", "there", "wanted"),
    [
        (Rdma.AUTO, True, []),
        (Rdma.AUTO, False, []),
        (
            Rdma.ON,
            False,
            [("failure", "`rdma` is on, but there is no /dev/infiniband", change("rdma", "auto"))],
        ),
        (
            Rdma.OFF,
            True,
            [
                (
                    "warning",
                    "has RDMA devices that containers do not get: NCCL falls back to TCP and says nothing",
                    change("rdma", "auto"),
                )
            ],
        ),
    ],
)
def test_rdma_devices_and_whether_containers_get_them(rdma: Rdma, there: bool, wanted: Told) -> None:
    of = head(rdma=rdma)
    assert found(of, infiniband=there) == wanted
    told = fine(quick(of, {"gpu1": bare_host(of.head, infiniband=there)}))
    assert (("gpu1", "rdma", "/dev/infiniband is given to containers") in told) is (there and not wanted)


@pytest.mark.parametrize(("declared", "there", "warned"), [(8, 4, True), (4, 4, False), (8, None, False)])
def test_more_gpus_declared_than_there_are(declared: int, there: int | None, warned: bool) -> None:
    of = head(accelerator=Accelerator.NVIDIA, num_gpus=declared)
    told = f"`num_gpus` is {declared}, but the host has {there} GPUs"
    wanted = [("warning", told, change("ray.num_gpus", "4"))] if warned else []
    assert found(of, gpus=there) == wanted


def test_a_host_that_tells_nothing_of_its_machine_is_not_judged_by_it() -> None:
    facts: HostFacts = bare_host(node(1), listeners=())
    assert brief(quick(ALONE, {"gpu1": facts})) == []
