"""The lines of `check`'s trial, word for word, and the script that starts it, really run."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import Accelerator, Cluster, Docker, Node, Ports, Ray, Rdma, Role
from orchestrator.payload import program
from orchestrator.plan import docker, scripts
from orchestrator.plan.command import Command
from orchestrator.plan.docker.shell_texts import PYTHON
from orchestrator.plan.facts.address import NodeAddress
from tests.plan.machines import NOTE, Machine

HEAD = Node("gpu1", "gpu1.example.com", Role.HEAD, "10.0.0.1")
WORKER = Node("gpu2", "gpu2.example.com", Role.WORKER, "10.0.0.2")
SMALLEST = Cluster("demo", "vllm/vllm-openai:v0.17.1", HEAD, (WORKER,))
HF_HOME = "/home/ana/.cache/huggingface"


def trial(
    cluster: Cluster = SMALLEST, node: Node = HEAD, folder: str = HF_HOME, *, rdma: bool = False
) -> Command:
    place = NodeAddress(node.ip or "", "eth1", "/home/ana", infiniband=rdma)
    return docker.run_probe(cluster, node, place, folder, (6379, 60999, 19999))


def words(command: Command) -> str:
    """What follows the script, with the program's text as its name."""
    assert command.argv[:4] == ("sh", "-c", scripts.TRIAL, "trial")
    return named(command.argv[4:])


def named(words: Iterable[str]) -> str:
    """The words of a line, with a name for each of our texts."""
    texts = {program("probe"): "PROBE", program("network_test"): "TEST", PYTHON: "PYTHON"}
    return " ".join(texts.get(word, word) for word in words)


def test_the_trial_of_the_smallest_inventory() -> None:
    assert words(trial()) == (
        "docker raytrial-demo-gpu1 --rm --interactive --label raycluster.trial --network host"
        " -v /home/ana/.cache/huggingface:/root/.cache/huggingface"
        " -v /home/ana/.cache/huggingface:/run/raycluster/hf_home"
        " --shm-size 10.24g --gpus all"
        " -e VLLM_HOST_IP=10.0.0.1 -e GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=eth1"
        " --tty=false --entrypoint /bin/bash vllm/vllm-openai:v0.17.1"
        " -c PYTHON python3 -c PROBE look nvidia 10.0.0.1 /root/.cache/huggingface 6379 60999 19999"
    )


def test_everything_that_decides_what_a_container_finds_is_as_in_its_own() -> None:
    node = replace(
        WORKER,
        accelerator=Accelerator.AMD,
        rdma=Rdma.ON,
        env=(("NCCL_DEBUG", "INFO"),),
        docker=Docker(command=("sudo", "-n", "docker"), shm_size="16g", args=("--ulimit", "nofile=65536")),
    )
    assert words(trial(replace(SMALLEST, ray=Ray(ports=Ports.PINNED)), node, folder="")) == (
        "sudo -n docker raytrial-demo-gpu2 --rm --interactive --label raycluster.trial --network host"
        " --shm-size 16g -e VLLM_HOST_IP=10.0.0.2 -e GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=eth1"
        " -e NCCL_DEBUG=INFO"
        " --device /dev/kfd --device /dev/dri --group-add video --ipc host --cap-add SYS_PTRACE"
        " --security-opt seccomp=unconfined"
        " --device /dev/infiniband --cap-add IPC_LOCK --ulimit memlock=-1 --ulimit stack=67108864"
        " --ulimit nofile=65536"
        " --tty=false --entrypoint /bin/bash vllm/vllm-openai:v0.17.1"
        " -c PYTHON python3 -c PROBE look amd 10.0.0.2 /root/.cache/huggingface 6379 60999 19999"
    )


@pytest.mark.parametrize("rdma", [True, False])
def test_rdma_devices_are_given_where_the_host_has_them(rdma: bool) -> None:
    assert ("--device /dev/infiniband" in words(trial(rdma=rdma))) is rdma


def test_a_trial_knows_no_secret_and_no_token() -> None:
    command = trial(replace(SMALLEST, secrets=("HF_TOKEN",)))
    assert command.stdin == ()
    assert "--env-file" not in command.argv
    assert "token" not in words(command)


def test_a_trial_is_of_the_image_that_ray_was_added_to() -> None:
    of = replace(SMALLEST, ray=Ray(install="ray[default]==2.56.*"))
    assert f"--entrypoint /bin/bash {docker.image(of)} -c PYTHON python3 -c PROBE" in words(trial(of))


def test_others_are_tried_from_inside_the_trial() -> None:
    command = docker.check_tcp(SMALLEST, HEAD, ("10.0.0.2:60999", "[fd00::2]:19999"))
    assert named(command.argv) == (
        "docker exec raytrial-demo-gpu1 /bin/sh -c PYTHON python3 -c PROBE reach 10.0.0.2:60999 [fd00::2]:19999"
    )


def test_a_rank_of_the_deep_check_is_given_the_same_and_no_folder() -> None:
    place = NodeAddress("10.0.0.2", "eth1", "/home/ana", infiniband=True)
    told = ("1", "2", "10.0.0.2", "10.0.0.1", "19998", "0")
    command = docker.run_network_test(SMALLEST, WORKER, place, told)
    assert command.argv[:4] == ("sh", "-c", scripts.TRIAL, "trial")
    assert named(command.argv[4:]) == (
        "docker raydeep-demo-gpu2 --rm --interactive --label raycluster.trial --network host"
        " --shm-size 10.24g --gpus all"
        " -e VLLM_HOST_IP=10.0.0.2 -e GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=eth1"
        " --device /dev/infiniband --cap-add IPC_LOCK --ulimit memlock=-1 --ulimit stack=67108864"
        " --tty=false --entrypoint /bin/bash vllm/vllm-openai:v0.17.1"
        " -c PYTHON python3 -c TEST 1 2 10.0.0.2 10.0.0.1 19998 0"
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.program("docker", f'{NOTE}\n[ "$1" = ps ] && exec cat "$ANSWERS/ps"\nexit 0\n')
    machine.answers("ps", "")
    return machine


def test_the_script_runs_the_container(machine: Machine) -> None:
    assert machine.run(trial()).returncode == 0
    look, run = machine.calls
    assert " ".join(look) == (
        "ps --all --quiet --filter label=raycluster.trial --filter name=^raytrial-demo-gpu1$"
    )
    assert run == ["run", "--name", "raytrial-demo-gpu1", *trial().argv[6:]]


def test_what_a_trial_that_was_cut_short_has_left_makes_room_and_nothing_else_does(machine: Machine) -> None:
    machine.answers("ps", "abc\n")
    ran = machine.run(trial())
    assert [call[0] for call in machine.calls] == ["ps", "rm", "run"]
    assert machine.calls[1] == ["rm", "--force", "abc"]
    assert ran.stdout == ""


def test_a_trial_that_does_not_start_ends_with_dockers_code_and_words(machine: Machine) -> None:
    machine.program("docker", "#!/bin/sh\n[ $1 = run ] || exit 0\necho 'unknown flag' >&2\nexit 125\n")
    ran = machine.run(trial())
    assert (ran.returncode, ran.stderr) == (125, "unknown flag\n")


@pytest.mark.parametrize("value", ["$(touch hacked)", "'; touch hacked; '", "*", "two words"])
def test_whatever_the_inventory_says_arrives_as_data(machine: Machine, value: str) -> None:
    node = replace(HEAD, docker=Docker(args=(value,)))
    machine.run(trial(replace(SMALLEST, image=value), node, folder=f"/{value}"))
    assert machine.calls[-1][3:] == list(
        trial(replace(SMALLEST, image=value), node, folder=f"/{value}").argv[6:]
    )
    assert not (machine.folder / "hacked").exists()
