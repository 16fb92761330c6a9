"""Faults, made for real on real hosts: what a user sees, the exit code, and what repairs them."""

from .lab import Lab
from .seeing import (
    brought_up,
    containers,
    environment,
    failed,
    finished,
    has_started,
    health,
    heard,
    just_asked,
    repaired,
    two_hosts,
    verdict,
)

NO_LUCK = "printf '#!/bin/sh\\necho no luck today >&2; exit 3\\n' >/usr/local/bin/ray"


def test_a_worker_without_the_image_that_no_registry_gives(lab: Lab) -> None:
    lab.hosts["gpu2"].docker("tag", "raylab:latest", "raylab:kept")
    lab.hosts["gpu2"].docker("rmi", "raylab:latest")
    inventory = two_hosts(lab, engine="mp", docker={"pull": "missing"})
    try:
        up = lab.raycluster("up", inventory)
        failed(
            up,
            "cluster lab is not complete: 1 of 2 hosts failed",
            "gpu2  pull raylab:latest: Error",
            "(exit code 1)",
            "→",
        )
        assert containers(lab) == {"raycluster-lab-gpu1": "running"}
    finally:
        lab.hosts["gpu2"].docker("tag", "raylab:kept", "raylab:latest")
    repaired(lab, inventory)


def test_an_absent_image_that_may_not_be_pulled_is_known_before_anything_starts(lab: Lab) -> None:
    up = lab.raycluster("up", two_hosts(lab, image="raylab:absent"))
    failed(up, "gpu1, gpu2  image raylab:absent is not on this host, and `docker.pull` is never")
    assert containers(lab) == {}


def test_docker_run_failing_on_a_worker(lab: Lab) -> None:
    up = lab.raycluster("up", two_hosts(lab, engine="mp", worker={"accelerator": "nvidia"}))
    failed(
        up,
        "gpu2  start its container: docker: Error response from daemon: could not select device driver",
        "(exit code 125)",
        "→ install the NVIDIA container toolkit",
        "The other hosts stay as they are",
    )
    assert containers(lab) == {"raycluster-lab-gpu1": "running"}
    repaired(lab, two_hosts(lab, engine="mp"))


def test_a_device_that_is_not_there_is_named_before_anything_starts(lab: Lab) -> None:
    amd = lab.raycluster("up", two_hosts(lab, engine="mp", worker={"accelerator": "amd"}))
    told = "gpu2  `accelerator` is amd, and there is no /dev/kfd, /dev/dri on it\n"
    failed(amd, told, "→ install its driver there, or set `accelerator` (")
    args = lab.raycluster(
        "up", two_hosts(lab, engine="mp", worker={"docker": {"args": ["--device", "/dev/nothere"]}})
    )
    failed(args, "gpu2  `docker.args` gives the container /dev/nothere, which the host does not have\n")
    for up in (amd, args):
        assert "start its container" not in "".join(line for line in up.stderr.splitlines() if "gpu2" in line)
        assert "ray.install" not in up.stderr
        assert "no Ray" not in up.stderr


def test_a_docker_run_that_ends_with_127_is_told_in_dockers_words_and_nothing_is_advised(lab: Lab) -> None:
    """The code of Docker's client for any "no such file or directory", which a shell has for a missing program."""
    up = lab.raycluster(
        "up", two_hosts(lab, engine="mp", worker={"docker": {"args": ["-v", "/proc/nothere:/nothere"]}})
    )
    failed(
        up,
        "gpu2  start its container: docker: Error response from daemon: ",
        "mkdir /proc/nothere: no such file or directory (exit code 127)\n",
    )
    assert "→" not in up.stderr.partition("gpu2  start its container: ")[2]


def test_gpus_are_given_where_dockers_nvidia_hook_is_there(lab: Lab) -> None:
    """The hook is a stand-in that does nothing: this host has no GPU, and the container is told so."""
    lab.hosts["gpu2"].stop_docker()
    lab.hosts["gpu2"].start_docker(gpu_hook=True)
    brought_up(lab, two_hosts(lab, engine="mp", worker={"accelerator": "nvidia"}))
    assert "NVIDIA_VISIBLE_DEVICES=all" in environment(lab, "gpu2")


def test_a_worker_whose_container_exits_at_once(lab: Lab) -> None:
    lab.hosts["gpu2"].variant("raylab:broken", NO_LUCK)
    lab.hosts["gpu2"].docker("tag", "raylab:latest", "raylab:kept")
    lab.hosts["gpu2"].docker("tag", "raylab:broken", "raylab:latest")
    inventory = two_hosts(lab)
    try:
        up = lab.raycluster("up", inventory)
        failed(
            up,
            "gpu2  wait until Ray lists it: its container ended",
            "| no luck today",
            "The other hosts stay as they are",
        )
        assert containers(lab) == {"raycluster-lab-gpu1": "running"}
        assert verdict(lab, inventory) == "degraded"
    finally:
        lab.hosts["gpu2"].docker("tag", "raylab:kept", "raylab:latest")
    repaired(lab, inventory)


def test_an_image_without_ray(lab: Lab) -> None:
    for name in ("gpu1", "gpu2"):
        lab.hosts[name].variant("raylab:noray", "rm /usr/local/bin/ray")
    up = lab.raycluster("up", two_hosts(lab, image="raylab:noray"))
    failed(
        up,
        "cluster lab is not up: its head failed",
        "its container ended",  # with exit code 127, unless Docker was quick to restart it
        "ray: not found",
        "install: 'ray[default]==2.56.*'",
        "vllm/vllm-openai:v0.17.1",
        "Nothing was done on gpu2.",
    )
    assert containers(lab) == {}


def test_an_ip_that_is_on_no_interface(lab: Lab) -> None:
    up = lab.raycluster("up", two_hosts(lab, engine="mp", worker={"ip": "192.0.2.99"}))
    failed(
        up,
        "gpu2  ip 192.0.2.99 is on no interface of this host, which has 192.0.2.12 (eth0)",
        "write `ip: 192.0.2.12`",
    )
    repaired(lab, two_hosts(lab, engine="mp"))


def test_a_head_that_cannot_be_reached(lab: Lab) -> None:
    lab.hosts["gpu1"].stop_ssh()
    inventory = two_hosts(lab)
    failed(lab.raycluster("up", inventory), "its head failed", "gpu1  192.0.2.11:22 refuses connections")
    assert containers(lab) == {}
    assert verdict(lab, inventory) == "unknown"


def test_a_container_of_that_name_that_is_not_ours(lab: Lab) -> None:
    lab.hosts["gpu2"].docker("run", "--detach", "--name", "raycluster-lab-gpu2", "raylab", "sleep", "300")
    inventory = two_hosts(lab, engine="mp")
    failed(
        lab.raycluster("up", inventory), "gpu2  a container named raycluster-lab-gpu2 is there that is not"
    )
    assert "not this cluster's" in health(lab, inventory)["hosts"]["gpu2"]["trouble"]
    assert lab.raycluster("down", inventory).returncode == 0
    assert "raycluster-lab-gpu2" in lab.hosts["gpu2"].docker("ps")


def test_a_cable_cut_during_up(lab: Lab) -> None:
    inventory = two_hosts(lab, ssh={"connect_timeout": 3})
    up = lab.raycluster_popen("up", inventory)
    heard(up, "gpu2: start its container: ok")
    just_asked(lab.hosts["gpu2"])
    lab.hosts["gpu2"].cut()
    failed(finished(up), "1 of 2 hosts failed", "gpu2  ", "its container may still be there")
    lab.hosts["gpu2"].mend()
    repaired(lab, inventory)


def test_a_cable_cut_during_down(lab: Lab) -> None:
    inventory = brought_up(lab, two_hosts(lab, engine="mp", ssh={"connect_timeout": 3}))
    lab.hosts["gpu2"].cut()
    failed(
        lab.raycluster("down", inventory),
        "not known to be down: 1 host failed",
        "gpu2  192.0.2.12:22 does not answer",
    )
    lab.hosts["gpu2"].mend()
    down = lab.raycluster("down", inventory)
    assert down.returncode == 0, down.stderr
    assert containers(lab) == {}


def test_ctrl_c_removes_what_the_run_had_started(lab: Lab) -> None:
    up = lab.raycluster_popen("up", two_hosts(lab))
    has_started(lab.hosts["gpu1"])
    up.send_signal(2)
    stdout, stderr = up.communicate(timeout=120)
    assert up.returncode == 130
    assert stdout == ""
    assert "interrupted" in stderr
    assert containers(lab) == {}


def test_a_model_is_not_served_before_the_cluster_is_up(lab: Lab) -> None:
    serve = lab.raycluster("serve", "-y", "-i", two_hosts(lab), "alphabet")
    failed(serve, "gpu1  the cluster is not up: no container of its head runs", "→ raycluster up")


def test_an_unknown_host_key_is_refused_until_trusted(lab: Lab) -> None:
    (lab.home / ".ssh/known_hosts").unlink()
    inventory = two_hosts(lab, engine="mp")
    failed(
        lab.raycluster("up", inventory),
        "the host key of 192.0.2.11:22 is not known: ED25519 SHA256:",
        "raycluster trust",
    )
    assert lab.raycluster("trust", inventory, input="n\n").returncode == 1
    assert not (lab.home / ".ssh/known_hosts").exists()
    trust = lab.raycluster("trust", inventory, input="y\n")
    assert trust.returncode == 0, trust.stderr
    assert trust.stdout == "the host keys of 2 hosts are known\n"
    repaired(lab, inventory)
