"""What is agreed on with a real OpenSSH server before anything is said."""

from collections.abc import Callable

import pytest

from orchestrator.plan.command import Command
from orchestrator.remote.transport import Output
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, Sshd, run, sh

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


def said(laptop: Laptop, command: Command) -> str:
    ended = run(laptop.dial("gpu1"), command, timeout=60)
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


def test_keys_are_changed_on_the_way_with_nothing_lost(
    telling: Callable[[str], Sshd], laptop: Laptop
) -> None:
    server = telling("RekeyLimit 1M")
    sent = "0123456789abcde\n" * (BYTES // 16)
    assert said(laptop, sh("cat", sent)) == sent
    assert server.log().count("SSH2_MSG_NEWKEYS received") > 3
