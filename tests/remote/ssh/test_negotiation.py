"""What is agreed on with a real OpenSSH server before anything is said."""

from collections.abc import Callable
from functools import partial

import pytest

from orchestrator.plan.command import Command
from orchestrator.remote.ssh import negotiation
from orchestrator.remote.ssh.heard import CIPHER, HOST_KEY, KEX, MAC, Algorithms
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, Sshd, failed, run, sh

pytestmark = pytest.mark.sshd

BYTES = 5 * (1 << 20)


@pytest.fixture
def telling(start: Start, laptop: Laptop) -> Callable[[str], Sshd]:
    """Starts a server with an option. It logs what is agreed on, and tells some of that to whoever logs in."""

    def started(option: str) -> Sshd:
        server = start("127.0.0.2", "LogLevel DEBUG1", option)
        laptop.host("gpu1", server)
        laptop.knows(server)
        return server

    return started


def said(laptop: Laptop, command: Command, host: str = "gpu1") -> str:
    ended = run(laptop.dial(host), command, timeout=60)
    assert isinstance(ended, Output), ended
    return ended.stdout


@pytest.mark.parametrize(
    ("option", "cipher"),
    [
        ("Ciphers +aes128-gcm@openssh.com", "aes128-gcm@openssh.com"),
        ("Ciphers aes256-gcm@openssh.com,aes128-ctr", "aes256-gcm@openssh.com"),
        ("Ciphers aes192-ctr,chacha20-poly1305@openssh.com", "aes192-ctr"),
    ],
)
def test_aes_gcm_is_agreed_on_where_the_host_has_it(
    telling: Callable[[str], Sshd], laptop: Laptop, option: str, cipher: str
) -> None:
    server = telling(option)
    assert said(laptop, sh("echo in")) == "in\n"
    assert f"client->server cipher: {cipher} " in server.log()


@pytest.mark.parametrize("cipher", ["", "Ciphers chacha20-poly1305@openssh.com\n"])
def test_keys_are_changed_on_the_way_with_nothing_lost(
    telling: Callable[[str], Sshd], laptop: Laptop, cipher: str
) -> None:
    server = telling(f"{cipher}RekeyLimit 1M")
    sent = "0123456789abcde\n" * (BYTES // 16)
    assert said(laptop, sh("cat", sent)) == sent
    assert server.log().count("SSH2_MSG_NEWKEYS received") > 3


def test_chacha20_goes_on_counting_packets_where_the_host_knows_no_strict_key_exchange(
    telling: Callable[[str], Sshd], laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before OpenSSH 9.6: there the packets' numbers, which are the nonces, do not begin anew with the keys."""
    old = partial(negotiation.transport_class(), strict_kex=False)
    monkeypatch.setattr(negotiation, "transport_class", lambda: old)
    server = telling("Ciphers chacha20-poly1305@openssh.com\nRekeyLimit 1M")
    sent = "0123456789abcde\n" * (BYTES // 16)
    assert said(laptop, sh("cat", sent)) == sent
    assert server.log().count("SSH2_MSG_NEWKEYS received") > 3


@pytest.mark.parametrize(
    ("option", "logged"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "cipher: chacha20-poly1305@openssh.com MAC: <implicit>"),
        ("KexAlgorithms curve25519-sha256", "kex: algorithm: curve25519-sha256 "),
        ("MACs umac-128-etm@openssh.com", "-gcm@openssh.com MAC: <implicit>"),
        ("Ciphers aes256-ctr\nMACs hmac-sha1-etm@openssh.com", "aes256-ctr MAC: hmac-sha1-etm@openssh.com"),
    ],
)
def test_what_paramiko_lacks_is_agreed_on_where_the_host_has_nothing_else(
    telling: Callable[[str], Sshd], laptop: Laptop, option: str, logged: str
) -> None:
    server = telling(option)
    assert said(laptop, sh("echo in")) == "in\n"
    assert logged in server.log()


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", KEX),
        ("MACs umac-128-etm@openssh.com\nCiphers aes256-ctr", MAC),
    ],
)
def test_what_both_lack_is_named_and_the_line_that_is_printed_for_sshd_config_cures_it(
    start: Start, laptop: Laptop, option: str, kind: Algorithms
) -> None:
    server = start("127.0.0.2", option, host_keys=("rsa",))
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.UNREACHABLE)
    name = option.splitlines()[0].split()[1]
    assert f"has no {kind.kind} that raycluster knows, only {name}" in failure.message
    assert failure.detail.startswith(
        f"raycluster has: {getattr(negotiation.transport_class(), f'_{kind.preferred}')[0]},"
    )
    line = failure.fix.removeprefix("let its sshd_config say: ")
    server.stop()
    server.options = (line, *option.splitlines()[1:])
    server.rewrite_config()
    server.start()
    assert said(laptop, sh("echo in")) == "in\n"


def test_a_jump_host_that_lacks_all_of_ours_is_passed_by_ssh_itself(
    server: Sshd, start: Start, laptop: Laptop
) -> None:
    bastion = start("127.0.0.3", "KexAlgorithms sntrup761x25519-sha512@openssh.com")
    laptop.knows(bastion)
    laptop.host("bastion", bastion)
    laptop.host("behind", server, "ProxyJump bastion")
    assert laptop.ssh("behind").stdout == "in\n"
    failure = failed(run(laptop.dial("behind"), sh("true")), FailureKind.UNREACHABLE)
    assert "has no key exchange that raycluster knows" in failure.message
    instead = f"ProxyCommand ssh -F {laptop.config} -W [%h]:%p bastion"
    laptop.host("instead", server, instead)
    assert said(laptop, sh("echo in"), "instead") == "in\n"


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("HostKeyAlgorithms ssh-rsa", HOST_KEY),
        ("KexAlgorithms diffie-hellman-group14-sha1", KEX),
        ("KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1", KEX),
    ],
)
def test_sha1_is_used_where_the_ssh_config_names_it_as_by_ssh_and_the_line_is_told(
    start: Start, laptop: Laptop, option: str, kind: Algorithms
) -> None:
    """As of OpenSSH before 7.2, which signs for an RSA host key in no other way."""
    server = start("127.0.0.2", option, host_keys=("rsa",))
    laptop.host("gpu1", server)
    laptop.knows(server)
    assert "no matching " in laptop.ssh("gpu1").stderr
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.UNREACHABLE)
    assert f"has no {kind.kind} but {option.split()[1]}: SHA-1, " in failure.message
    _, line = failure.fix.split("set for gpu1 in ~/.ssh/config: ")
    laptop.host("told", server, line)
    assert laptop.ssh("told").stdout == "in\n"
    assert said(laptop, sh("echo in"), "told") == "in\n"


@pytest.mark.parametrize(
    ("keyword", "kind"),
    [
        ("Ciphers aes192-ctr", CIPHER),
        ("MACs hmac-sha2-512", MAC),
        ("KexAlgorithms ecdh-sha2-nistp384", KEX),
    ],
)
def test_the_ssh_configs_own_choice_is_kept_to(
    start: Start, laptop: Laptop, keyword: str, kind: Algorithms
) -> None:
    name = keyword.split()[1]
    server = start("127.0.0.2", "LogLevel DEBUG1", "Ciphers aes192-ctr,aes256-gcm@openssh.com,aes128-ctr")
    ctr = [] if kind is CIPHER else ["Ciphers aes128-ctr"]
    laptop.host("gpu1", server, keyword, *ctr)
    laptop.knows(server)
    assert said(laptop, sh("echo in")) == "in\n"
    assert f": {name} " in server.log()


@pytest.mark.parametrize(
    "keyword", ["Ciphers aes128-cbc", "MACs hmac-sha2-512", "KexAlgorithms ecdh-sha2-nistp384"]
)
def test_a_choice_that_the_host_does_not_share_is_told_with_the_line_that_would_widen_it(
    start: Start, laptop: Laptop, keyword: str
) -> None:
    server = start("127.0.0.2", "Ciphers aes192-ctr", "MACs hmac-sha2-256", "KexAlgorithms curve25519-sha256")
    laptop.host("gpu1", server, keyword)
    laptop.knows(server)
    option, name = keyword.split()
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.UNREACHABLE)
    assert f"that {option} in the SSH config names" in failure.message
    assert failure.detail.startswith("It has: ")
    added = failure.fix.removeprefix(f"add to {option} in ~/.ssh/config: ")
    laptop.host("wider", server, f"{option} {name},{added}")
    assert run(laptop.dial("wider"), sh("echo in")) == Output(0, "in\n")


def test_a_choice_of_which_raycluster_has_none_is_told_before_anybody_is_called(
    server: Sshd, laptop: Laptop
) -> None:
    laptop.host("other", server, "KexAlgorithms sntrup761x25519-sha512@openssh.com")
    failure = failed(run(laptop.dial("other"), sh("true")), FailureKind.AUTH)
    assert failure.message == "KexAlgorithms in the SSH config names none that raycluster has"
    assert "curve25519-sha256" in failure.fix
