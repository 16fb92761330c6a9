"""What an inventory comes to: ranges, defaults, and what a host has for itself."""

from pathlib import Path

import pytest

from orchestrator.model import cluster as resolved
from orchestrator.model.cluster import (
    Accelerator,
    Auth,
    Cluster,
    GetOn,
    HostKeys,
    Node,
    Ports,
    Pull,
    Rdma,
    Role,
)
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import load, parse
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.yaml_source import Source, from_text

SMALLEST = "cluster: demo\nimage: vllm/vllm-openai:v0.17.1\nhead: {host: gpu1, ip: 10.0.0.1}\n"


def cluster(more: str = "") -> Cluster:
    source = from_text(SMALLEST + more, "f")
    assert isinstance(source, Source)
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    return resolve(inventory)


def worker(host: str, shared: str = "") -> Node:
    (only,) = cluster(f"{shared}\nworkers:\n  - {{host: gpu2, ip: 10.0.0.2, {host}}}").workers
    return only


def workers(*lines: str) -> list[tuple[str, str, str | None]]:
    text = "network: 10.0.0.0/24\nworkers:\n  - " + "\n    ".join(lines)
    return [(node.name, node.host, node.ip) for node in cluster(text).workers]


def test_the_smallest_inventory_has_every_default() -> None:
    head = Node(name="gpu1", host="gpu1", role=Role.HEAD, ip="10.0.0.1")
    assert cluster() == Cluster("demo", "vllm/vllm-openai:v0.17.1", head)


def test_load_goes_from_a_file_to_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(SMALLEST)
    assert load(str(tmp_path / "f")) == cluster()


def test_load_reports_a_file_that_cannot_be_read_and_one_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("cluster: demo")
    for path in (tmp_path / "f", tmp_path / "none"):
        assert isinstance(load(str(path)), InventoryError)


def test_a_range_stands_for_many() -> None:
    assert workers("host: gpu[2-4].example.com", "ip: 10.0.0.[2-4]") == [
        ("gpu2.example.com", "gpu2.example.com", "10.0.0.2"),
        ("gpu3.example.com", "gpu3.example.com", "10.0.0.3"),
        ("gpu4.example.com", "gpu4.example.com", "10.0.0.4"),
    ]


def test_a_range_keeps_its_zeros() -> None:
    assert [name for name, *_ in workers("host: n[08-11]")] == ["n08", "n09", "n10", "n11"]


def test_a_range_from_zero_has_no_zeros_to_keep() -> None:
    assert [name for name, *_ in workers("host: n[0-10]")] == [f"n{i}" for i in range(11)]


def test_names_may_range_on_their_own() -> None:
    assert workers("host: 192.168.1.[5-6]", "name: gpu[08-09]", "ip: 10.0.0.[2-3]") == [
        ("gpu08", "192.168.1.5", "10.0.0.2"),
        ("gpu09", "192.168.1.6", "10.0.0.3"),
    ]


def test_a_range_needs_no_ip_where_there_is_a_network() -> None:
    assert workers("host: gpu[2-3]") == [("gpu2", "gpu2", None), ("gpu3", "gpu3", None)]


def test_a_range_of_one_is_one() -> None:
    assert workers("host: gpu[7-7]", "ip: 10.0.0.7") == [("gpu7", "gpu7", "10.0.0.7")]


def test_an_ip_wins_over_the_network() -> None:
    found = cluster("network: 10.0.0.0/24\nworkers: [{host: gpu2}]")
    assert (found.head.ip, found.head.network) == ("10.0.0.1", None)
    assert (found.workers[0].ip, found.workers[0].network) == (None, "10.0.0.0/24")


def test_addresses_have_one_spelling() -> None:
    text = "network: FD00:0::/64\nworkers: [{host: '::ffff', name: a, ip: 'FD00:0:0::1'}, {host: b}]"
    a, b = cluster(text).workers
    assert (a.host, a.ip, b.network) == ("::ffff", "fd00::1", "fd00::/64")


def test_maps_merge() -> None:
    node = worker("ssh: {port: 2222}, env: {B: 3, C: 4}", "ssh: {user: ubuntu, port: 22}\nenv: {A: 1, B: 2}")
    assert node.ssh == resolved.Ssh(user="ubuntu", port=2222)
    assert node.env == (("A", "1"), ("B", "3"), ("C", "4"))


def test_lists_append() -> None:
    shared = "docker: {args: [-v, /a:/a]}\nray: {args: [--x]}"
    node = worker("docker: {args: [-v, /b:/b]}, ray: {args: [--y=1]}", shared)
    assert node.docker.args == ("-v", "/a:/a", "-v", "/b:/b")
    assert node.ray_args == ("--x", "--y=1")


def test_scalars_replace() -> None:
    shared = "hf_home: /a\naccelerator: amd\nrdma: on\nray: {num_gpus: 8}\ndocker: {shm_size: 1g, gpus: 2}"
    own = "hf_home: ~, accelerator: none, rdma: off, ray: {num_gpus: 0}, docker: {shm_size: 2g}"
    node = worker(own.replace("~", "~/b"), shared)
    assert (node.hf_home, node.accelerator, node.rdma, node.num_gpus) == (
        "~/b",
        Accelerator.NONE,
        Rdma.OFF,
        0,
    )
    assert node.docker == resolved.Docker(shm_size="2g", gpus="2")


def test_a_host_changes_nothing_for_the_others() -> None:
    found = cluster("env: {A: 1}\nworkers: [{host: gpu2, ip: 10.0.0.2, env: {A: 2}, docker: {args: [-t]}}]")
    assert (found.head.env, found.head.docker.args) == ((("A", "1"),), ())


def test_everything_of_the_cluster_reaches_its_hosts() -> None:
    found = cluster(
        "docker: {command: 'sudo -n docker', restart: no, pull: always}\n"
        "ssh: {key: ~/.ssh/k, jump: me@j:22, host_keys: accept-new, connect_timeout: 1e1}\n"
        "ray: {port: 0079, ports: pinned, auth: token, install: 'ray[default]==2.56.*', num_gpus: 4}\n"
        "secrets: [HF_TOKEN]"
    )
    assert found.head.docker == resolved.Docker(("sudo", "-n", "docker"), restart="no", pull=Pull.ALWAYS)
    assert found.head.ssh == resolved.Ssh(None, None, "~/.ssh/k", "me@j:22", HostKeys.ACCEPT_NEW, 10)
    assert found.ray == resolved.Ray(79, Ports.PINNED, Auth.TOKEN, "ray[default]==2.56.*")
    assert (found.head.num_gpus, found.secrets) == (4, ("HF_TOKEN",))


def test_the_image_may_be_a_map_that_says_where_ray_is_added_to_it() -> None:
    assert (cluster().image, cluster().get_on) == ("vllm/vllm-openai:v0.17.1", GetOn.EACH)
    text = SMALLEST.replace("vllm/vllm-openai:v0.17.1", "{from: vllm:1, get_on: head}")
    source = from_text(text, "f")
    assert isinstance(source, Source)
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    assert (resolve(inventory).image, resolve(inventory).get_on) == ("vllm:1", GetOn.HEAD)


def test_values_arrive_as_written() -> None:
    assert cluster("env: {A: 22:22, B: on, C: 0755, D: 3.10, E: 1e3, F: '', G: \"x\\ny\"}").head.env == (
        ("A", "22:22"),
        ("B", "on"),
        ("C", "0755"),
        ("D", "3.10"),
        ("E", "1e3"),
        ("F", ""),
        ("G", "x\ny"),
    )


@pytest.mark.parametrize(
    "key", ["workers", "env", "secrets", "docker", "ray", "ssh", "network", "hf_home", "rdma"]
)
def test_a_key_with_nothing_after_it_is_as_if_it_were_not_there(key: str) -> None:
    assert cluster(f"{key}:") == cluster()


@pytest.mark.parametrize(
    "image",
    [
        "ubuntu",
        "vllm/vllm-openai",
        "localhost/a:1",
        "localhost:5000/a/b_c-d.e:Tag_1.0",
        "Registry.example.com/a",
        "nvcr.io/nvidia/vllm:25.09-py3",
        "[fd00::1]:5000/a",
        "a@sha256:" + "0" * 64,
        "a/b:v1@sha256:" + "f" * 64,
    ],
)
def test_any_docker_reference_is_kept_as_written(image: str) -> None:
    source = from_text(SMALLEST.replace("vllm/vllm-openai:v0.17.1", f"'{image}'"), "f")
    assert isinstance(source, Source)
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    assert resolve(inventory).image == image


def test_a_vllm_host_ip_that_agrees_is_fine() -> None:
    assert cluster("env: {VLLM_HOST_IP: 10.0.0.1}\ndocker: {args: [-e, VLLM_HOST_IP=10.0.0.1]}")


def test_other_arguments_pass_untouched() -> None:
    args = (
        "-e",
        "VLLM_HOST_IP",
        "--env-file",
        "x",
        "-eA=b c",
        "--label",
        "a=b",
        "--ulimit=memlock=-1",
        "-it",
        "-l",
        "x",
    )
    written = ", ".join(f"'{arg}'" for arg in args)
    assert cluster(f"docker: {{args: [{written}]}}").head.docker.args == args


def test_a_host_may_be_this_machine_whatever_ssh_the_others_need() -> None:
    text = "ssh: {user: ubuntu}\nworkers: [{host: local, ip: 10.0.0.2}, {host: gpu3, ip: 10.0.0.3}]"
    local, gpu3 = cluster(text).workers
    assert (local.name, local.is_local, gpu3.is_local) == ("local", True, False)
