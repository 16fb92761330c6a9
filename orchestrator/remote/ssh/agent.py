"""An SSH agent: the keys that it holds, and what it signs with them.

paramiko's own knows $SSH_AUTH_SOCK only, no IdentityAgent; it shows an RSA certificate as the plain key, and fails of
a comment that is not UTF-8.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from orchestrator.frozen import dataclass
from orchestrator.remote.ssh.certificate import Reader, string, type_of

if TYPE_CHECKING:
    import paramiko

# Message numbers and flags of https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/
REQUEST_IDENTITIES, IDENTITIES_ANSWER = 11, 12
SIGN_REQUEST, SIGN_RESPONSE = 13, 14
EXTENSION, SUCCESS = 27, 6
BIND = b"session-bind@openssh.com"
RSA_SHA2_256, RSA_SHA2_512 = 2, 4
LONGEST = 256 * 1024  # bytes of an answer, as OpenSSH has it


class AgentError(Exception):
    """What the agent did not do."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key that an agent holds, as paramiko wants a key to be. `shown`: a certificate for it, of a file."""

    agent: "Agent"
    blob: bytes
    comment: str
    shown: bytes = b""

    @property
    def public_blob(self) -> "paramiko.pkey.PublicBlob":
        import paramiko  # noqa: PLC0415 - slow to import

        shown = self.shown or self.blob
        return paramiko.pkey.PublicBlob(type_of(shown), shown)

    def sign_ssh_data(self, data: bytes, algorithm: str) -> bytes:
        """A signature; one that holds for nobody where the agent gives none, which `refusal` then says.

        An error would end paramiko's thread, and so the connection, on which other keys are still to be shown.
        """
        try:
            return self.agent.sign(self.blob, data, algorithm)
        except AgentError as error:
            self.agent.refusals[self.blob] = str(error)
            return string(algorithm.encode()) + string(b"")

    def asbytes(self) -> bytes:
        return self.blob

    @property
    def refusal(self) -> str:
        return self.agent.refusals.get(self.blob, "")


class Agent:
    """An agent at the other end of a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.refusals: dict[bytes, str] = {}  # why it has not signed with a key

    def bind(self, session_id: bytes, host_key: bytes, proof: bytes) -> None:
        """Tells which host it signs for: a key may be for some alone (`ssh-add -h`). Not all agents know this."""
        said = b"".join(map(string, (BIND, host_key, session_id, proof)))
        with suppress(AgentError):
            self._ask(bytes((EXTENSION,)) + said + b"\0", SUCCESS)

    def keys(self) -> tuple[AgentKey, ...]:
        answer = self._ask(bytes((REQUEST_IDENTITIES,)), IDENTITIES_ANSWER)
        count = answer.number(4)
        return tuple(
            AgentKey(self, answer.string(), answer.string().decode(errors="replace")) for _ in range(count)
        )

    def sign(self, blob: bytes, data: bytes, algorithm: str) -> bytes:
        flags = {"rsa-sha2-256": RSA_SHA2_256, "rsa-sha2-512": RSA_SHA2_512}
        flag = flags.get(algorithm.partition("-cert-")[0], 0)
        request = bytes((SIGN_REQUEST,)) + string(blob) + string(data) + flag.to_bytes(4, "big")
        answer = self._ask(request, SIGN_RESPONSE)
        try:
            return answer.string()
        except ValueError as error:
            raise AgentError(str(error)) from error

    def _ask(self, request: bytes, wanted: int) -> Reader:
        try:
            self._connection.sendall(string(request))
            length = int.from_bytes(self._receive(4), "big")
            if not 0 < length <= LONGEST:
                raise AgentError("it does not speak as an agent does")
            answer = Reader(self._receive(length))
        except OSError as error:
            raise AgentError(error.strerror or str(error)) from error
        if answer.number(1) != wanted:
            raise AgentError("it refuses")
        return answer

    def _receive(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            part = self._connection.recv(size - len(received))
            if not part:
                raise AgentError("it closes the connection")
            received += part
        return received


@contextmanager
def agent_keys(
    place: Path | None, deadline: float, session: tuple[bytes, ...]
) -> Iterator[tuple[tuple[AgentKey, ...], str]]:
    """The keys an agent holds, which sign for as long as this is open; and why it cannot be asked."""
    keys: tuple[AgentKey, ...] = ()
    problem = ""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(max(deadline - monotonic(), 0.1))
        try:
            if place is not None:
                connection.connect(str(place))
                agent = Agent(connection)
                agent.bind(*session)
                keys = agent.keys()
        except OSError as error:
            problem = f"cannot be asked: {error.strerror or error}"
        except (AgentError, ValueError) as error:
            problem = f"cannot be asked: {error}"
        yield keys, problem
