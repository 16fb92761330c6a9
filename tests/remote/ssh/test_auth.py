"""Which keys are shown, how often their files are read, and an agent that signs nothing."""

import base64
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import paramiko
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes

from orchestrator.remote.ssh.agent import SIGN_RESPONSE, Agent, AgentError
from orchestrator.remote.ssh.certificate import public_key_in, string
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.identities import load, offers
from tests.remote.fakes import SOON
from tests.remote.sshd import keygen


def test_hosts_that_are_connected_to_at_once_load_a_key_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, loaded, together = keygen(tmp_path / "key"), list[str](), Barrier(8)
    from_file = paramiko.Ed25519Key.from_private_key_file

    def counted(file: str) -> paramiko.PKey:
        loaded.append(file)
        return from_file(file)

    monkeypatch.setattr(paramiko.Ed25519Key, "from_private_key_file", counted)

    def shown(_: int) -> object:
        together.wait(SOON)
        return load(key)

    with ThreadPoolExecutor(8) as pool:
        (offer,) = {*pool.map(shown, range(8))}
    assert (offer, loaded) == (load(key), [str(key)])


def test_what_is_not_there_and_what_is_a_public_key_is_not_shown(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    files = (tmp_path / "none", key.with_name("key.pub"), key)
    found = offers(Settings("gpu1", "gpu1", 22, "ana", files), ())
    assert [offer.file for offer in found if offer.key] == [key]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("before", [b"", b"Bag Attributes\n    friendlyName: work\n"])
def test_a_key_as_openssl_writes_it_is_read(tmp_path: Path, kind: str, before: bytes) -> None:
    key = keygen(tmp_path / "key", kind)
    plain = load_ssh_private_key(key.read_bytes(), None)
    key.write_bytes(before + plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.with_name("key.pub").unlink()
    offer = load(key)
    assert offer
    assert (offer.problem, offer.key.asbytes()) == ("", string_of(plain))


def string_of(key: SSHPrivateKeyTypes) -> bytes:
    written = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(written.split()[1])


def test_a_public_keys_file_may_begin_with_remarks(tmp_path: Path) -> None:
    file = keygen(tmp_path / "key").with_name("key.pub")
    blob, written = public_key_in(file), file.read_text()
    file.write_text(f"# the key for work\n\n{written}")
    assert blob
    assert public_key_in(file) == blob


@pytest.mark.parametrize("answer", [b"\5", bytes((SIGN_RESPONSE,)), bytes((SIGN_RESPONSE, 0, 0, 0, 9))])
def test_an_agent_that_answers_without_a_signature_is_the_agents_failure(answer: bytes) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(string(answer))
        with pytest.raises(AgentError):
            Agent(here).sign(b"key", b"data", "ssh-ed25519")
