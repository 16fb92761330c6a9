"""Keys on hardware, which an agent signs with: an agent of our own that signs as such a key would, and real servers."""

import base64
import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.remote.ssh.certificate import Reader, string
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import ME, Laptop, agent, certify, failed, keygen, run, sh

pytestmark = pytest.mark.sshd
IN = Output(0, "in\n")
KIND, APPLICATION = b"sk-ssh-ed25519@openssh.com", b"ssh:"
TOUCHED = b"\x01"


class Token:
    """What a hardware key is to SSH."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.point = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = string(KIND) + string(self.point) + string(APPLICATION)
        self.line = f"{KIND.decode()} {base64.b64encode(self.public).decode()} token\n"

    def sign(self, data: bytes) -> bytes:
        more = TOUCHED + (7).to_bytes(4, "big")
        signed = hashlib.sha256(APPLICATION).digest() + more + hashlib.sha256(data).digest()
        return string(KIND) + string(self._key.sign(signed)) + more

    def file(self, place: Path) -> Path:
        """The key's file, as ssh-keygen makes it: all but what only the hardware has."""
        check = os.urandom(4) * 2
        handle = (
            string(KIND)
            + string(self.point)
            + string(APPLICATION)
            + TOUCHED
            + string(b"handle")
            + string(b"")
        )
        private = check + handle + string(b"token")
        private += bytes(range(1, 8 - len(private) % 8 + 1)) if len(private) % 8 else b""
        none = string(b"none") + string(b"none") + string(b"")
        content = b"openssh-key-v1\0" + none + (1).to_bytes(4, "big") + string(self.public) + string(private)
        text = base64.encodebytes(content).decode()
        place.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n")
        place.chmod(0o600)
        place.with_name(f"{place.name}.pub").write_text(self.line)
        return place


@contextmanager
def holding(place: Path, token: Token, *blobs: bytes) -> Iterator[None]:
    """An agent that holds a token's key, and certificates for it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()

    def answer(request: Reader) -> bytes:
        if request.number(1) == 11:  # which keys?
            keys = b"".join(string(blob) + string(b"token") for blob in blobs)
            return b"\x0c" + len(blobs).to_bytes(4, "big") + keys
        request.string()
        return b"\x0e" + string(token.sign(request.string()))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as wire:
                while length := wire.read(4):
                    wire.write(string(answer(Reader(wire.read(int.from_bytes(length, "big"))))))
                    wire.flush()

    server = Thread(target=serve)
    server.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join()


@pytest.fixture
def token() -> Token:
    return Token()


def test_an_agent_opens_with_a_hardware_key(
    laptop: Laptop, start: Start, token: Token, tmp_path: Path
) -> None:
    key, place = token.file(tmp_path / "id_ed25519_sk"), tmp_path / "agent"
    server = start(authorized=(key,))
    laptop.knows(server)
    laptop.host("gpu1", server, f"IdentityFile {key}", f"IdentityAgent {place}", "IdentitiesOnly yes")
    with holding(place, token, token.public):
        assert laptop.ssh("gpu1").stdout == "in\n"
        assert run(laptop.dial("gpu1"), sh("echo in")) == IN


@pytest.mark.parametrize("where", ["file", "agent"])
def test_an_agent_opens_with_the_certificate_of_a_hardware_key(
    laptop: Laptop, start: Start, token: Token, tmp_path: Path, where: str
) -> None:
    key, place, ca = token.file(tmp_path / "id_ed25519_sk"), tmp_path / "agent", keygen(tmp_path / "ca")
    server = start("127.0.0.2", f"TrustedUserCAKeys {ca}.pub", authorized=())
    laptop.knows(server)
    file = certify(ca, key, ME)
    blob = base64.b64decode(file.read_text().split()[1])
    if where == "agent":
        file.unlink()
    laptop.host("gpu1", server, f"IdentityFile {key}", f"IdentityAgent {place}")
    with holding(place, token, token.public, *([blob] if where == "agent" else [])):
        assert laptop.ssh("gpu1").stdout == "in\n"
        assert run(laptop.dial("gpu1"), sh("echo in")) == IN


def test_a_hardware_keys_file_without_an_agent_is_given_to_one_as_told(
    laptop: Laptop, start: Start, token: Token, tmp_path: Path
) -> None:
    key = token.file(tmp_path / "id_ed25519_sk")
    server = start(authorized=(key,))
    laptop.knows(server)
    laptop.key.unlink()
    with agent(tmp_path) as place:
        laptop.host("gpu1", server, f"IdentityFile {key}", f"IdentityAgent {place}")
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
        assert failure.message == f"no key to offer to {ME}@{server.address}:{server.port}"
        assert f"{key}: is on a hardware key, which only an agent can use" in failure.detail.splitlines()
        assert failure.fix == f"ssh-add {key}"
        typed = {**os.environ, "SSH_AUTH_SOCK": str(place)}
        subprocess.run(["sh", "-c", failure.fix], check=True, capture_output=True, env=typed)
        listed = subprocess.run(["ssh-add", "-L"], check=True, capture_output=True, text=True, env=typed)
        assert listed.stdout == token.line
