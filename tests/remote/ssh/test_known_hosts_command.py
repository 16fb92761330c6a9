"""KnownHostsCommand and RevokedHostKeys, as the OpenSSH client has them."""

import subprocess
from pathlib import Path

import pytest

from orchestrator.model.cluster import HostKeys, Ssh
from orchestrator.plan.typed import ours
from orchestrator.remote.ssh.host_keys import Known
from orchestrator.remote.ssh.keyscan import examine
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, Sshd, certify, failed, keygen, public, run, sh

pytestmark = pytest.mark.sshd
IN = Output(0, "in\n")


def program(tmp_path: Path, script: str) -> Path:
    file = tmp_path / "tells"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def line(server: Sshd, tmp_path: Path, text: str = "") -> Path:
    file = tmp_path / "elsewhere"
    file.write_text(text or server.known_hosts_line())
    return file


def gets_in(laptop: Laptop) -> None:
    assert laptop.ssh("gpu1", "-o", "StrictHostKeyChecking=yes").stdout == "in\n"
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


def test_a_host_that_only_the_command_knows_is_known(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server = start()
    lines = line(server, tmp_path)
    told = program(tmp_path, f'grep -F "$1" {lines} || true')
    laptop.host("gpu1", server, f"KnownHostsCommand {told} %H")
    gets_in(laptop)
    assert isinstance(examine("gpu1", Ssh(), laptop.config), Known)
    assert not laptop.known_hosts.exists()


def test_the_command_is_given_what_ssh_gives_it(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server, said = start(), tmp_path / "said"
    told = program(tmp_path, f'echo "$@" >> {said}; cat {line(server, tmp_path)}')
    laptop.host("gpu1", server, f"KnownHostsCommand {told} %H %I %t %K %f %h %p %n %k %r 'a  b'")
    laptop.ssh("gpu1", "-o", "StrictHostKeyChecking=yes")
    by_ssh = said.read_text()
    said.unlink()
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN
    assert said.read_text() == by_ssh
    assert [words.split()[1] for words in by_ssh.splitlines()] == ["ORDER", "HOSTNAME"]


def test_an_authority_that_the_command_tells_counts(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server, ca = start(), keygen(tmp_path / "ca")
    server.stop()
    file = certify(ca, server.key(), server.address, "-h")
    (server.home / "config").open("a").write(f"HostCertificate {file}\n")
    server.start()
    lines = line(server, tmp_path, f"@cert-authority * {public(ca)}\n")
    laptop.host("gpu1", server, f"KnownHostsCommand /bin/cat {lines}")
    gets_in(laptop)


def test_another_key_than_the_command_tells_is_refused(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server, other = start(), keygen(tmp_path / "other")
    lines = line(server, tmp_path, f"* {public(other)}\n")
    laptop.host("gpu1", server, f"KnownHostsCommand /bin/cat {lines}")
    failure = failed(
        run(laptop.dial("gpu1", Ssh(host_keys=HostKeys.ACCEPT_NEW)), sh("true")), FailureKind.HOST_KEY
    )
    assert failure.message.endswith("has changed")
    assert "(KnownHostsCommand)" in failure.detail
    assert failure.fix == "if the change is right: let KnownHostsCommand tell the new key"


def test_a_host_that_the_command_does_not_know_may_be_trusted(laptop: Laptop, start: Start) -> None:
    server = start()
    laptop.host("gpu1", server, "KnownHostsCommand /bin/true")
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    assert (failure.detail, failure.fix) == ("KnownHostsCommand prints no key for it.", ours("trust"))


@pytest.mark.parametrize(
    ("script", "says", "seconds"),
    [
        ("echo first >&2; echo 'token expired' >&2; exit 3", "fails: token expired", 30),
        ("exit 7", "fails: exit code 7", 30),
        ("sleep 60 & sleep 60", "does not end", 1.5),
    ],
)
def test_a_command_that_fails_is_told_in_its_own_words(
    laptop: Laptop, start: Start, tmp_path: Path, script: str, says: str, seconds: float
) -> None:
    server, told = start(), program(tmp_path, script)
    laptop.host("gpu1", server, f"KnownHostsCommand {told} %H")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1", Ssh(connect_timeout=seconds)), sh("true")), FailureKind.HOST_KEY)
    assert failure.message == f"the KnownHostsCommand for {server.address}:{server.port} {says}"
    assert failure.fix == f"try: {told} {server.address}"


@pytest.mark.parametrize(
    ("command", "says"), [("cat x", "it is not an absolute path"), ("/no/such", "No such file or directory")]
)
def test_a_command_that_cannot_be_run_tells_nothing_and_that_is_said_where_it_was_needed(
    laptop: Laptop, start: Start, command: str, says: str
) -> None:
    server = start()
    laptop.host("gpu1", server, f"KnownHostsCommand {command}")
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    assert failure.detail == f"KnownHostsCommand {command} cannot be run: {says}."
    laptop.knows(server)
    gets_in(laptop)


@pytest.fixture
def certified(start: Start, tmp_path: Path) -> Sshd:
    server = start()
    server.stop()
    file = certify(keygen(tmp_path / "ca"), server.key(), server.address, "-h", "-z", "5")
    (server.home / "config").open("a").write(f"HostCertificate {file}\n")
    server.start()
    return server


@pytest.mark.parametrize("krl", [False, True])
@pytest.mark.parametrize("what", ["host", "ca"])
def test_a_key_in_revoked_host_keys_is_refused(
    laptop: Laptop, certified: Sshd, tmp_path: Path, krl: bool, what: str
) -> None:
    revoked = tmp_path / "revoked"
    ca = tmp_path / "ca"
    laptop.host("gpu1", certified, f"RevokedHostKeys {revoked}")
    laptop.known_hosts.write_text(f"@cert-authority * {public(ca)}\n")

    def revoke(*keys: Path) -> None:
        if krl:
            subprocess.run(
                ["ssh-keygen", "-q", "-k", "-f", str(revoked), *(f"{key}.pub" for key in keys)], check=True
            )
        else:
            revoked.write_text("# nothing else\n" + "".join(public(key) + "\n" for key in keys))

    revoke(keygen(tmp_path / "other"))
    gets_in(laptop)
    revoke(ca if what == "ca" else certified.key())
    assert laptop.ssh("gpu1").returncode
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    assert f"is revoked ({revoked})" in failure.message


def test_a_serial_number_in_a_krl_is_refused(laptop: Laptop, certified: Sshd, tmp_path: Path) -> None:
    revoked, ca, serials = tmp_path / "revoked", tmp_path / "ca", tmp_path / "serials"
    serials.write_text("serial: 5\n")
    subprocess.run(
        ["ssh-keygen", "-q", "-k", "-f", str(revoked), "-s", f"{ca}.pub", str(serials)], check=True
    )
    laptop.host("gpu1", certified, f"RevokedHostKeys {revoked}")
    laptop.known_hosts.write_text(f"@cert-authority * {public(ca)}\n")
    assert laptop.ssh("gpu1").returncode
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    assert f"is revoked ({revoked})" in failure.message


@pytest.mark.parametrize("content", [None, b"SSHKRL\n\0 damaged"])
def test_revoked_host_keys_that_cannot_be_read_let_nobody_in(
    laptop: Laptop, start: Start, tmp_path: Path, content: bytes | None
) -> None:
    server, revoked = start(), tmp_path / "revoked"
    if content:
        revoked.write_bytes(content)
    laptop.host("gpu1", server, f"RevokedHostKeys {revoked}")
    laptop.knows(server)
    assert laptop.ssh("gpu1").returncode
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    assert failure.message.startswith(f"the RevokedHostKeys {revoked} cannot be read: ")
