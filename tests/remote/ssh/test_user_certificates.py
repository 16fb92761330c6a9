"""Certificates to log in with: of files and of agents, shown as the OpenSSH client shows them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import ME, Laptop, Sshd, add, agent, certify, failed, keygen, public, run, sh

pytestmark = [pytest.mark.sshd, pytest.mark.slow]
IN = Output(0, "in\n")
KINDS = ("rsa", "ecdsa", "ed25519")


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return keygen(tmp_path / "ca")


@pytest.fixture
def trusting(start: Start, laptop: Laptop, ca: Path) -> Sshd:
    """A host that lets in who has a certificate by the authority, and knows no key."""
    server = start("127.0.0.2", f"TrustedUserCAKeys {ca}.pub", authorized=())
    laptop.knows(server)
    laptop.key.unlink()
    return server


def gets_in(laptop: Laptop) -> None:
    """Both we and `ssh`."""
    assert laptop.ssh("gpu1").stdout == "in\n"
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_beside_its_key(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "work", kind)
    certify(ca, key, ME)
    laptop.host("gpu1", trusting, f"IdentityFile {key}")
    gets_in(laptop)


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_in_a_file_of_its_own(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "work", kind)
    (tmp_path / "my certs").mkdir()
    elsewhere = certify(ca, key, ME).rename(tmp_path / "my certs" / "prod-cert.pub")
    named = (f"IdentityFile {key}", f'CertificateFile "{elsewhere}"', "IdentitiesOnly yes")
    laptop.host("gpu1", trusting, *named)
    gets_in(laptop)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("only", ["yes", "no"])
def test_a_certificate_beside_a_key_that_the_agent_had_before_it(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path, kind: str, only: str
) -> None:
    key = keygen(tmp_path / "work", kind, passphrase="open sesame")
    with agent(tmp_path, key) as place:
        certify(ca, key, ME)
        laptop.host(
            "gpu1", trusting, f"IdentityFile {key}", f"IdentityAgent {place}", f"IdentitiesOnly {only}"
        )
        gets_in(laptop)


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_whose_key_only_the_agent_has(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "work", kind)
    with agent(tmp_path, key) as place:
        elsewhere = certify(ca, key, ME).rename(tmp_path / "prod-cert.pub")
        key.unlink()
        laptop.host("gpu1", trusting, f"IdentityAgent {place}", f"CertificateFile {elsewhere}")
        gets_in(laptop)


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_only_the_agent_has(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "work", kind)
    beside = certify(ca, key, ME)
    with agent(tmp_path) as place:
        add(key, place)  # both
        beside.unlink()
        add(key, place, "-d")
        for file in tmp_path.glob("work*"):
            file.unlink()
        laptop.host("gpu1", trusting, f"IdentityAgent {place}")
        gets_in(laptop)


def test_a_certificate_that_has_ended_is_named_and_one_made_anew_gets_in(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "work")
    file = certify(ca, key, ME, "-V", "20200101:20200102")
    laptop.host("gpu1", trusting, f"IdentityFile {key}")
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.detail.splitlines()[:2] == [
        f"{key}: refused",
        f"{file}: refused: its certificate ended on 2020-01-02 00:00",
    ]
    assert failure.fix == f"renew the certificate {file}"
    certify(ca, key, ME)
    gets_in(laptop)


def test_a_certificate_for_another_user_is_named(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "work")
    file = certify(ca, key, "bob,ops")
    laptop.host("gpu1", trusting, f"IdentityFile {key}")
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert f"{file}: refused: its certificate is for bob, ops" in failure.detail.splitlines()
    assert failure.fix == f"is bob the user there? ssh: {{user: bob}}; or get a certificate for {ME}"
    certify(ca, key, f"bob,{ME}")
    gets_in(laptop)


def test_a_certificate_that_is_not_there_is_said_to_be_so(
    laptop: Laptop, trusting: Sshd, tmp_path: Path
) -> None:
    missing = tmp_path / "gone-cert.pub"
    laptop.host("gpu1", trusting, f"IdentityFile {keygen(tmp_path / 'work')}", f"CertificateFile {missing}")
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert f"{missing}: does not exist" in failure.detail.splitlines()


def test_a_certificate_without_its_key_is_said_to_be_so(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "work")
    file = certify(ca, key, ME)
    key.unlink()
    laptop.host("gpu1", trusting, f"CertificateFile {file}")
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert f"{file}: its key is in no file that is named, and in no agent" in failure.detail


def test_a_certificate_whose_key_is_locked_is_opened_by_the_agent_as_told(
    laptop: Laptop, trusting: Sshd, ca: Path, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "work", passphrase="open sesame")
    file = certify(ca, key, ME).rename(tmp_path / "prod-cert.pub")
    with agent(tmp_path) as place:
        laptop.host(
            "gpu1", trusting, f"IdentityFile {key}", f"CertificateFile {file}", f"IdentityAgent {place}"
        )
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
        assert f"{file}: its key {key}: needs its passphrase" in failure.detail.splitlines()
        assert failure.fix == f"ssh-add {key}"
        add(key, place)
        gets_in(laptop)


def test_a_damaged_certificate_is_no_obstacle_to_its_key(laptop: Laptop, start: Start) -> None:
    server = start()
    laptop.key.with_name("key-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA no\n")
    laptop.host("gpu1", server)
    laptop.knows(server)
    gets_in(laptop)


def shown(server: Sshd) -> list[str]:
    """The keys that the host was shown since the last time, in order."""
    found = re.findall(r"Failed publickey for .* ssh2: (.*)", server.log())
    (server.home / "log").write_text("")
    return found


@pytest.mark.parametrize("only", ["yes", "no"])
@pytest.mark.parametrize("named", [True, False])
def test_keys_and_certificates_are_shown_in_the_order_of_ssh(
    laptop: Laptop, start: Start, ca: Path, tmp_path: Path, only: str, named: bool
) -> None:
    server = start("127.0.0.2", "MaxAuthTries 30", "LogLevel DEBUG1", authorized=())
    laptop.knows(server)
    held = [keygen(tmp_path / f"held{kind}", kind) for kind in KINDS]
    both = [keygen(tmp_path / f"both{kind}", kind) for kind in KINDS]
    filed = [keygen(tmp_path / f"filed{kind}", kind) for kind in KINDS]
    certify(ca, both[0], ME)
    with agent(tmp_path, held[0], *reversed(both), *held[1:]) as place:
        for key in (both[1], filed[1], held[2]):
            certify(ca, key, ME)
        options = [f"IdentityFile {key}" for key in (*filed, *both)]
        options += [f"CertificateFile {key}-cert.pub" for key in (both[1], filed[1])] if named else []
        laptop.host("gpu1", server, *options, f"IdentityAgent {place}", f"IdentitiesOnly {only}")
        laptop.ssh("gpu1")
        by_ssh = shown(server)
        failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
        assert shown(server) == by_ssh
        assert len(by_ssh) > len(options)


def test_the_right_key_in_the_agent_is_in_time_for_a_host_that_takes_few(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    right = keygen(tmp_path / "right")
    server = start("127.0.0.2", "MaxAuthTries 2", authorized=(right,))
    laptop.knows(server)
    others = [keygen(tmp_path / kind, kind) for kind in ("rsa", "ed25519")]
    with agent(tmp_path, right) as place:
        laptop.host("gpu1", server, *(f"IdentityFile {key}" for key in others), f"IdentityAgent {place}")
        gets_in(laptop)


def test_a_host_that_hangs_up_before_the_right_key_gets_in_with_either_line_that_is_told(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    right = keygen(tmp_path / "right")
    server = start("127.0.0.2", "MaxAuthTries 2", authorized=(right,))
    laptop.knows(server)
    with agent(tmp_path, *(keygen(tmp_path / f"other{n}") for n in range(3))) as place:
        laptop.host("gpu1", server, f"IdentityFile {right}", f"IdentityAgent {place}")
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
        said = "Too many authentication failures"
        login = f"{ME}@{server.address}:{server.port}"
        assert failure.message == f"{login} closed the connection after 2 keys, saying: {said}"
        assert failure.detail.splitlines() == [
            "agent key other0: refused",
            "agent key other1: refused",
            "agent key other2: not tried any more",
            f"{right}: not tried any more",
            f"{laptop.key}: not tried any more",
        ]
        assert failure.fix == (
            f"name the right key: ssh: {{key: {right}}} in the inventory, "
            "or IdentityFile and IdentitiesOnly yes for gpu1 in ~/.ssh/config"
        )
        assert run(laptop.dial("gpu1", Ssh(key=str(right))), sh("echo in")) == IN
        laptop.host("told", server, f"IdentityFile {right}", f"IdentityAgent {place}", "IdentitiesOnly yes")
        assert run(laptop.dial("told"), sh("echo in")) == IN


def test_a_host_that_hangs_up_before_the_agents_right_key(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    right = keygen(tmp_path / "right")
    server = start("127.0.0.2", "MaxAuthTries 2", authorized=(right,))
    laptop.knows(server)
    with agent(tmp_path, *(keygen(tmp_path / f"other{n}") for n in range(3)), right) as place:
        laptop.host("gpu1", server, f"IdentityAgent {place}", "IdentityFile none")
        laptop.key.unlink()
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
        first, second = (
            "put the right one's line of `ssh-add -L` into a file FILE.pub",
            "ssh: {key: FILE.pub}",
        )
        assert failure.fix.startswith(f"{first}, and name the right key: {second} in the inventory")
        shutil.copy(f"{right}.pub", tmp_path / "FILE.pub")
        right.unlink()
        assert run(laptop.dial("gpu1", Ssh(key=str(tmp_path / "FILE.pub"))), sh("echo in")) == IN


def test_an_agent_that_does_not_sign_is_named_and_no_fault_of_the_host(
    laptop: Laptop, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start()
    laptop.knows(server)
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")  # whom the agent asks whether it may
    monkeypatch.setenv("DISPLAY", ":nowhere")
    with agent(tmp_path) as place:
        add(laptop.key, place, "-c")
        laptop.key.rename(tmp_path / "away")
        laptop.host("gpu1", server, f"IdentityAgent {place}")
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert (
        failure.detail.splitlines()[0] == f"{laptop.key} (agent): the agent does not sign with it: it refuses"
    )
    assert "ssh-copy-id" not in failure.fix


def test_a_key_with_which_the_agent_does_not_sign_keeps_no_other_from_being_shown(
    laptop: Laptop, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, asked = start(), keygen(tmp_path / "asked")
    laptop.knows(server)
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    monkeypatch.setenv("DISPLAY", ":nowhere")
    with agent(tmp_path) as place:
        add(asked, place, "-c")
        laptop.host("gpu1", server, f"IdentityAgent {place}")
        (server.home / "authorized_keys").write_text(f"{public(asked)}\n{public(laptop.key)}\n")
        gets_in(laptop)


def test_a_key_that_an_agent_has_for_some_hosts_alone_serves_there(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    """`ssh-add -h`, of OpenSSH 8.9 and newer."""
    key = keygen(tmp_path / "key")
    server, other = start(authorized=(key,)), start("127.0.0.3", authorized=(key,))
    laptop.knows(server, other)
    laptop.key.unlink()
    with agent(tmp_path) as place:
        add(key, place, "-h", f"[{server.address}]:{server.port}", "-H", str(laptop.known_hosts))
        laptop.host("gpu1", server, f"IdentityAgent {place}")
        laptop.host("other", other, f"IdentityAgent {place}")
        gets_in(laptop)
        assert laptop.ssh("other").returncode
        failure = failed(run(laptop.dial("other"), sh("true")), FailureKind.AUTH)
    assert failure.message.startswith("no key to offer to ")


def test_a_comment_that_is_not_utf_8_is_no_obstacle(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    key = tmp_path / "old"
    comment = b"Andr\xe9's key"
    subprocess.run(
        [b"ssh-keygen", b"-q", b"-t", b"ed25519", b"-N", b"", b"-C", comment, b"-f", bytes(key)], check=True
    )
    server = start(authorized=())
    (server.home / "authorized_keys").write_bytes(key.with_name("old.pub").read_bytes())
    laptop.knows(server)
    with agent(tmp_path, key) as place:
        laptop.host("gpu1", server, f"IdentityAgent {place}")
        gets_in(laptop)
