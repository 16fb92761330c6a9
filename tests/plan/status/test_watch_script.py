"""The script that tells of a host while it is watched, really run, with a Docker and an nvidia-smi of a few lines."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import Accelerator
from orchestrator.plan import docker
from orchestrator.plan.status import watch_script
from tests.plan.worlds import cluster, node

DOCKER = """\
#!/bin/bash
echo "$@" >>"$FOLDER/asked"
case $1 in
    events)
        echo '{"Action":"start"}'
        exec cat "$FOLDER/happens" ;;
    exec)
        [ -e "$FOLDER/container" ] || { echo "No such container" >&2; exit 1; }
        shift 3
        PATH="$FOLDER/container:/bin" exec "$@" ;;
esac
"""
SMI = "#!/bin/sh\necho '{}, 97, 71834, 81559, 64, 612.41'\n"
TOLD = "gpu {}, 97, 71834, 81559, 64, 612.41"


@dataclass
class Machine:
    """A host: what is on its PATH, and a pipe through which Docker hears what happens."""

    folder: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def has(self, program: str, text: str) -> None:
        path = self.folder / program
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def watch(self, accelerator: Accelerator = Accelerator.NVIDIA) -> subprocess.Popen[str]:
        of = replace(node(2), accelerator=accelerator)
        process = subprocess.Popen(
            docker.watch(cluster(), of, 1772366460.9).argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "FOLDER": str(self.folder)},
            start_new_session=True,
        )
        self.running.append(process)
        return process

    @property
    def begun(self) -> list[int]:
        """The processes that hang, deaf and in groups of their own."""
        told = self.folder / "begun"
        return [int(pid) for pid in told.read_text().split()] if told.exists() else []

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    os.mkfifo(tmp_path / "happens")
    machine = Machine(tmp_path)
    machine.has("bin/docker", DOCKER)
    yield machine
    for pid in machine.begun:
        os.kill(pid, signal.SIGKILL)
    for process in machine.running:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:  # which closes its pipes
            process.wait()


def heard(process: subprocess.Popen[str], count: int) -> set[str]:
    """The next lines, in whatever order two programs wrote them."""
    assert process.stdout
    return {process.stdout.readline().rstrip("\n") for _ in range(count)}


def pulse(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


EVENT = '{"Action":"start"}'


def test_a_host_without_gpus_tells_events_and_a_sign_of_life_for_each_that_it_gets(machine: Machine) -> None:
    process = machine.watch(Accelerator.NONE)
    assert heard(process, 2) == {EVENT, "alive"}
    pulse(process)
    assert heard(process, 1) == {"alive"}
    (asked,) = machine.asked
    assert asked.startswith("events --since 1772366461 --until ")
    assert "--filter label=raycluster.cluster=demo --format {{json .}}" in asked


def test_the_gpus_of_the_container_are_told_by_one_process_in_it(machine: Machine) -> None:
    machine.has("container/nvidia-smi", SMI.format(0))
    machine.has("bin/nvidia-smi", SMI.format(7))
    process = machine.watch()
    assert heard(process, 3) == {EVENT, TOLD.format(0), "alive"}
    pulse(process)
    assert heard(process, 2) == {TOLD.format(0), "alive"}
    assert sum(asked.startswith("exec") for asked in machine.asked) == 1


def test_where_no_container_runs_the_hosts_gpus_are_told(machine: Machine) -> None:
    machine.has("bin/nvidia-smi", SMI.format(7))
    process = machine.watch()
    assert heard(process, 3) == {EVENT, TOLD.format(7), "alive"}
    pulse(process)
    assert heard(process, 2) == {TOLD.format(7), "alive"}


def test_a_container_that_has_no_nvidia_smi_is_not_given_the_hosts_gpus(machine: Machine) -> None:
    machine.has("container/other", "")
    machine.has("bin/nvidia-smi", SMI.format(7))
    process = machine.watch()
    assert heard(process, 2) == {EVENT, "alive"}


def test_a_failure_of_nvidia_smi_is_told(machine: Machine) -> None:
    machine.has("container/nvidia-smi", "#!/bin/sh\necho 'Failed to initialize NVML' >&2\nexit 9\n")
    assert heard(machine.watch(), 3) == {EVENT, "gpu Failed to initialize NVML", "alive"}


@pytest.mark.parametrize("where", ["container", "bin"])
def test_an_nvidia_smi_that_hangs_is_told_and_holds_up_nothing_and_none_is_begun_beside_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """As it does, deaf to every signal, with a GPU that has fallen off the bus."""
    hurried = watch_script.GPUS.replace("timeout 10 ", "timeout 0.1 ").replace("-t 12 ", "-t 0.5 ")
    monkeypatch.setattr(watch_script, "GPUS", hurried)
    hangs = f"#!/bin/bash\ntrap '' TERM\necho $$ >>{machine.folder}/begun\nwhile :; do /bin/sleep 1; done\n"
    machine.has(f"{where}/nvidia-smi", hangs)
    process = machine.watch()
    assert heard(process, 3) == {EVENT, "gpu nvidia-smi does not answer", "alive"}
    for _ in range(3):
        pulse(process)
        assert heard(process, 2) == {"gpu nvidia-smi does not answer", "alive"}
    assert len(machine.begun) == 1


@pytest.mark.parametrize("accelerator", [Accelerator.NONE, Accelerator.NVIDIA])
def test_it_ends_with_its_input_and_leaves_no_docker_behind(
    machine: Machine, accelerator: Accelerator
) -> None:
    machine.has("container/nvidia-smi", SMI.format(0))
    process = machine.watch(accelerator)
    heard(process, 2)
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.read()  # comes to its end when the last who could write to it is gone


def test_it_ends_when_docker_tells_no_events_any_more(machine: Machine) -> None:
    machine.has("bin/docker", "#!/bin/sh\nexit 1\n")
    process = machine.watch(Accelerator.NONE)
    while heard(process, 1) == {"alive"}:
        pulse(process)
    assert process.wait() == 1
