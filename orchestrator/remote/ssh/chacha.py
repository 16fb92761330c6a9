"""chacha20-poly1305@openssh.com, which paramiko lacks: some sshd_configs allow no other cipher.

As OpenSSH's PROTOCOL.chacha20poly1305 has it: one key for the lengths of packets, one for the rest, and the packet's
number as nonce of both.
"""

import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.poly1305 import Poly1305

NAME = "chacha20-poly1305@openssh.com"
KEY, BLOCK, TAG = 64, 8, 16
KEYSTREAM_BLOCK = 64  # of ChaCha20: the first makes Poly1305's key, the next encrypt
MOST = 256 * 1024  # of a packet, as in OpenSSH

AS_PARAMIKO_KNOWS_CIPHERS = {
    "class": None,
    "block-size": BLOCK,
    "iv-size": 12,
    "key-size": KEY,
    "is_aead": True,
}


def is_available() -> bool:
    """Not where OpenSSL only has what FIPS allows."""
    try:
        ChaChaPoly(bytes(KEY), lambda: 0).encrypt(b"", b"", bytes(4))
    except UnsupportedAlgorithm:
        return False
    return True


def is_length(number: int) -> bool:
    """Whether a packet may be so long. It is asked before the packet is there to be authenticated."""
    return BLOCK <= number <= MOST and number % BLOCK == 0


class ChaChaPoly:
    """One direction of a connection, with the methods that paramiko calls of an AEAD cipher such as AES-GCM."""

    def __init__(self, key: bytes, number: Callable[[], int]) -> None:
        """`number` tells that of the packet which is on."""
        self._rest, self._lengths = key[:32], key[32:]
        self._number = number

    def length(self, four_bytes: bytes) -> bytes:
        """A packet's length, encrypted or decrypted: to ChaCha20 that is the same."""
        return self._stream(self._lengths, four_bytes)

    def encrypt(self, _iv: bytes, packet: bytes, encrypted_length: bytes) -> bytes:
        one_time, sealed = self._keyed(packet)
        return sealed + Poly1305.generate_tag(one_time, encrypted_length + sealed)

    def decrypt(self, _iv: bytes, sealed: bytes, length: bytes) -> bytes:
        from paramiko.ssh_exception import SSHException  # noqa: PLC0415 - slow to import

        sealed, tag = sealed[:-TAG], sealed[-TAG:]
        one_time, packet = self._keyed(sealed)
        try:
            Poly1305.verify_tag(one_time, self.length(length) + sealed, tag)
        except InvalidSignature:
            raise SSHException("Mismatched MAC") from None
        return packet

    def _keyed(self, data: bytes) -> tuple[bytes, bytes]:
        """Poly1305's key for this packet, and the packet encrypted or decrypted."""
        stream = self._stream(self._rest, bytes(KEYSTREAM_BLOCK) + data)
        return stream[:32], stream[KEYSTREAM_BLOCK:]

    def _stream(self, key: bytes, data: bytes) -> bytes:
        nonce = bytes(8) + struct.pack(">Q", self._number())  # after a counter that begins at 0
        return Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(data)
