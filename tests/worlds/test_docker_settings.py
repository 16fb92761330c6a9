"""Hosts whose Docker is set up otherwise: of another machine, rootless, user maps, log drivers, runtimes, sudo."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.lab import faults
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.seeing import bad, containers, failed, findings, good, repaired, two_hosts

SANDBOX = """\
#!/bin/sh
for word; do
    [ "$before" != --bundle ] || sed -i 's#,"path":"/var/run/docker/netns/default"##' "$word/config.json"
    before=$word
done
exec runc "$@"
"""
"""A runtime that, as gVisor does, gives each container a network of its own, whatever Docker says."""

OWN = "add `docker: {command: docker -H unix:///var/run/docker.sock}`"


@pytest.fixture
def far(lab: Lab) -> Iterator[str]:
    """Where gpu3's Docker listens for other machines."""
    address = f"tcp://{lab.hosts['gpu3'].address}:2375"
    with faults.engine_settings(lab.hosts["gpu3"], hosts=["unix:///var/run/docker.sock", address], tls=False):
        yield address


@contextmanager
def in_context(gpu2: Host, other: str) -> Iterator[None]:
    gpu2.docker("context", "create", "far", "--docker", f"host={other}")
    gpu2.docker("context", "use", "far")
    try:
        yield
    finally:
        gpu2.run("rm", "-r", "/root/.docker")


@contextmanager
def with_docker_host(gpu2: Host, other: str) -> Iterator[None]:
    (gpu2.folder / "root/.bashrc").write_text(f"export DOCKER_HOST={other}\n")
    yield


@pytest.mark.parametrize(
    ("choose", "chosen", "fix", "mend"),
    [
        (
            in_context,
            "context far",
            "`raycluster exec -i {inventory} -l gpu2 --on-host -- docker context use default`; or ",
            "docker context use default",
        ),
        (
            with_docker_host,
            "DOCKER_HOST=tcp://192.0.2.13:2375",
            "take DOCKER_HOST out of its ~/.bashrc or /etc/environment, or ",
            "sed -i /DOCKER_HOST/d ~/.bashrc",
        ),
    ],
)
def test_the_docker_of_another_machine_is_named_before_anything_starts_there(
    lab: Lab,
    far: str,
    choose: Callable[[Host, str], AbstractContextManager[None]],
    chosen: str,
    fix: str,
    mend: str,
) -> None:
    gpu2, inventory = lab.hosts["gpu2"], two_hosts(lab, engine="mp")
    with choose(gpu2, far):
        text, told = bad(lab, inventory, "gpu2", "docker")
        assert text == f"its `docker` speaks to the Docker of gpu3 ({chosen}), not to one of this host"
        assert told.startswith(fix.format(inventory=inventory))
        assert told.endswith(f": to the entry of gpu2, {OWN}")
        failed(lab.raycluster("up", inventory), f"gpu2  {text}", f"→ {told}")
        assert containers(lab) == {"raycluster-lab-gpu1": "running"}
        own = {"docker": {"command": "docker -H unix:///var/run/docker.sock"}}
        repaired(lab, two_hosts(lab, engine="mp", worker=own))
        gpu2.run("bash", "-c", mend)
        repaired(lab, two_hosts(lab, engine="mp"))
    assert containers(lab) == dict.fromkeys(("raycluster-lab-gpu1", "raycluster-lab-gpu2"), "running")


def test_another_machine_of_the_same_name_is_told_by_where_a_container_is(lab: Lab, far: str) -> None:
    gpu3 = lab.hosts["gpu3"]
    gpu3.run("hostname", "gpu2")
    try:
        with in_context(lab.hosts["gpu2"], far):
            text, fix = bad(lab, two_hosts(lab, engine="mp"), "gpu2", "docker")
    finally:
        gpu3.run("hostname", "gpu3")
    assert text == "its containers are not in the host's network, where other hosts reach them"
    assert "`raycluster exec -i " in fix
    assert "-l gpu2 --on-host -- docker context use default`; or " in fix
    assert fix.endswith(OWN)


def test_a_rootless_docker_is_refused_and_the_systems_taken_by_sudo(lab: Lab) -> None:
    gpu2, worker = lab.hosts["gpu2"], {"ssh": {"user": "ana"}}
    with (
        faults.user_ana(gpu2, "ana ALL=(root) NOPASSWD: ALL"),
        faults.rootless_docker(gpu2) as endpoint,
    ):
        (gpu2.folder / "tmp/ana/.bashrc").write_text(f"export DOCKER_HOST={endpoint}\n")
        inventory = two_hosts(lab, engine="mp", worker=worker)
        text, fix = bad(lab, inventory, "gpu2", "docker")
        assert text.startswith("its Docker is rootless: containers are in a network of its own")
        assert fix.endswith("to the entry of gpu2, add `docker: {command: sudo -n docker}`")
        failed(lab.raycluster("up", inventory), f"gpu2  {text}", f"→ {fix}")
        mended = two_hosts(lab, engine="mp", worker={**worker, "docker": {"command": "sudo -n docker"}})
        repaired(lab, mended)
        assert lab.raycluster("down", mended).returncode == 0


def test_docker_that_maps_users_is_named_with_the_argument_that_unmaps_ours(lab: Lab) -> None:
    gpu2, mapped = lab.hosts["gpu2"], "daemon:100000:65536\n"
    with (
        faults.other_file(gpu2, "/etc/subuid", mapped),
        faults.other_file(gpu2, "/etc/subgid", mapped),
        faults.engine_settings(gpu2, userns_remap="daemon"),
    ):
        inventory = two_hosts(lab, engine="mp")
        text, fix = bad(lab, inventory, "gpu2", "docker")
        assert text == "its Docker maps users (userns-remap), and so refuses containers the host's network"
        assert fix.endswith("to the entry of gpu2, add `docker: {args: [--userns=host]}`")
        failed(lab.raycluster("up", inventory), f"gpu2  {text}", f"→ {fix}")


def test_a_runtime_with_a_network_of_its_own_is_told_by_where_a_container_is(lab: Lab) -> None:
    gpu2 = lab.hosts["gpu2"]
    (gpu2.folder / "run/sandbox").write_text(SANDBOX)
    gpu2.run("chmod", "+x", "/run/sandbox")
    runtimes = {"sandbox": {"path": "/run/sandbox"}}
    with faults.engine_settings(gpu2, default_runtime="sandbox", runtimes=runtimes):
        found = [each for each in findings(lab, two_hosts(lab, engine="mp")) if each["level"] == "failure"]
        place = "its containers are not in the host's network, where other hosts reach them (runtime sandbox)"
        assert [(each["host"], each["text"]) for each in found] == [("gpu2", place)]
        assert found[0]["fix"].endswith("to the entry of gpu2, add `docker: {args: [--runtime=runc]}`")
        mended = two_hosts(lab, engine="mp", worker={"docker": {"args": ["--runtime=runc"]}})
        assert good(findings(lab, mended))


def test_docker_that_keeps_no_logs_is_told_of_with_the_argument_that_keeps_ours(lab: Lab) -> None:
    with faults.engine_settings(lab.hosts["gpu2"], log_driver="none"):
        text, fix = bad(lab, two_hosts(lab, engine="mp"), "gpu2", "docker")
        assert text.startswith("its Docker keeps no logs to read (log driver none)")
        assert fix.endswith("to the entry of gpu2, add `docker: {args: [--log-driver=local]}`")
        inventory = two_hosts(lab, engine="mp", worker={"docker": {"args": ["--log-driver=local"]}})
        repaired(lab, inventory)
        assert lab.raycluster("logs", "-i", inventory).returncode == 0


@pytest.mark.parametrize(
    ("setting", "said", "fix", "argument"),
    [
        (
            {"log_driver": "fluentd"},
            "failed to initialize logging driver: dial tcp 127.0.0.1:24224: connect: connection refused",
            "to the entry of gpu2, add `docker: {args: [--log-driver=local]}`",
            "--log-driver=local",
        ),
        (
            {"default_runtime": "gone", "runtimes": {"gone": {"path": "/gone"}}},
            "fork/exec /gone: no such file or directory",
            "to the entry of gpu2, add `docker: {args: [--runtime=runc]}`",
            "--runtime=runc",
        ),
    ],
    ids=["log driver", "runtime"],
)
def test_a_log_driver_or_runtime_that_does_not_start_is_told_with_the_argument_for_another(
    lab: Lab, setting: dict[str, Any], said: str, fix: str, argument: str
) -> None:
    with faults.engine_settings(lab.hosts["gpu2"], **setting):
        text, told = bad(lab, two_hosts(lab, engine="mp"), "gpu2", "image")
        assert text.startswith(
            "a container from it does not start: docker: Error response from daemon: failed to "
        )
        assert said in text
        assert told.endswith(fix)
        mended = two_hosts(lab, engine="mp", worker={"docker": {"args": [argument]}})
        assert good(findings(lab, mended))
        repaired(lab, mended)


@pytest.mark.parametrize(
    ("sudoers", "said", "rule"),
    [
        (
            "Defaults requiretty\nana ALL=(root) NOPASSWD: ALL",
            "sudo: sorry, you must have a tty to run sudo",
            'echo "Defaults:$USER !requiretty" | sudo tee /etc/sudoers.d/docker-tty',
        ),
        (
            "ana ALL=(root) ALL",
            "sudo: a password is required",
            'echo "$USER ALL=(root) NOPASSWD: $(command -v docker)" | sudo tee /etc/sudoers.d/docker',
        ),
    ],
)
def test_sudo_that_refuses_is_told_in_its_words_with_the_rule_that_lets_docker_run(
    lab: Lab, sudoers: str, said: str, rule: str
) -> None:
    gpu2 = lab.hosts["gpu2"]
    inventory = two_hosts(
        lab, engine="mp", worker={"ssh": {"user": "ana"}, "docker": {"command": "sudo -n docker"}}
    )
    with faults.user_ana(gpu2, sudoers):
        text, fix = bad(lab, inventory, "gpu2", "docker")
        assert text == said
        assert fix.endswith(f"on gpu2: `{rule}`")
        warned = "\n      | sudo: unable to resolve host gpu2"
        failed(lab.raycluster("up", inventory), f"gpu2  {said}{warned}", f"→ {fix}")
        gpu2.run("script", "--quiet", "--return", "--command", rule.replace("$USER", "ana"), "/dev/null")
        repaired(lab, inventory)
        assert lab.raycluster("down", inventory).returncode == 0
