"""Who may log in, with which key; and what is said to those who may not."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import ME, Laptop, failed, keygen, run, sh

pytestmark = pytest.mark.sshd
IN = Output(0, "in\n")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A key with a passphrase, and its public half beside it."""
    return keygen(tmp_path / "locked", passphrase="open sesame")


@contextmanager
def agent(tmp_path: Path, *keys: Path) -> Iterator[Path]:
    if not shutil.which("ssh-agent"):
        pytest.skip("there is no ssh-agent here")
    place = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    try:
        for key in keys:
            add(key, place)
        yield place
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def add(key: Path, agent: Path) -> None:
    asked = key.with_name("askpass")
    asked.write_text("#!/bin/sh\necho open sesame\n")
    asked.chmod(0o700)
    answers = {"SSH_AUTH_SOCK": str(agent), "SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=os.environ | answers)


def test_a_refusal_names_the_keys_and_how_to_get_in(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server = start(authorized=())
    other = keygen(tmp_path / "other", "rsa")
    laptop.host("gpu1", server, f"IdentityFile {other}")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.message == f"{ME}@{server.address}:{server.port} refuses every key"
    assert failure.detail.splitlines() == [f"{other}: refused", f"{laptop.key}: refused"]
    assert failure.fix == f"ssh-copy-id -i {other} -p {server.port} {ME}@gpu1"


def test_a_refusal_is_final(laptop: Laptop, start: Start) -> None:
    server = start(authorized=())
    laptop.host("gpu1", server)
    laptop.knows(server)
    gpu1 = laptop.dial("gpu1")
    refused = failed(run(gpu1, sh("true")), FailureKind.AUTH)
    server.stop()
    assert run(gpu1, sh("true")) == refused


def test_a_server_that_takes_no_keys_says_so(laptop: Laptop, start: Start) -> None:
    server = start("127.0.0.2", "PubkeyAuthentication no", "PasswordAuthentication yes")
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.detail.splitlines()[-1] == "It takes no keys, only: password."


def test_a_server_that_hangs_up_during_the_login_is_a_refusal(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    server = start("127.0.0.2", "MaxAuthTries 1")
    wrong = keygen(tmp_path / "wrong")
    laptop.host("gpu1", server, f"IdentityFile {wrong}")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert "It hung up after that." in failure.detail


def test_a_key_that_is_not_enough_is_said_to_be_so(laptop: Laptop, start: Start) -> None:
    server = start("127.0.0.2", "AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert f"{laptop.key}: accepted, but not enough: the host also wants password" in failure.detail


def test_a_key_with_a_passphrase_needs_an_agent(laptop: Laptop, start: Start, locked: Path) -> None:
    server = start(authorized=(locked,))
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1", Ssh(key=str(locked))), sh("true")), FailureKind.AUTH)
    assert failure.message.startswith("no key to show to")
    assert failure.detail == f"{locked}: needs its passphrase"
    assert failure.fix == f"ssh-add {locked}"


@pytest.mark.parametrize("only", ["yes", "no"])
@pytest.mark.parametrize("halves", [("",), ("", ".pub"), (".pub",)])
def test_an_agent_opens_a_key_with_a_passphrase(
    laptop: Laptop, start: Start, locked: Path, tmp_path: Path, only: str, halves: tuple[str, ...]
) -> None:
    server = start(authorized=(locked,))
    laptop.knows(server)
    with agent(tmp_path, locked) as place:
        laptop.host("gpu1", server, f"IdentityAgent {place}", f"IdentitiesOnly {only}")
        shown = tmp_path / "shown"
        for half in halves:
            shutil.copy(f"{locked}{half}", f"{shown}{half}")
        key = shown if "" in halves else Path(f"{shown}.pub")
        assert run(laptop.dial("gpu1", Ssh(key=str(key))), sh("echo in")) == IN


def test_an_agents_key_serves_unless_only_named_ones_may(
    laptop: Laptop, start: Start, locked: Path, tmp_path: Path
) -> None:
    server = start(authorized=(locked,))
    laptop.knows(server)
    with agent(tmp_path, locked) as place:
        laptop.host("any", server, f"IdentityAgent {place}")
        laptop.host("named", server, f"IdentityAgent {place}", "IdentitiesOnly yes")
        assert run(laptop.dial("any"), sh("echo in")) == IN
        failure = failed(run(laptop.dial("named"), sh("echo in")), FailureKind.AUTH)
    assert failure.detail == f"{laptop.key}: refused"


def test_a_missing_agent_is_no_obstacle(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server = start()
    laptop.host("gpu1", server, f"IdentityAgent {tmp_path / 'nothing'}")
    laptop.knows(server)
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


def test_a_missing_agent_is_named_where_there_is_no_other_key(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    server, place = start(), tmp_path / "nothing"
    laptop.key.unlink()
    laptop.host("gpu1", server, f"IdentityAgent {place}")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.message.startswith("no key to show to ")
    assert failure.detail == f"the agent at {place}: cannot be asked: No such file or directory"
    assert failure.fix.startswith(
        "start the agent (IdentityAgent, $SSH_AUTH_SOCK), or ssh-keygen -t ed25519, then"
    )


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_every_kind_of_key_opens(laptop: Laptop, start: Start, tmp_path: Path, kind: str) -> None:
    key = keygen(tmp_path / kind, kind)
    server = start(authorized=(key,))
    laptop.host("gpu1", server)
    laptop.knows(server)
    assert run(laptop.dial("gpu1", Ssh(key=str(key))), sh("echo in")) == IN


@pytest.mark.usefixtures("server")
def test_the_inventorys_key_has_to_be_there(laptop: Laptop) -> None:
    failure = failed(run(laptop.dial("gpu1", Ssh(key="/no/such/key")), sh("true")), FailureKind.AUTH)
    assert failure.message == "the key /no/such/key does not exist"


def test_a_damaged_key_is_passed_over(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nno\n-----END OPENSSH PRIVATE KEY-----\n")
    server = start()
    laptop.host("gpu1", server, f"IdentityFile {damaged}")
    laptop.knows(server)
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN
