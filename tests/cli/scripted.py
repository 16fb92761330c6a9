"""The program in a process of its own, on hosts that are not there: what only real pipes show.

`python -m tests.cli.scripted WORDS…` runs it in a folder with an inventory, and leaves in `sent` a line for each
command that a host was sent, and for each that was still running there when it was ended.
"""

import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from orchestrator.cli.app import main
from orchestrator.plan.command import Command
from orchestrator.remote.transport import Output
from tests.cli.conftest import sent, two_hosts, with_cluster
from tests.remote.fakes import Answer, held
from tests.test_architecture import ROOT

STATE = "HOSTS_ARE"
STREAMS = "streams"
"""A named pipe in the folder, where there is one: a byte for each stream that a host has begun and holds open."""
FOUND = Output(0, "\x1ec1\nrunning 0 at noon\n1772366400.000000000\n")
ENDED = "ended while it ran"


class Hosts(StrEnum):
    """What they are like."""

    BARE = "bare"
    STANDING = "with the cluster on them"
    FAILING = "bare, and one of them has no image"
    SLOW = "bare, and one of them is never done with its `docker run`"


def start(folder: Path, *words: str, hosts: Hosts = Hosts.BARE, **streams: Any) -> subprocess.Popen[bytes]:
    """The program, its streams as they are given."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), STATE: hosts}
    argv = [sys.executable, "-m", "tests.cli.scripted", *words]
    program: subprocess.Popen[bytes] = subprocess.Popen(
        argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, **streams
    )
    return program


def _name(command: Command) -> str:
    """A script's, else the first words."""
    words = command.argv[4:] if command.argv[0] == "timeout" else command.argv
    return command.script or " ".join(words[:3])


def _run() -> None:
    told = list[str]()

    def until_it_is_ended(command: Command, cancel: Event) -> Answer:
        if (begun := Path(STREAMS)).exists():
            begun.write_text("x")
        ended = held(command, cancel)
        told.append(f"{command.script}: {ENDED}")
        return ended

    with pytest.MonkeyPatch.context() as patches:
        fleet = two_hosts(patches)
        match Hosts(os.environ[STATE]):
            case Hosts.STANDING:
                with_cluster(fleet)
            case Hosts.FAILING:
                fleet.on("gpu2", sent("run"), Output(125, stderr="no such image"))
            case Hosts.SLOW:
                fleet.on("gpu2", sent("run"), until_it_is_ended)
        fleet.on("*", sent("find"), FOUND)
        fleet.streams("*", sent("follow-logs"), "2026-03-01T12:00:00.000000000Z said", until_it_is_ended)
        fleet.streams("*", sent("watch"), until_it_is_ended)
        try:
            main()
        finally:
            told += [f"{each.host}: {_name(each.command)}" for each in fleet.sent]
            Path("sent").write_text("".join(f"{line}\n" for line in told))


if __name__ == "__main__":
    _run()
