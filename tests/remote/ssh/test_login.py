"""Who may log in, with which key; and what is said to those who may not."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import ME, Laptop, agent, failed, keygen, public, run, sh

pytestmark = pytest.mark.sshd
IN = Output(0, "in\n")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A key with a passphrase, and its public half beside it."""
    return keygen(tmp_path / "locked", passphrase="open sesame")


def test_a_refusal_names_the_keys_and_how_to_get_in(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server = start("127.0.0.2", "PasswordAuthentication yes", authorized=())
    other = keygen(tmp_path / "other", "rsa")
    laptop.host("gpu1", server, f"IdentityFile {other}")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.message == f"{ME}@{server.address}:{server.port} refuses every key"
    assert failure.detail.splitlines() == [
        f"{other}: refused",
        f"{laptop.key}: refused",
        f"{ME} is the user here. Is it another there? ssh: {{user: NAME}}",
    ]
    assert failure.fix == f"ssh-copy-id -i {other} -p {server.port} {ME}@gpu1"


def test_a_refusal_asks_whether_the_user_that_was_written_is_right(laptop: Laptop, start: Start) -> None:
    server = start()
    laptop.host("gpu1", server, "User ubuntu")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.detail.endswith("It was asked as ubuntu. Is it another there? ssh: {user: NAME}")


def test_a_host_that_ssh_copy_id_cannot_enter_either_is_given_the_key_by_hand(
    laptop: Laptop, start: Start
) -> None:
    server = start(authorized=())
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.fix == (
        f"add {laptop.key}.pub to ~{ME}/.ssh/authorized_keys there; it takes no password, so by its console"
    )
    shutil.copy(f"{laptop.key}.pub", server.home / "authorized_keys")
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


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
    assert failure.message == f"{ME}@{server.address}:{server.port} takes no keys, only: password"
    assert failure.detail == f"{laptop.key}: refused"
    assert failure.fix.startswith("set PubkeyAuthentication yes in the host's /etc/ssh/sshd_config")
    server.stop()
    config = server.home / "config"
    config.write_text(config.read_text().replace("PubkeyAuthentication no", "PubkeyAuthentication yes"))
    server.start()
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


def test_a_server_that_hangs_up_during_the_login_is_a_refusal(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    server = start("127.0.0.2", "MaxAuthTries 1")
    wrong = keygen(tmp_path / "wrong")
    laptop.host("gpu1", server, f"IdentityFile {wrong}")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    login, said = f"{ME}@{server.address}:{server.port}", "Too many authentication failures"
    assert failure.message == f"{login} closed the connection after 1 key, saying: {said}"
    assert failure.detail.splitlines() == [f"{wrong}: refused", f"{laptop.key}: not tried any more"]


def test_a_key_that_is_not_enough_is_said_to_be_so_and_not_refused(laptop: Laptop, start: Start) -> None:
    server = start("127.0.0.2", "AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.message == f"{ME}@{server.address}:{server.port} accepts the key, but also wants password"
    assert failure.detail == f"{laptop.key}: accepted, but not enough"
    assert "AuthenticationMethods publickey;" in failure.fix
    server.stop()
    with (server.home / "config").open("a") as config:
        config.write("Match Address 127.0.0.0/8\n  AuthenticationMethods publickey\n")
    server.start()
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


def test_a_host_that_wants_two_keys_is_shown_both(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    second = keygen(tmp_path / "second")
    server = start("127.0.0.2", "AuthenticationMethods publickey,publickey", authorized=(laptop.key, second))
    laptop.host("one", server)
    laptop.host("both", server, f"IdentityFile {second}")
    laptop.knows(server)
    failure = failed(run(laptop.dial("one"), sh("true")), FailureKind.AUTH)
    assert failure.message.endswith("accepts the key, but wants another one too")
    assert run(laptop.dial("both"), sh("echo in")) == IN


@pytest.mark.parametrize(
    "keyword", ["PubkeyAuthentication no", "PreferredAuthentications gssapi-with-mic,password"]
)
def test_keys_that_the_ssh_config_keeps_back_are_kept_back(
    laptop: Laptop, start: Start, keyword: str
) -> None:
    server = start()
    laptop.host("gpu1", server, keyword)
    laptop.knows(server)
    assert laptop.ssh("gpu1").returncode
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert (
        failure.message
        == f"no key to offer to {ME}@{server.address}:{server.port}: ~/.ssh/config sets {keyword}"
    )
    assert failure.fix.startswith(
        "set PubkeyAuthentication yes and PreferredAuthentications publickey for gpu1 there"
    )
    laptop.host("told", server, "PubkeyAuthentication yes", "PreferredAuthentications publickey")
    assert run(laptop.dial("told"), sh("echo in")) == IN


def test_the_keys_of_a_token_are_the_agents(laptop: Laptop, start: Start) -> None:
    server = start(authorized=())
    laptop.host("gpu1", server, "PKCS11Provider /usr/lib/token.so", "IdentityAgent /run/agent")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert (
        "~/.ssh/config sets PKCS11Provider /usr/lib/token.so, whose keys only an agent can use."
        in failure.detail
    )
    assert failure.fix == "ssh-add -s /usr/lib/token.so"


@pytest.mark.parametrize("agent_runs", [True, False])
def test_a_key_with_a_passphrase_needs_an_agent(
    laptop: Laptop, start: Start, locked: Path, monkeypatch: pytest.MonkeyPatch, agent_runs: bool
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent" if agent_runs else "")
    server = start(authorized=(locked,))
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1", Ssh(key=str(locked))), sh("true")), FailureKind.AUTH)
    assert failure.message.startswith("no key to offer to")
    assert failure.detail == f"{locked}: needs its passphrase"
    assert failure.fix == (f"ssh-add {locked}" if agent_runs else f'eval "$(ssh-agent)" && ssh-add {locked}')


def test_an_agent_that_is_started_as_told_opens_a_key_with_a_passphrase(
    laptop: Laptop, start: Start, locked: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server = start(authorized=(locked,))
    laptop.host("gpu1", server, "IdentityAgent SSH_AUTH_SOCK")
    laptop.knows(server)
    ssh = Ssh(key=str(locked))
    failure = failed(run(laptop.dial("gpu1", ssh), sh("true")), FailureKind.AUTH)
    asked = tmp_path / "askpass"
    asked.write_text("#!/bin/sh\necho open sesame\n")
    asked.chmod(0o700)
    typed = f"{failure.fix} && echo $SSH_AUTH_SOCK $SSH_AGENT_PID"
    answers = {"SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force"}
    said = subprocess.run(
        ["sh", "-c", typed], env=os.environ | answers, capture_output=True, text=True, check=True
    )
    place, pid = said.stdout.split()[-2:]
    monkeypatch.setenv("SSH_AUTH_SOCK", place)
    try:
        assert run(laptop.dial("gpu1", ssh), sh("echo in")) == IN
    finally:
        os.kill(int(pid), signal.SIGTERM)


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
    assert failure.detail.splitlines()[0] == f"{laptop.key}: refused"


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
    assert failure.message.startswith("no key to offer to ")
    assert failure.detail.splitlines() == [
        f"the agent at {place}: cannot be asked: No such file or directory",
        f"{laptop.key}: its private key is in no file and not in the agent",
    ]
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


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("beside", ["rsa", "ecdsa", "ed25519"])
def test_a_key_beside_which_the_public_half_of_another_lies_is_still_the_key(
    laptop: Laptop, start: Start, tmp_path: Path, kind: str, beside: str
) -> None:
    """`ssh` shows the other, and is refused."""
    key, other = keygen(tmp_path / "key", kind), keygen(tmp_path / "other", beside)
    server = start(authorized=(key,))
    laptop.host("gpu1", server)
    laptop.knows(server)
    shutil.copy(f"{other}.pub", f"{key}.pub")
    assert run(laptop.dial("gpu1", Ssh(key=str(key))), sh("echo in")) == IN


def test_a_key_in_pem_may_have_its_public_half_among_the_remarks_before_it(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "made", "rsa")
    server = start(authorized=(key,))
    laptop.host("gpu1", server, f"IdentityFile {tmp_path / 'key'}", "IdentitiesOnly yes")
    laptop.knows(server)
    subprocess.run(["ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-f", str(key)], check=True)
    remarked = tmp_path / "key"
    remarked.write_text(f"# of ana\n{public(key)}\n{key.read_text()}")
    remarked.chmod(0o600)
    laptop.key.unlink()
    assert laptop.ssh("gpu1").stdout == "in\n"
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


def test_a_public_key_that_is_named_in_the_place_of_its_private_one_is_told(
    laptop: Laptop, start: Start
) -> None:
    server = start()
    laptop.knows(server)
    laptop.host("gpu1", server, f"IdentityFile {laptop.key}.pub", "IdentitiesOnly yes")
    with laptop.config.open() as config:
        text = config.read()
    laptop.config.write_text(text.replace(f"  IdentityFile {laptop.key}\n", ""))
    assert laptop.ssh("gpu1").returncode
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.detail == f"{laptop.key}.pub: is the public key"
    named = failure.fix.removeprefix("name the private one: ")
    laptop.host("told", server, f"IdentityFile {named}")
    assert run(laptop.dial("told"), sh("echo in")) == IN


def test_a_variable_that_is_not_set_is_named_as_ssh_does(
    laptop: Laptop, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start()
    laptop.knows(server)
    monkeypatch.delenv("KEYS", raising=False)
    laptop.host("gpu1", server, "IdentityFile ${KEYS}/key")
    assert "${KEYS} has no value" in laptop.ssh("gpu1").stderr
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.message == "the SSH config names ${KEYS}/key, and there is no variable KEYS"
    monkeypatch.setenv("KEYS", str(laptop.home))
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN
