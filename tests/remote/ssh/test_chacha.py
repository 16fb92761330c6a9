"""chacha20-poly1305@openssh.com: what comes is checked. That OpenSSH takes it is shown in test_negotiation."""

import pytest
from paramiko.ssh_exception import SSHException

from orchestrator.remote.ssh.chacha import BLOCK, KEY, MOST, TAG, ChaChaPoly, is_length

LENGTH, PACKET = (24).to_bytes(4), b"0123456789abcdefghijklmn"


def cipher(number: int = 7) -> ChaChaPoly:
    return ChaChaPoly(bytes(range(KEY)), lambda: number)


def sealed() -> bytes:
    return cipher().encrypt(b"", PACKET, cipher().length(LENGTH))


def test_a_packet_is_opened_as_it_was_sealed() -> None:
    assert cipher().length(cipher().length(LENGTH)) == LENGTH
    assert cipher().decrypt(b"", sealed(), LENGTH) == PACKET
    assert PACKET not in sealed()
    assert len(sealed()) == len(PACKET) + TAG


@pytest.mark.parametrize("at", [0, len(PACKET) - 1, len(PACKET), len(PACKET) + TAG - 1])
def test_a_packet_that_was_changed_is_refused(at: int) -> None:
    changed = bytearray(sealed())
    changed[at] ^= 1
    with pytest.raises(SSHException, match="Mismatched MAC"):
        cipher().decrypt(b"", bytes(changed), LENGTH)


def test_a_packet_with_another_length_or_number_is_refused() -> None:
    with pytest.raises(SSHException, match="Mismatched MAC"):
        cipher().decrypt(b"", sealed(), (32).to_bytes(4))
    with pytest.raises(SSHException, match="Mismatched MAC"):
        cipher(8).decrypt(b"", sealed(), LENGTH)


@pytest.mark.parametrize("number", [0, BLOCK - 1, BLOCK + 1, MOST + BLOCK, 2**32 - 8])
def test_a_length_that_no_packet_has_is_told_before_it_is_waited_for(number: int) -> None:
    assert not is_length(number)
    assert is_length(BLOCK)
    assert is_length(MOST)
