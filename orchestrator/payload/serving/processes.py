"""Beside the supervisor in a container: the processes of a model's server, which carry a mark, and where it listens."""

import os
import signal
import socket
import time
import urllib.parse

import server  # beside this file

MARK = "RAYCLUSTER_SERVES"
MARKED = {MARK: server.HERE, "SPT_NOENV": "1"}
"""What a server has in its environment, and all that it starts. vLLM's processes name themselves: without the second
setproctitle would write the name over the environment."""


def is_taken(url):
    """Whether something listens there already."""
    there = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((there.hostname, there.port), timeout=2).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def end_left():
    """Ends what is left of a server, be it one whose supervisor was killed."""
    while left := marked():
        for pid in left:
            kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def marked():
    """The processes that carry the mark in their environment."""
    found, wanted = [], f"{MARK}={server.HERE}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def kill(pid, how):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass
