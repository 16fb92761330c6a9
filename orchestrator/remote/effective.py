"""What `ssh` itself makes of what an inventory leaves open. Nobody is contacted."""

from dataclasses import replace
from pathlib import Path

from orchestrator.model.cluster import Ssh
from orchestrator.remote.refused import Refused
from orchestrator.remote.sshconfig import settings
from orchestrator.remote.transport import Failure


def effective(host: str, ssh: Ssh) -> Ssh | Failure:
    """The settings with which a host is logged in to, once `~/.ssh/config` has been asked."""
    try:
        hop = settings(host, ssh)
    except Refused as refused:
        return refused.failure
    keys = ", ".join(_short(file) for file in hop.identity_files if file.is_file())
    return replace(
        ssh,
        user=hop.user,
        port=hop.port,
        key=ssh.key or keys or None,
        jump=ssh.jump or ",".join(hop.proxy_jump) or None,
    )


def _short(file: Path) -> str:
    home = Path.home()
    return f"~/{file.relative_to(home)}" if file.is_relative_to(home) else str(file)
