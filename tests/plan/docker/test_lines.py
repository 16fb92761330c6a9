"""The `docker run` lines, word for word."""

import json
from dataclasses import replace

import pytest

from orchestrator.model.cluster import (
    Accelerator,
    Auth,
    Cluster,
    Docker,
    Entrypoint,
    Node,
    Ports,
    Ray,
    Rdma,
    Role,
)
from orchestrator.model.secret import Secret
from orchestrator.plan import docker
from orchestrator.plan.docker.shell_texts import PYTHON
from orchestrator.plan.facts.address import NodeAddress, node_address
from orchestrator.plan.facts.host import Address
from orchestrator.plan.ray import commands as ray
from tests.plan.worlds import arguments, bare_host

HEAD = Node("gpu1", "gpu1.example.com", Role.HEAD, "10.0.0.1")
WORKER = Node("gpu2", "gpu2.example.com", Role.WORKER, "10.0.0.2")
RESUMES = "[ ! -e /var/tmp/raycluster/supervisor.py ] || python3 /var/tmp/raycluster/supervisor.py run &"
SMALLEST = Cluster("demo", "vllm/vllm-openai:v0.17.1", HEAD, (WORKER,))


def line(cluster: Cluster, node: Node, *secrets: Secret, infiniband: bool = False) -> str:
    """The line, with the spec hash made short so that it can be read."""
    place = NodeAddress(node.ip or "", "eth1", "/home/ana", infiniband)
    spec = docker.container_spec(cluster, node, place, "10.0.0.1", secrets)
    return spec.run.line().replace(spec.hash, "HASH")


def test_the_head_of_the_smallest_inventory() -> None:
    assert line(SMALLEST, HEAD) == (
        "docker run --detach --name raycluster-demo-gpu1 --label raycluster.cluster=demo"
        " --label raycluster.role=head --label raycluster.spec=HASH --restart unless-stopped"
        " --entrypoint /bin/bash --network host --shm-size 10.24g --gpus all --stop-timeout 45"
        " -v /home/ana/.cache/huggingface:/root/.cache/huggingface"
        " -e VLLM_HOST_IP=10.0.0.1 -e GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=eth1"
        " -v /home/ana/.raycluster/demo/gpu1.token:/run/raycluster/token:ro"
        " -e RAY_AUTH_MODE=token -e RAY_AUTH_TOKEN_PATH=/run/raycluster/token"
        " vllm/vllm-openai:v0.17.1"
        f" -c '{RESUMES} exec ray start --block --head --node-ip-address=10.0.0.1 --port=6379'"
    )


def test_a_worker_of_the_smallest_inventory() -> None:
    assert line(SMALLEST, WORKER) == (
        "docker run --detach --name raycluster-demo-gpu2 --label raycluster.cluster=demo"
        " --label raycluster.role=worker --label raycluster.spec=HASH --restart unless-stopped"
        " --entrypoint /bin/bash --network host --shm-size 10.24g --gpus all --stop-timeout 45"
        " -v /home/ana/.cache/huggingface:/root/.cache/huggingface"
        " -e VLLM_HOST_IP=10.0.0.2 -e GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=eth1"
        " -v /home/ana/.raycluster/demo/gpu2.token:/run/raycluster/token:ro"
        " -e RAY_AUTH_MODE=token -e RAY_AUTH_TOKEN_PATH=/run/raycluster/token"
        " vllm/vllm-openai:v0.17.1"
        f" -c '{RESUMES} exec ray start --block --address=10.0.0.1:6379 --node-ip-address=10.0.0.2'"
    )


def test_pinned_ports_of_the_head() -> None:
    pinned = replace(SMALLEST, ray=Ray(port=7000, ports=Ports.PINNED))
    shown = line(pinned, HEAD)
    assert " -e AUTOSCALER_METRIC_PORT=7008 -e DASHBOARD_METRIC_PORT=7009 " in shown
    assert shown.endswith(
        f" -c '{RESUMES} exec ray start --block --head --node-ip-address=10.0.0.1 --port=7000"
        " --node-manager-port=7001 --object-manager-port=7002 --runtime-env-agent-port=7003"
        " --dashboard-agent-grpc-port=7004 --dashboard-agent-listen-port=7005"
        " --metrics-export-port=7006 --dashboard-port=7007"
        ' $(by=$(sed -n "s/^#! *\\(.*python.*\\)/\\1/p; q" "$(command -v ray)"); ${by:-python3} -c "import grpc"'
        " 2>/dev/null && echo --ray-client-server-port=7010)'"
    )


def test_pinned_ports_of_a_worker_hold_nothing_that_is_the_heads_alone() -> None:
    pinned = replace(SMALLEST, ray=Ray(port=7000, ports=Ports.PINNED))
    shown = line(pinned, WORKER)
    assert "METRIC_PORT" not in shown
    assert shown.endswith(
        f" -c '{RESUMES} exec ray start --block --address=10.0.0.1:7000 --node-ip-address=10.0.0.2"
        " --node-manager-port=7001 --object-manager-port=7002 --runtime-env-agent-port=7003"
        " --dashboard-agent-grpc-port=7004 --dashboard-agent-listen-port=7005"
        " --metrics-export-port=7006'"
    )


def test_everything_a_host_may_set_has_its_place() -> None:
    node = replace(
        WORKER,
        hf_home="/data/hf",
        env=(("NCCL_DEBUG", "INFO"), ("NCCL_SOCKET_IFNAME", "ib0"), ("GREETING", "two words")),
        docker=Docker(
            command=("sudo", "-n", "docker"),
            gpus='"device=0,1"',
            shm_size="16g",
            restart="no",
            args=("--ulimit", "nofile=65536", "-v", "/models:/models"),
        ),
        num_gpus=2,
        ray_args=("--resources", '{"big": 1}'),
    )
    cluster = replace(SMALLEST, ray=Ray(port=6400, auth=Auth.DISABLED))
    assert line(cluster, node, infiniband=True) == (
        "sudo -n docker run --detach --name raycluster-demo-gpu2 --label raycluster.cluster=demo"
        " --label raycluster.role=worker --label raycluster.spec=HASH --restart no"
        " --entrypoint /bin/bash --network host --shm-size 16g --gpus '\"device=0,1\"' --stop-timeout 45"
        " -v /data/hf:/root/.cache/huggingface"
        " -e VLLM_HOST_IP=10.0.0.2 -e GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=ib0"
        " -e NCCL_DEBUG=INFO -e 'GREETING=two words' -e RAY_AUTH_MODE=disabled"
        " --device /dev/infiniband --cap-add IPC_LOCK --ulimit memlock=-1 --ulimit stack=67108864"
        " --ulimit nofile=65536 -v /models:/models"
        " vllm/vllm-openai:v0.17.1"
        f" -c '{RESUMES} exec ray start --block --address=10.0.0.1:6400 --node-ip-address=10.0.0.2 --num-gpus=2"
        " --resources '\"'\"'{\"big\": 1}'\"'\"''"
    )


@pytest.mark.parametrize(
    ("accelerator", "given"),
    [
        (Accelerator.NONE, ""),
        (
            Accelerator.AMD,
            " --device /dev/kfd --device /dev/dri --group-add video --ipc host --cap-add SYS_PTRACE"
            " --security-opt seccomp=unconfined",
        ),
        (Accelerator.INTEL, " --device /dev/dri -v /dev/dri/by-path:/dev/dri/by-path"),
        (Accelerator.GAUDI, " --runtime habana --cap-add sys_nice"),
        (Accelerator.TPU, " --privileged"),
    ],
)
def test_an_accelerator_that_is_not_nvidia_gets_its_own_flags_and_no_gpus(
    accelerator: Accelerator, given: str
) -> None:
    shown = line(SMALLEST, replace(HEAD, accelerator=accelerator))
    assert "--gpus" not in shown
    assert f"RAY_AUTH_TOKEN_PATH=/run/raycluster/token{given} vllm/" in shown


def test_ascend_gets_its_devices_and_driver() -> None:
    shown = line(SMALLEST, replace(HEAD, accelerator=Accelerator.ASCEND))
    assert "--device /dev/davinci0 " in shown
    assert "--device /dev/hisi_hdc " in shown
    assert "-v /usr/local/Ascend/driver/lib64:/usr/local/Ascend/driver/lib64" in shown


@pytest.mark.parametrize(
    ("gpus", "given"),
    [
        ("2", "--gpus 2 "),
        ("device=0", "--gpus device=0 "),
        (
            "device=0,2",
            "--gpus '\"device=0,2\"' ",
        ),  # without its quotes Docker would read a device and a count
        ('"device=0,2"', "--gpus '\"device=0,2\"' "),
        ("driver=cdi,device=nvidia.com/gpu=all", "--gpus driver=cdi,device=nvidia.com/gpu=all "),
        ("none", ""),
    ],
)
def test_docker_gpus_is_given_as_docker_takes_it(gpus: str, given: str) -> None:
    shown = line(SMALLEST, replace(HEAD, docker=Docker(gpus=gpus)))
    assert f"--shm-size 10.24g {given}--stop-timeout" in shown


@pytest.mark.parametrize(
    ("accelerator", "given"),
    [
        (Accelerator.AMD, "GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=eth1"),
        (Accelerator.INTEL, "GLOO_SOCKET_IFNAME=eth1 -e CCL_KVS_IFACE=eth1 -e FI_TCP_IFACE=eth1"),
        (
            Accelerator.ASCEND,
            "GLOO_SOCKET_IFNAME=eth1 -e TP_SOCKET_IFNAME=eth1 -e HCCL_SOCKET_IFNAME=eth1",
        ),
        (
            Accelerator.GAUDI,
            "GLOO_SOCKET_IFNAME=eth1 -e HCCL_SOCKET_IFNAME=eth1 -e HABANA_VISIBLE_DEVICES=all"
            " -e OMPI_MCA_btl_vader_single_copy_mechanism=none",
        ),
        (
            Accelerator.TPU,
            "GLOO_SOCKET_IFNAME=eth1 -e TPU_MULTIHOST_BACKEND=ray -e JAX_PLATFORMS=",
        ),
        (Accelerator.NONE, "GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME=eth1"),
    ],
)
def test_each_accelerators_library_is_told_the_interface_by_its_own_variables(
    accelerator: Accelerator, given: str
) -> None:
    shown = line(SMALLEST, replace(HEAD, accelerator=accelerator))
    assert f" -e VLLM_HOST_IP=10.0.0.1 -e {given} -v " in shown


def test_hccl_is_told_of_ipv6() -> None:
    node = replace(HEAD, ip="fd00::1", accelerator=Accelerator.ASCEND)
    assert " -e HCCL_SOCKET_FAMILY=AF_INET6 " in line(SMALLEST, node)


def test_the_inventorys_variables_win_over_the_accelerators() -> None:
    node = replace(HEAD, accelerator=Accelerator.GAUDI, env=(("HABANA_VISIBLE_DEVICES", "0,1"),))
    shown = line(SMALLEST, node)
    assert " -e HABANA_VISIBLE_DEVICES=0,1 " in shown
    assert "=all" not in shown


@pytest.mark.parametrize(
    ("others", "nccl"),
    [
        (("lo", "eth0", "docker0"), "eth1"),
        (("lo", "eth10"), "=eth1"),
        (("eth1.100",), "=eth1"),
        (("veth1",), "eth1"),
    ],
)
def test_where_another_interface_begins_with_the_same_name_nccl_is_told_this_one_alone(
    others: tuple[str, ...], nccl: str
) -> None:
    here = bare_host(HEAD, addresses=(Address("eth1", "10.0.0.1"),), interfaces=("eth1", *others))
    place = node_address(HEAD, here)
    assert isinstance(place, NodeAddress)
    shown = docker.container_spec(SMALLEST, HEAD, place, "10.0.0.1", ()).run.line()
    assert f" -e GLOO_SOCKET_IFNAME=eth1 -e NCCL_SOCKET_IFNAME={nccl} " in shown


@pytest.mark.parametrize(
    ("rdma", "infiniband", "given"),
    [
        (Rdma.AUTO, True, True),
        (Rdma.AUTO, False, False),
        (Rdma.ON, False, True),
        (Rdma.OFF, True, False),
    ],
)
def test_rdma_devices_are_given_where_they_are_or_where_told(
    rdma: Rdma, infiniband: bool, given: bool
) -> None:
    assert (
        "--device /dev/infiniband" in line(SMALLEST, replace(HEAD, rdma=rdma), infiniband=infiniband)
    ) is given


def test_an_ipv6_head_is_dialled_in_brackets() -> None:
    command = ray.start(SMALLEST, WORKER, "fd00::2", "fd00::1")
    assert command == f"{RESUMES} exec ray start --block '--address=[fd00::1]:6379' --node-ip-address=fd00::2"


def test_a_secret_travels_on_standard_input_and_its_name_alone_enters_the_spec() -> None:
    cluster = replace(SMALLEST, secrets=("HF_TOKEN",))
    place = NodeAddress("10.0.0.1", "eth0", "/root", infiniband=False)
    one = docker.container_spec(cluster, HEAD, place, "10.0.0.1", (Secret("HF_TOKEN", "hf_one"),))
    two = docker.container_spec(cluster, HEAD, place, "10.0.0.1", (Secret("HF_TOKEN", "hf_two"),))
    assert one.run.input() == b"HF_TOKEN=hf_one\n"
    assert "--env-file /dev/stdin" in one.run.line()
    assert "hf_one" not in one.run.line() + repr(one)
    assert one.hash == two.hash
    assert one.hash != docker.container_spec(SMALLEST, HEAD, place, "10.0.0.1", ()).hash


def test_ray_install_derives_an_image_named_by_its_recipe() -> None:
    cluster = replace(SMALLEST, ray=Ray(install="ray[default]==2.56.*"))
    build = docker.build(cluster, HEAD)
    name = docker.image(cluster)
    told = {"docker": "docker", "base": "vllm/vllm-openai:v0.17.1", "name": name, "label": "raycluster.base"}
    assert (build.script, told.items() <= arguments(build).items()) == ("build", True)
    base, run = build.input().decode().splitlines()
    assert base == "FROM vllm/vllm-openai:v0.17.1"
    assert json.loads(run.removeprefix("RUN ")) == [
        *("env", "PIP_BREAK_SYSTEM_PACKAGES=1", "/bin/sh", "-c", PYTHON, "python3"),
        *("-m", "pip", "install", "--no-cache-dir", "ray[default]==2.56.*"),
    ]
    assert f" {name} -c '{RESUMES} exec ray start" in line(cluster, WORKER)


def test_a_kept_entrypoint_runs_first_and_what_comes_later_has_its_environment() -> None:
    kept = replace(HEAD, docker=Docker(entrypoint=Entrypoint.KEEP))
    shown = line(SMALLEST, kept)
    assert "--entrypoint" not in shown
    assert f"{SMALLEST.image} /bin/bash -c '(umask 077; RAYCLUSTER_USER=" in shown
    by_bash = replace(HEAD, env=(("BASH_ENV", "/setvars.sh"),))
    assert "--entrypoint /bin/bash" in line(SMALLEST, by_bash)
    for node in (kept, by_bash, replace(HEAD, docker=Docker(args=("-e", "BASH_ENV=/setvars.sh")))):
        argv = docker.execute(SMALLEST, node, ("nvidia-smi",), "MARK=1", stdin=False).argv
        assert (argv[5:7], argv[-2:]) == (("/bin/sh", "-c"), ("enter", "nvidia-smi"))
    assert docker.execute(SMALLEST, HEAD, ("nvidia-smi",), "MARK=1", stdin=False).argv[4:] == (
        "raycluster-demo-gpu1",
        "nvidia-smi",
    )
