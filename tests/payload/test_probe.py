"""The program that runs in a trial, really run, on loopback addresses alone."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.payload import TRIAL_HF_HOME, program
from orchestrator.plan.facts import probe
from orchestrator.plan.facts.probe import Trial
from tests.plan.machines import Machine

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A container whose image has Ray, and on whose PATH nothing else is."""
    machine = Machine(tmp_path)
    machine.program("ray", "#!/bin/sh\n")
    machine.file("site/ray-2.56.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: ray\nVersion: 2.56.0\n")
    return machine


@pytest.fixture
def start(machine: Machine) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*before, sys.executable, "-c", program("probe"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": str(machine.folder / "bin"), "PYTHONPATH": str(machine.folder / "site")},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        with process:
            process.wait()


@pytest.fixture
def port() -> int:
    """One that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        return number


def first(process: "subprocess.Popen[str]") -> Trial:
    """What it tells as soon as it listens."""
    assert process.stdout
    found = probe.parse_trial(process.stdout.readline())
    assert isinstance(found, Trial), found
    return found


def look(start: Start, accelerator: str = "none") -> Trial:
    return first(start("look", accelerator, "127.0.0.1", TRIAL_HF_HOME))


def reached(start: Start, *addresses: str) -> dict[str, tuple[str, bool]]:
    stdout, _ = start("reach", *addresses).communicate()
    told = map(json.loads, stdout.splitlines())
    return {each["address"]: (each["outcome"], each["alive"]) for each in told}


def test_what_is_in_the_container(start: Start) -> None:
    found = look(start)
    assert (found.python, found.ray, found.has_command) == (sys.version.split()[0], "2.56.0", True)
    assert (found.gpus, found.gpu_trouble) == ((), "")
    space = os.statvfs("/dev/shm")
    assert found.shm == space.f_blocks * space.f_frsize
    assert found.listens == ()


def test_an_image_without_ray_has_neither_the_package_nor_the_command(machine: Machine, start: Start) -> None:
    (machine.folder / "bin/ray").unlink()
    (machine.folder / "site/ray-2.56.0.dist-info/METADATA").unlink()
    (machine.folder / "site/ray-2.56.0.dist-info").rmdir()
    found = look(start)
    assert (found.ray, found.has_command) == (None, False)


def test_limits_are_those_of_the_container(start: Start) -> None:
    few = ("/bin/sh", "-c", 'ulimit -S -n 256; ulimit -H -n 512; ulimit -S -l 64; exec "$@"', "sh")
    found = first(start("look", "none", "127.0.0.1", TRIAL_HF_HOME, before=few))
    assert (found.nofile, found.most_files, found.memlock) == (256, 512, 64 * 1024)
    assert found.tasks == -1 or found.tasks > 0


@pytest.mark.parametrize(
    ("stub", "gpus", "trouble"),
    [
        (
            "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'; echo 'GPU 1: NVIDIA H100 (UUID: GPU-2)'",
            ("NVIDIA H100", "NVIDIA H100"),
            "",
        ),
        (
            "echo 'GPU 0: NVIDIA A100 (UUID: GPU-1)'\n"
            "echo '  MIG 3g.20gb     Device  0: (UUID: MIG-1)'\n"
            "echo '  MIG 3g.20gb     Device  1: (UUID: MIG-2)'\n"
            "echo 'GPU 1: NVIDIA A100 (UUID: GPU-2)'",
            ("MIG 3g.20gb", "MIG 3g.20gb", "NVIDIA A100"),
            "",
        ),
        ("exit 0", (), ""),
        ("echo 'No devices'; echo found >&2; exit 6", (), "No devices\nfound"),
        (None, (), "there is no nvidia-smi in it, which the NVIDIA container toolkit brings"),
    ],
)
def test_nvidias_gpus_are_those_that_nvidia_smi_lists(
    machine: Machine, start: Start, stub: str | None, gpus: tuple[str, ...], trouble: str
) -> None:
    if stub:
        machine.program("nvidia-smi", f'#!/bin/sh\n[ "$1" = -L ] || exit 9\n{stub}\n')
    found = look(start, "nvidia")
    assert (found.gpus, found.gpu_trouble) == (gpus, trouble)


def test_it_answers_on_its_ports_until_standard_input_ends(start: Start, port: int) -> None:
    process = start("look", "none", "127.0.0.1", TRIAL_HF_HOME, str(port))
    assert first(process).listens == (port,)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            assert connection.recv(1) == b""
    assert process.poll() is None
    assert process.stdin
    process.stdin.close()
    assert process.wait() == 0


def test_lines_on_standard_input_keep_it_alive(start: Start, port: int) -> None:
    process = start("look", "none", "127.0.0.1", TRIAL_HF_HOME, str(port))
    first(process)
    assert process.stdin
    process.stdin.write("\n\n")
    process.stdin.flush()
    assert reached(start, f"127.0.0.1:{port}") == {f"127.0.0.1:{port}": ("open", True)}


def test_a_port_that_another_program_holds_is_left_to_it(start: Start, port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        held = other.getsockname()[1]
        assert first(start("look", "none", "127.0.0.1", TRIAL_HF_HOME, str(held), str(port))).listens == (
            port,
        )


def test_it_listens_at_its_own_address_alone(start: Start, port: int) -> None:
    first(start("look", "none", "127.0.0.2", TRIAL_HF_HOME, str(port)))
    assert reached(start, f"127.0.0.2:{port}", f"127.0.0.1:{port}") == {
        f"127.0.0.2:{port}": ("open", True),
        f"127.0.0.1:{port}": ("refused", True),
    }


def test_each_address_is_told_in_the_order_asked(start: Start, port: int) -> None:
    with socket.create_server(("127.0.0.3", port)):
        asked = [f"127.0.0.{number}:{port}" for number in range(1, 9)]
        told = reached(start, *asked)
    assert list(told) == asked
    assert [address for address in asked if told[address] == ("open", True)] == [f"127.0.0.3:{port}"]
