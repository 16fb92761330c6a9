"""Hosts behind jump hosts, and behind a ProxyCommand."""

import shlex
import shutil
import subprocess

import pytest

from orchestrator.model.cluster import HostKeys, Ssh
from orchestrator.remote.ssh.config import settings
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.ssh.test_dialing import RELAYS, program
from tests.remote.sshd import ME, Laptop, Sshd, failed, fingerprint, keygen, run, sh

pytestmark = pytest.mark.sshd
IN = Output(0, "in\n")


@pytest.fixture
def bastion(start: Start) -> Sshd:
    return start("127.0.0.2")


@pytest.fixture
def gpu(start: Start) -> Sshd:
    return start("127.0.0.3")


def test_a_host_behind_a_jump_host_of_the_ssh_config(laptop: Laptop, bastion: Sshd, gpu: Sshd) -> None:
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    laptop.knows(bastion, gpu)
    assert run(laptop.dial("gpu"), sh("echo in")) == IN
    assert "Accepted publickey" in bastion.log()


def test_a_host_behind_a_jump_host_of_the_inventory(laptop: Laptop, bastion: Sshd, gpu: Sshd) -> None:
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyCommand false")
    laptop.knows(bastion, gpu)
    assert run(laptop.dial("gpu", Ssh(jump="bastion")), sh("echo in")) == IN


def test_the_line_to_try_by_hand_goes_through_the_jump_host_of_the_inventory(
    laptop: Laptop, bastion: Sshd, start: Start
) -> None:
    gpu = start("127.0.0.3", "PasswordAuthentication yes")
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyCommand false")
    laptop.knows(bastion, gpu)
    hop = settings("gpu", Ssh(jump="bastion"), laptop.config)
    typed = shlex.split(hop.by_hand("-F", str(laptop.config), "-o", "BatchMode=yes"))
    said = subprocess.run([*typed, "echo in"], capture_output=True, text=True, check=False)
    assert said.stdout == "in\n", said.stderr
    (gpu.home / "authorized_keys").write_text("")
    refused = failed(run(laptop.dial("gpu", Ssh(jump="bastion")), sh("true")), FailureKind.AUTH)
    assert refused.fix == f"ssh-copy-id -i {laptop.key} -o ProxyJump=bastion -p {gpu.port} {ME}@gpu"


@pytest.mark.parametrize("jump", ["inventory", "config"])
def test_a_jump_host_that_refuses_a_user_is_not_told_to_get_the_hosts_one(
    laptop: Laptop, bastion: Sshd, gpu: Sshd, jump: str
) -> None:
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, *(["ProxyJump nobody@bastion"] if jump == "config" else []))
    laptop.host("told", gpu, f"ProxyJump {ME}@bastion")
    laptop.knows(bastion, gpu)
    ssh = Ssh(jump="nobody@bastion" if jump == "inventory" else None)
    refused = failed(run(laptop.dial("gpu", ssh), sh("true")), FailureKind.AUTH)
    *_, last = refused.detail.splitlines()
    assert last == (
        "It was asked as nobody. Is it another there? write NAME@bastion where that jump host is named"
    )
    right = laptop.dial("gpu", Ssh(jump=f"{ME}@bastion")) if jump == "inventory" else laptop.dial("told")
    assert run(right, sh("echo in")) == IN


def test_a_chain_of_jump_hosts(laptop: Laptop, bastion: Sshd, gpu: Sshd, start: Start) -> None:
    middle = start("127.0.0.4")
    laptop.host("bastion", bastion)
    laptop.host("middle", middle, "ProxyCommand false")
    laptop.host("gpu", gpu)
    laptop.knows(bastion, middle, gpu)
    assert run(laptop.dial("gpu", Ssh(jump="bastion,middle")), sh("echo in")) == IN
    assert "Accepted publickey" in middle.log()


def test_a_jump_host_that_has_its_own(laptop: Laptop, bastion: Sshd, gpu: Sshd, start: Start) -> None:
    middle = start("127.0.0.4")
    laptop.host("bastion", bastion)
    laptop.host("middle", middle, "ProxyJump bastion")
    laptop.host("gpu", gpu, "ProxyJump middle")
    laptop.knows(bastion, middle, gpu)
    assert run(laptop.dial("gpu"), sh("echo in")) == IN
    assert "Accepted publickey" in bastion.log()


def test_the_inventorys_key_opens_the_jump_host_too(laptop: Laptop, start: Start) -> None:
    key = keygen(laptop.home / "inventory")
    bastion, gpu = start("127.0.0.2", authorized=(key,)), start("127.0.0.3", authorized=(key,))
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    laptop.knows(bastion, gpu)
    assert run(laptop.dial("gpu", Ssh(key=str(key))), sh("echo in")) == IN


def test_an_unknown_jump_host_is_refused(laptop: Laptop, bastion: Sshd, gpu: Sshd) -> None:
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    laptop.knows(gpu)
    failure = failed(run(laptop.dial("gpu"), sh("true")), FailureKind.HOST_KEY)
    assert f"{bastion.address}:{bastion.port} is not known" in failure.message
    assert fingerprint(bastion.key()) in failure.message
    assert failure.detail == f"It is a jump host on the way to {gpu.address}:{gpu.port}."
    assert "Accepted" not in bastion.log()


def test_a_jump_host_with_another_key_is_refused(laptop: Laptop, bastion: Sshd, gpu: Sshd) -> None:
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    laptop.known_hosts.write_text(
        bastion.known_hosts_line().split()[0] + " " + gpu.known_hosts_line().split(maxsplit=1)[1]
    )
    policy = Ssh(host_keys=HostKeys.ACCEPT_NEW)
    failure = failed(run(laptop.dial("gpu", policy), sh("true")), FailureKind.HOST_KEY)
    assert failure.message == f"the host key of {bastion.address}:{bastion.port} has changed"


def test_accepting_new_keys_accepts_the_jump_hosts_too(laptop: Laptop, bastion: Sshd, gpu: Sshd) -> None:
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    assert run(laptop.dial("gpu", Ssh(host_keys=HostKeys.ACCEPT_NEW)), sh("echo in")) == IN
    assert laptop.known_hosts.read_text() == bastion.known_hosts_line() + gpu.known_hosts_line()


def typed(line: str, laptop: Laptop) -> "subprocess.CompletedProcess[str]":
    """A line as a person types it, for whom the test's SSH config is their own."""
    words = shlex.split(line)
    assert words[0] == "ssh"
    argv = ["ssh", "-F", str(laptop.config), *words[1:]]
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)


def test_a_host_that_its_jump_host_cannot_reach_and_the_line_that_is_printed_shows_why(
    laptop: Laptop, bastion: Sshd, gpu: Sshd
) -> None:
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    laptop.knows(bastion, gpu)
    gpu.stop()
    failure = failed(run(laptop.dial("gpu"), sh("true")), FailureKind.UNREACHABLE)
    between = f"{gpu.address}:{gpu.port} cannot be reached from {bastion.address}:{bastion.port}"
    assert failure.message == f"{between}: Connection refused"
    assert "Connection refused" in typed(failure.fix.removeprefix("try: "), laptop).stderr
    gpu.start()
    assert typed(failure.fix.removeprefix("try: "), laptop).returncode == 0


@pytest.mark.parametrize(
    "option", ["AllowTcpForwarding no", "PermitOpen 192.0.2.13:22", "DisableForwarding yes"]
)
def test_a_jump_host_that_forbids_forwarding_is_told_with_the_line_that_does_without(
    laptop: Laptop, gpu: Sshd, start: Start, option: str
) -> None:
    tools = laptop.home / "tools"
    tools.mkdir()
    program(laptop, "tools/nc", RELAYS)
    bastion = start("127.0.0.2", option, f"SetEnv SHLVL=2 PATH={tools}:/usr/bin:/bin")
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    laptop.knows(bastion, gpu)
    failure = failed(run(laptop.dial("gpu"), sh("true")), FailureKind.UNREACHABLE)
    assert "its sshd forbids to forward connections there" in failure.message
    assert "AllowTcpForwarding, PermitOpen" in failure.fix
    line = failure.fix.rpartition("in ~/.ssh/config: ")[2]
    laptop.host("other", gpu, line.replace("ssh ", f"ssh -F {laptop.config} ", 1))
    assert run(laptop.dial("other"), sh("echo in")) == IN


def test_a_proxy_command_carries_the_connection(laptop: Laptop, gpu: Sshd, start: Start) -> None:
    if not shutil.which("ssh"):
        pytest.skip("there is no OpenSSH client here")
    bastion = start("127.0.0.2")
    laptop.host("bastion", bastion)
    laptop.knows(bastion, gpu)
    laptop.host("gpu", gpu, f"ProxyCommand ssh -q -F {laptop.config} -W %h:%p bastion")
    assert run(laptop.dial("gpu"), sh("echo in")) == IN


def test_a_proxy_command_that_ends_is_unreachable(laptop: Laptop, gpu: Sshd) -> None:
    laptop.host("gpu", gpu, "ProxyCommand false")
    failure = failed(run(laptop.dial("gpu"), sh("true")), FailureKind.UNREACHABLE)
    assert (
        failure.message
        == f"{gpu.address}:{gpu.port} cannot be reached: its ProxyCommand ended with exit code 1"
    )
