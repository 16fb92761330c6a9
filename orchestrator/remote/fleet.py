"""Fleets: one transport for each host of a run, and a limit on those at work at once."""

import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from types import TracebackType
from typing import Self

from orchestrator.model.cluster import Cluster, Node, Ssh
from orchestrator.remote.local.transport import LocalTransport
from orchestrator.remote.ssh import transport as ssh
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Transport

DESCRIPTORS = 8192
"""File descriptors enough for a thousand hosts: each takes one for its connection and two for each command.

macOS grants 256 to those who do not ask, Linux 1024.
"""


class Fleet:
    """Every host of the cluster, by its name in the inventory. Close it, or use it as a context.

    `jobs` bounds the commands that run at once, and the SSH handshakes.
    """

    timeouts = DEFAULT

    def __init__(self, cluster: Cluster, open_: "Open", jobs: int, timeouts: Timeouts | None = None) -> None:
        _have(DESCRIPTORS)
        self.jobs, self.timeouts = jobs, timeouts or self.timeouts
        self.handshakes = BoundedSemaphore(jobs)
        self._open, self.places = open_, BoundedSemaphore(jobs)
        self._transports: dict[str, Transport] = {}
        self._alike: dict[Ssh, tuple[str, ...]] = {}
        self.add(cluster.nodes)

    def add(self, nodes: tuple[Node, ...]) -> None:
        """Further hosts, such as those that only Ray knows."""
        remote = [node for node in nodes if not node.is_local]
        self._alike |= {
            ssh: tuple(node.host for node in remote if node.ssh == ssh)
            for ssh in {node.ssh for node in remote}
        }
        self._transports |= {node.name: self._open(node, self) for node in nodes}

    def alike(self, ssh: Ssh) -> tuple[str, ...]:
        """The hosts that are reached in the same way, as far as the inventory says."""
        return self._alike[ssh]

    def __getitem__(self, host: str) -> Transport:
        return self._transports[host]

    def at_work(self) -> BoundedSemaphore:
        """One of the places, for what a transport does without taking one."""
        return self.places

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ThreadPoolExecutor(self.jobs) as pool:
            for transport in self._transports.values():
                pool.submit(transport.close)


Open = Callable[[Node, Fleet], Transport]


def connect_to(node: Node, fleet: Fleet) -> Transport:
    if node.is_local:
        return LocalTransport(fleet.timeouts, fleet.places)
    return ssh.SshTransport(
        node.host,
        node.ssh,
        alike=fleet.alike(node.ssh),
        handshakes=fleet.handshakes,
        places=fleet.places,
        timeouts=fleet.timeouts,
    )


def _have(descriptors: int) -> None:
    """As many, or as many as the system allows."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = descriptors if most == resource.RLIM_INFINITY else min(descriptors, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
