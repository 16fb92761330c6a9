"""Looking at host keys before anybody logs in."""

import pytest

from orchestrator.model.cluster import HostKeys, Ssh
from orchestrator.remote.ssh.host_keys import Known, Unknown, record
from orchestrator.remote.ssh.keyscan import examine
from orchestrator.remote.transport import Failure, FailureKind
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, Sshd, fingerprint

pytestmark = pytest.mark.sshd


def unknown(found: object, server: Sshd) -> Unknown:
    assert isinstance(found, Unknown), found
    assert found.name == f"[{server.address}]:{server.port}"
    assert (found.key.kind, found.key.fingerprint) == ("ED25519", fingerprint(server.key()))
    return found


def test_an_unknown_key_can_be_recorded_and_is_then_known(laptop: Laptop, start: Start) -> None:
    server = start(authorized=(), host_keys=("rsa", "ecdsa", "ed25519"))
    laptop.host("gpu1", server)
    found = unknown(examine("gpu1", Ssh(), laptop.config), server)
    assert record(found) is None
    assert laptop.known_hosts.read_text() == server.known_hosts_line("ed25519")
    assert examine("gpu1", Ssh(), laptop.config) == Known(found.name, found.key)
    assert "authenticating user" not in server.log()


def test_looking_accepts_nothing_by_itself(laptop: Laptop, start: Start) -> None:
    laptop.host("gpu1", start())
    assert isinstance(examine("gpu1", Ssh(host_keys=HostKeys.ACCEPT_NEW), laptop.config), Unknown)
    assert not laptop.known_hosts.exists()


def test_the_jump_host_comes_first(laptop: Laptop, start: Start) -> None:
    bastion, gpu = start("127.0.0.2"), start("127.0.0.3", authorized=())
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu, "ProxyJump bastion")
    for server in (bastion, gpu):
        record(unknown(examine("gpu", Ssh(), laptop.config), server))
    assert isinstance(examine("gpu", Ssh(), laptop.config), Known)


def test_a_changed_key_is_a_failure_that_names_its_line(laptop: Laptop, start: Start) -> None:
    server, impostor = start("127.0.0.2"), start("127.0.0.2")
    laptop.host("gpu1", server)
    name, key = server.known_hosts_line().split()[0], impostor.known_hosts_line().split(maxsplit=1)[1]
    laptop.known_hosts.write_text(f"{name} {key}")
    found = examine("gpu1", Ssh(), laptop.config)
    assert isinstance(found, Failure)
    assert found.message == f"the host key of {server.address}:{server.port} has changed"
    assert f"{laptop.known_hosts}:1" in found.detail


def test_a_host_that_cannot_be_reached_is_a_failure(laptop: Laptop, server: Sshd) -> None:
    server.stop()
    found = examine("gpu1", Ssh(), laptop.config)
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.UNREACHABLE
