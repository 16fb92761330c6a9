"""What one look at a host tells."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Cluster, Docker, GetOn, Ports, Pull, Ray
from orchestrator.plan.checks import quick
from orchestrator.plan.checks.host import check_reachable, check_startable
from orchestrator.plan.facts.host import Address, Listener, Neighbour, Unreachable
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import (
    HANGS,
    NO_DAEMON,
    NO_RIGHT,
    OTHER_DRIVER,
    PRUNE,
    SUDO_ASKS,
    docker_problem,
)
from orchestrator.plan.typed import change, host_command, there, where
from tests.plan.checks.samples import ALONE, brief, fine, found, good, head, head_with, machine
from tests.plan.worlds import bare_host, cluster, container, node

NOWHERE = "ip 10.0.0.1 is on no interface of this host, which has"
PINNED = Ray(ports=Ports.PINNED)


def test_a_host_in_good_order_is_told_in_four_lines() -> None:
    assert brief(quick(ALONE, good(ALONE))) == []
    assert fine(quick(ALONE, good(ALONE))) == [
        ("gpu1", "ports", "port 6379 free"),
        ("gpu1", "address", "ip on eth0"),
        ("gpu1", "hf_home", "/home/ana/.cache/huggingface has room"),
    ]


def test_devices_that_are_not_there_are_told_with_what_asks_for_them() -> None:
    of = head(accelerator=Accelerator.AMD, docker=Docker(args=("--device", "/dev/nothere")))
    missing = machine(missing=("/dev/kfd", "/dev/nothere"))
    assert found(of, machine=missing) == [
        ("failure", "`accelerator` is amd, and there is no /dev/kfd on it", OTHER_DRIVER),
        (
            "failure",
            "`docker.args` gives the container /dev/nothere, which the host does not have",
            f"install its driver there, or correct {where('docker.args')}",
        ),
    ]


def test_a_program_of_ours_that_is_not_there_is_told_before_anything_starts() -> None:
    text = "bash is not there: `up`, `logs` and `status --watch` run it on the host"
    assert found(ALONE, machine=machine(lacks=("bash",))) == [("failure", text, "install bash on it")]


def test_a_silent_host_is_told_in_its_own_words_and_no_more() -> None:
    (only,) = quick(ALONE, {"gpu1": Unreachable("no key is accepted", "ssh-copy-id gpu1", "tried: id_rsa")})
    assert (only.host, only.topic, only.level) == ("gpu1", "ssh", "failure")
    assert (only.text, only.fix, only.detail) == ("no key is accepted", "ssh-copy-id gpu1", "tried: id_rsa")


@pytest.mark.parametrize(
    ("trouble", "told", "fix"),
    [
        (docker_problem(124, "Docker does not answer"), "Docker does not answer", HANGS),
        (
            docker_problem(1, "Cannot connect to the Docker daemon"),
            "Cannot connect to the Docker daemon",
            NO_DAEMON,
        ),
        (docker_problem(1, "permission denied: docker.sock"), "permission denied: docker.sock", NO_RIGHT),
        (docker_problem(1, "sudo: a password is required\nbye"), "sudo: a password is required", SUDO_ASKS),
        (docker_problem(3, "?"), "?", there("docker info")),
    ],
)
def test_docker_in_trouble_is_the_one_thing_told(trouble: Problem, told: str, fix: str) -> None:
    assert found(docker=trouble) == [("failure", told, fix)]


def test_what_docker_says_in_several_lines_stands_below_the_one_that_tells_it() -> None:
    beside = "sudo: unable to resolve host gpu1: Name or service not known"
    words = f"{beside}\nsudo: a terminal is required\nsudo: a password is required"
    (only,) = check_reachable(node(1), bare_host(node(1), docker=docker_problem(1, words)))
    assert (only.text, only.detail) == ("sudo: a terminal is required", words)


@pytest.mark.parametrize(
    ("of", "addresses", "told", "fix"),
    [
        (head(), (Address("eth0", "10.0.0.7"),), f"{NOWHERE} 10.0.0.7 (eth0)", change("ip", "10.0.0.7")),
        (
            head(),
            (Address("docker0", "172.17.0.1"), Address("eth0", "10.0.0.7")),
            f"{NOWHERE} 172.17.0.1 (docker0), 10.0.0.7 (eth0)",
            change("ip", "10.0.0.7"),
        ),
        (
            head(),
            (Address("eth0", "10.0.0.7"), Address("eth1", "10.0.1.7")),
            f"{NOWHERE} 10.0.0.7 (eth0), 10.0.1.7 (eth1)",
            f"choose one of the host's as {where('ip')}",
        ),
        (head(), (), f"{NOWHERE} none", f"choose one of the host's as {where('ip')}"),
        (
            head(ip=None, network="10.1.0.0/16"),
            (Address("eth0", "10.0.0.1"),),
            "no address of this host lies in network 10.1.0.0/16: it has 10.0.0.1 (eth0)",
            change("ip", "10.0.0.1"),
        ),
    ],
)
def test_an_address_that_is_not_there_is_the_one_thing_told(
    of: Cluster, addresses: tuple[Address, ...], told: str, fix: str
) -> None:
    assert found(of, addresses=addresses) == [("failure", told, fix)]


def test_a_container_of_that_name_that_is_not_ours() -> None:
    stranger = container(ALONE, ALONE.head, cluster="other")
    assert found(docker=(stranger,)) == [
        (
            "failure",
            "a container named raycluster-demo-gpu1 is there that is not this cluster's",
            host_command("docker", "rename", "raycluster-demo-gpu1", "raycluster-demo-gpu1-other"),
        )
    ]


@pytest.mark.parametrize(("running", "level"), [(True, "failure"), (False, "warning")])
def test_a_container_of_this_cluster_that_the_inventory_does_not_name(running: bool, level: str) -> None:
    left = container(ALONE, ALONE.head, name="raycluster-demo-gpu9", running=running)
    other = container(ALONE, ALONE.head, name="raycluster-big-gpu9", cluster="big")
    told = "raycluster-demo-gpu9 of this cluster is there, which is not in the inventory"
    assert found(docker=(left, other)) == [(level, told, PRUNE)]


def test_an_image_that_is_absent_and_never_pulled() -> None:
    never = head(docker=Docker(pull=Pull.NEVER))
    assert found(never, image_id="") == [
        (
            "failure",
            "image vllm/vllm-openai:v0.17.1 is not on this host, and `docker.pull` is never",
            f"bring the image there, or {change('docker.pull', 'missing')}",
        )
    ]
    assert found(ALONE, image_id="") == []


def test_who_builds_needs_an_image_that_ray_is_added_to() -> None:
    never = replace(head(docker=Docker(pull=Pull.NEVER)), ray=Ray(install="ray[default]==2.56.*"))
    assert [each[1] for each in found(never, image_id="")] == [
        "image vllm/vllm-openai:v0.17.1 is not on this host, and `docker.pull` is never"
    ]
    assert found(never, image_id="", base=ImageInfo("sha256:base")) == []
    of = cluster(workers=1, ray=Ray(install="ray==2.56.0"), get_on=GetOn.HEAD)
    worker = replace(of.workers[0], docker=Docker(pull=Pull.NEVER))
    facts = bare_host(worker, image_id="", listeners=())
    assert list(check_startable(of, worker, facts)) == []
    assert len([*check_startable(replace(of, get_on=GetOn.EACH), worker, facts)]) == 1


HELD = f"stop it, or choose another {where('ray.port')}"


@pytest.mark.parametrize(
    ("ray", "listener", "told"),
    [
        (Ray(), Listener("*", 6379, "redis (pid 7)"), "port 6379, for Ray's GCS, is held by redis (pid 7)"),
        (
            Ray(port=7000),
            Listener("127.0.0.1", 7000),
            "port 7000, for Ray's GCS, is held by another user's program"
            " (sudo ss -ltnp 'sport = :7000' names it)",
        ),
        (PINNED, Listener("*", 6386, "x (pid 1)"), "port 6386, for Ray's dashboard, is held by x (pid 1)"),
        (Ray(), Listener("*", 6386), None),
    ],
)
def test_a_port_that_ray_needs_and_another_program_holds(
    ray: Ray, listener: Listener, told: str | None
) -> None:
    wanted = [("failure", told, HELD)] if told else []
    assert found(replace(ALONE, ray=ray), listeners=(listener,)) == wanted


Y = Neighbour(
    "raycluster-y-gpu1", "y", running=True, command="\"bash -c 'exec ray start --block --head --port=6379'\""
)
END_Y = "take cluster y down, with its own inventory (`raycluster ls` lists those used here)"


@pytest.mark.parametrize(
    ("neighbour", "holder", "end"),
    [
        (Y, "cluster y's head (container raycluster-y-gpu1)", END_Y),
        (replace(Y, running=False), "gcs_server (pid 9)", "stop it"),
        (replace(Y, command=Y.command.replace("6379", "6380")), "gcs_server (pid 9)", "stop it"),
        (replace(Y, command="\"bash -c 'sleep infinity'\""), "gcs_server (pid 9)", "stop it"),
    ],
)
def test_a_port_that_another_cluster_of_ours_holds(neighbour: Neighbour, holder: str, end: str) -> None:
    """A program of its container's that one ended would be started again."""
    held = (Listener("*", 6379, "gcs_server (pid 9)"),)
    wanted = f"port 6379, for Ray's GCS, is held by {holder}", f"{end}, or choose another {where('ray.port')}"
    assert found(listeners=held, neighbours=(neighbour,)) == [("failure", *wanted)]


def test_the_dashboards_port_is_the_other_clusters_head_s_too() -> None:
    held = (Listener("*", 8265, "raylet (pid 9)"),)
    (told,) = found(listeners=held, neighbours=(Y,))
    assert "is held by cluster y's head (container raycluster-y-gpu1), which will not start" in told[1]


def test_all_pinned_ports_are_told_as_free_on_the_head_and_fewer_on_a_worker() -> None:
    of = cluster(workers=1, ray=PINNED)
    told = [(host, text) for host, topic, text in fine(quick(of, good(of))) if topic == "ports"]
    assert told == [
        ("gpu1", "ports 6379,6380,6381,6382,6383,6384,6385,6386,6387,6388,6389 free"),
        ("gpu2", "ports 6380,6381,6382,6383,6384,6385 free"),
    ]


def test_a_container_of_ours_that_stands_holds_its_ports_by_right() -> None:
    ours = container(ALONE, ALONE.head)
    held = (Listener("*", 6379, "gcs_server (pid 9)"),)
    assert found(docker=(ours,), listeners=held) == []
    assert found(docker=(replace(ours, running=False),), listeners=held) != []


def test_ports_that_cannot_be_told_are_no_good_news() -> None:
    facts = head_with(ALONE, listeners=None)
    assert brief(quick(ALONE, facts)) == [
        ("gpu1", "warning", "which ports are in use is not known", "install iproute2 there")
    ]
    assert "ports" not in {topic for _, topic, _ in fine(quick(ALONE, facts))}
