"""RevokedHostKeys: the file of keys that are never to be trusted, a list of them or OpenSSH's KRL."""

import base64
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orchestrator.remote.ssh.certificate import type_of
from orchestrator.remote.transport import Failure, FailureError, FailureKind

KRL = b"SSHKRL\n\0"
BRIEFLY = 10.0  # seconds for ssh-keygen
REVOKED = 1  # its exit code


def revokes(file: Path, shown: bytes, keys: Sequence[bytes]) -> bool:
    """Whether a file has what the host shows, or one of these keys. FailureError where that cannot be told."""
    try:
        content = file.read_bytes()
        if content.startswith(KRL):
            return _in_krl(file, shown)
    except OSError as error:
        raise _cannot_tell(file, error.strerror or str(error)) from error
    found = {word for line in content.splitlines() for word in line.split()}
    return any(base64.b64encode(key) in found for key in keys)


def _in_krl(file: Path, shown: bytes) -> bool:
    with tempfile.NamedTemporaryFile(suffix=".pub") as key:
        key.write(type_of(shown).encode() + b" " + base64.b64encode(shown) + b"\n")
        key.flush()
        try:
            asked = subprocess.run(
                ["ssh-keygen", "-Q", "-f", str(file), key.name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=BRIEFLY,
                check=False,
            )
        except FileNotFoundError as error:
            raise _cannot_tell(file, "it is a KRL, and there is no ssh-keygen here to read it") from error
        except subprocess.TimeoutExpired as error:
            raise _cannot_tell(file, "ssh-keygen does not end") from error
    if asked.returncode not in (0, REVOKED):
        raise _cannot_tell(file, asked.stderr.strip().rpartition("\n")[2])
    return asked.returncode == REVOKED


def _cannot_tell(file: Path, why: str) -> FailureError:
    message = f"the RevokedHostKeys {file} cannot be read: {why}"
    return FailureError(Failure(FailureKind.HOST_KEY, message, fix="check RevokedHostKeys in ~/.ssh/config"))
