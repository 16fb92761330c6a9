"""What in the SSH config may be why `ssh` reaches a host, and raycluster does not."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.transport import Failure, FailureKind

BRIEFLY = 1.0  # seconds, for answers that come from this machine


def hinted(failure: Failure, hop: Settings) -> Failure:
    detail = "\n".join(filter(None, (failure.detail, *_hints(failure.kind, hop))))
    return replace(failure, detail=detail)


def _hints(kind: FailureKind, hop: Settings) -> Iterator[str]:
    names = [each.name for each in hop.unknown if each.explains is kind]
    if names:
        yield f"The SSH config sets {', '.join(names)} for it, which raycluster does not know."
    if kind is FailureKind.AUTH and hop.gssapi and _has_ticket():
        yield "`ssh` may log in by your Kerberos ticket (GSSAPIAuthentication), which raycluster does not know."
    if hop.control_path and _is_open(hop.control_path):
        yield (
            f"`ssh` has a connection open ({hop.control_path}), and logs in no more. "
            "raycluster cannot use a ControlMaster's: it needs a login of its own."
        )


def _has_ticket() -> bool:
    with suppress(subprocess.TimeoutExpired):
        return bool(
            shutil.which("klist")
            and not subprocess.run(
                ["klist", "-s"], capture_output=True, timeout=BRIEFLY, check=False
            ).returncode
        )
    return False


def _is_open(control: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(BRIEFLY)
        try:
            caller.connect(str(control))
        except OSError:
            return False
    return True
