"""What is agreed on with a server before the login: paramiko's transport, with more algorithms and a memory."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha1
from typing import TYPE_CHECKING, Any, ClassVar

from orchestrator.remote.ssh import chacha
from orchestrator.remote.ssh.heard import (
    CIPHER,
    GROUP14_SHA1,
    IN_ORDER,
    MAC,
    SSH_RSA,
    WORDS,
    Heard,
    NothingInCommon,
)
from orchestrator.remote.ssh.packets import asking_packetizer

if TYPE_CHECKING:
    import paramiko
    from paramiko.packet import Packetizer

CURVE, CURVE_BY_LIBSSH = "curve25519-sha256", "curve25519-sha256@libssh.org"  # RFC 8731: the same
SHA1_ETM = "hmac-sha1-etm@openssh.com"
NO_ALGORITHMS = ("ext-info-", "kex-strict-")  # what stands among those of the key exchange


@cache
def transport_class() -> "type[paramiko.Transport]":
    """A transport with more algorithms (docs/ssh.md has all), which remembers what the server says.

    It knows two algorithms with SHA-1, too, which it is told to use only where the SSH config names them.
    """
    import paramiko  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from paramiko.kex_group14 import KexGroup14SHA256  # noqa: PLC0415

    usual: Any = paramiko.Transport
    rsa: Any = paramiko.RSAKey
    kex, ciphers = usual._kex_info, usual._cipher_info  # noqa: SLF001
    more_kex = {CURVE: kex[CURVE_BY_LIBSSH]} if CURVE_BY_LIBSSH in kex else {}
    behind = usual._preferred_kex.index(CURVE_BY_LIBSSH) + 1 if more_kex else 0  # noqa: SLF001
    more_ciphers = {chacha.NAME: chacha.AS_PARAMIKO_KNOWS_CIPHERS} if chacha.is_available() else {}

    class KexGroup14SHA1(KexGroup14SHA256):
        name = GROUP14_SHA1
        hash_algo = sha1

    class SignsWithSHA1(rsa):  # type: ignore[misc]
        HASHES: ClassVar = {SSH_RSA: hashes.SHA1}

    class Listening(usual):  # type: ignore[misc] # what it overrides has no types
        heard: Heard
        proven: tuple[bytes, ...] = ()  # the session's id, the host's key, and its signature of the first
        preferred_keys: Sequence[str] = ()  # where paramiko computes them: certificates after all plain keys
        _kex_info = kex | more_kex | {GROUP14_SHA1: KexGroup14SHA1}
        _key_info = usual._key_info | {SSH_RSA: SignsWithSHA1}  # noqa: SLF001
        _preferred_kex = (*usual._preferred_kex[:behind], *more_kex, *usual._preferred_kex[behind:])  # noqa: SLF001
        _mac_info = usual._mac_info | {SHA1_ETM: usual._mac_info["hmac-sha1"]}  # noqa: SLF001
        _preferred_macs = (*usual._preferred_macs, SHA1_ETM)  # noqa: SLF001
        _cipher_info = ciphers | more_ciphers
        _preferred_ciphers = (*usual._preferred_ciphers, *more_ciphers)  # noqa: SLF001

        def _get_engine(
            self, name: str, key: bytes, *rest: Any, operation: object = None, **options: Any
        ) -> Any:
            if name != chacha.NAME:
                return super()._get_engine(name, key, *rest, operation=operation, **options)
            way = "out" if operation is self._ENCRYPT else "in"
            return chacha.ChaChaPoly(
                key, lambda: getattr(self.packetizer, f"_Packetizer__sequence_number_{way}")
            )

        def _really_parse_kex_init(self, m: "paramiko.Message", **of_ours: Any) -> Any:
            offers = super()._really_parse_kex_init(m, **of_ours)
            return offers if of_ours else _compared(self, offers)

        def _filter_algorithm(self, kind: str) -> Any:
            """All of them: none is ever disabled, and paramiko would look for each."""
            return tuple(getattr(self, f"_preferred_{kind}"))

        def _verify_key(self, host_key: bytes, sig: bytes) -> None:
            super()._verify_key(host_key, sig)
            if not self.proven:
                self.proven = (self.session_id, host_key, sig)

        def _log(self, *_: Any) -> None:
            """Nothing: nobody reads paramiko's log, and a tenth of a connection's CPU went into its lines."""

        _parse_debug = _log  # of what sshd says about authorized_keys

        def _parse_disconnect(self, m: "paramiko.Message") -> None:
            said = paramiko.Message(m.asbytes())
            said.get_int()
            self.heard.goodbye = said.get_text()
            super()._parse_disconnect(m)

        def _parse_channel_open_failure(self, m: "paramiko.Message") -> None:
            said = paramiko.Message(m.asbytes())
            _channel, _code = said.get_int(), said.get_int()
            self.heard.refused_channel = said.get_text()
            super()._parse_channel_open_failure(m)

    return Listening


def _compared(transport: Any, offers: Any) -> Any:
    """What the server offers, once it is noted what of it is lacking here."""
    transport.heard.lack = _lack(transport, offers)
    if transport.heard.lack and transport.heard.lack.kind is MAC and _needs_no_mac(transport, offers):
        transport.heard.lack = None
        _take_any_mac(transport, offers)
    return offers


def _lack(transport: Any, offers: Any) -> NothingInCommon | None:
    for kind in IN_ORDER:
        ours = getattr(transport, kind.preferred)
        for place in kind.offered:
            offered = tuple(name for name in offers[place] if not name.startswith(NO_ALGORITHMS))
            if not set(offered).intersection(ours):
                return NothingInCommon(kind, offered, getattr(type(transport), f"_{kind.preferred}"))
    return None


def _needs_no_mac(transport: Any, offers: Any) -> bool:
    """With AES-GCM and chacha20-poly1305 none is used, and sshd agrees on none; paramiko insists."""
    agreed = (
        next(name for name in transport.preferred_ciphers if name in offers[place])
        for place in CIPHER.offered
    )
    return all(transport._cipher_info[name].get("is_aead") for name in agreed)  # noqa: SLF001


def _take_any_mac(transport: Any, offers: Any) -> None:
    names = tuple(name for place in MAC.offered for name in offers[place])
    never_used = transport._mac_info["hmac-sha2-256"]  # noqa: SLF001
    transport._mac_info = dict.fromkeys(names, never_used) | transport._mac_info  # noqa: SLF001
    transport._preferred_macs = names  # noqa: SLF001


def _hear_the_rest(packetizer: Any) -> None:
    """Who has hung up already may have said why."""
    with suppress(EOFError, OSError):
        while len(packetizer.heard.greeting) < WORDS:
            packetizer._read_timeout(0)  # noqa: SLF001


@cache
def packetizer_class() -> "type[Packetizer]":
    """One that remembers what comes before the first packet, and knows the packets of chacha20-poly1305."""
    import paramiko  # noqa: PLC0415 - slow to import

    usual: Any = asking_packetizer()

    class Listening(usual):  # type: ignore[misc]
        heard: Heard
        _sealing: chacha.ChaChaPoly | None = None
        _opening: chacha.ChaChaPoly | None = None

        def _read_timeout(self, timeout: float) -> bytes:
            data: bytes = super()._read_timeout(timeout)
            self.heard.hear(data)
            return data

        def write_all(self, out: bytes) -> None:
            try:
                super().write_all(out)
            except EOFError:
                _hear_the_rest(self)
                raise

        def set_outbound_cipher(self, block_engine: Any, *rest: Any, **options: Any) -> None:
            super().set_outbound_cipher(block_engine, *rest, **options)
            self._sealing = block_engine if isinstance(block_engine, chacha.ChaChaPoly) else None

        def set_inbound_cipher(self, block_engine: Any, *rest: Any, **options: Any) -> None:
            super().set_inbound_cipher(block_engine, *rest, **options)
            self._opening = block_engine if isinstance(block_engine, chacha.ChaChaPoly) else None

        def _build_packet(self, payload: bytes) -> bytes:
            packet: bytes = super()._build_packet(payload)
            return self._sealing.length(packet[:4]) + packet[4:] if self._sealing else packet

        def read_all(self, n: int, check_rekey: bool = False) -> bytes:
            data: bytes = super().read_all(n, check_rekey)
            if not (check_rekey and self._opening):  # paramiko checks that at the begin of a packet alone
                return data
            length = self._opening.length(data[:4])
            if not chacha.is_length(int.from_bytes(length)):
                raise paramiko.SSHException("Invalid packet length")
            return length + data[4:]

    return Listening
