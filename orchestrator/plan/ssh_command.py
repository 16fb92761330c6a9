"""The OpenSSH client's command line, for where a person's own terminal or script is to reach a host."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.cluster import HostKeys, Node, Ssh
from orchestrator.plan.command import Command

CHECKING = {HostKeys.STRICT: "yes", HostKeys.ACCEPT_NEW: "accept-new"}


def ssh(node: Node, *options: str, remote: Command | None = None) -> Command:
    """`ssh` to the node as the inventory has it, `~/.ssh/config` below it; then what is run there."""
    words = (remote.login_shell_line(),) if remote else ()
    return Command(("ssh", *options, *_settings(node.ssh), "--", node.host, *words))


def by_hand(node: Node, *options: str) -> Command:
    """The same as a person would type it, who leaves host keys and patience to their own configuration."""
    flags = (("-l", node.ssh.user), ("-p", node.ssh.port), ("-i", node.ssh.key), ("-J", node.ssh.jump))
    told = (part for flag, value in flags if value is not None for part in (flag, str(value)))
    return Command(("ssh", *options, *told, node.host))


def _settings(ssh: Ssh) -> Iterator[str]:
    flags = (("-l", ssh.user), ("-p", ssh.port), ("-i", ssh.key))
    yield from (part for flag, value in flags if value is not None for part in (flag, str(value)))
    if ssh.host_keys:
        yield from ("-o", f"StrictHostKeyChecking={CHECKING[ssh.host_keys]}")
    if ssh.connect_timeout is not None:
        yield from ("-o", f"ConnectTimeout={max(1, round(ssh.connect_timeout))}")
    if ssh.jump:
        yield from ("-o", _way(ssh, ssh.jump))


def _way(ssh: Ssh, jump: str) -> str:
    """The way through jump hosts. `-J` would give them neither our key nor our word on host keys."""
    if jump == "none":
        return "ProxyJump=none"
    *before, last = jump.split(",")
    hop = replace(ssh, user=None, port=None, jump=",".join(before) or None)
    there = f"ssh://{last.strip().removeprefix('ssh://')}"
    settings = (word.replace("%", "%%") for word in _settings(hop))  # ssh reads % in it once more
    line = Command(("ssh", *settings, "-W", "[%h]:%p", "--", there)).line()
    return f"ProxyCommand={line}"
