"""Which keys are shown, how often their files are read, and an agent that signs nothing."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import paramiko
import pytest

from orchestrator.remote.ssh.agent import SIGN_RESPONSE, Agent, AgentError
from orchestrator.remote.ssh.certificate import string
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
    assert [offer.file for offer in offers(Settings("gpu1", "gpu1", 22, "ana", files), ())] == [key]


@pytest.mark.parametrize("answer", [b"\5", bytes((SIGN_RESPONSE,)), bytes((SIGN_RESPONSE, 0, 0, 0, 9))])
def test_an_agent_that_answers_without_a_signature_is_the_agents_failure(answer: bytes) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(string(answer))
        with pytest.raises(AgentError):
            Agent(here).sign(b"key", b"data", "ssh-ed25519")
