"""The script for the second look at a host, really run by `sh` with stubs of what it asks."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import Docker
from orchestrator.plan import docker
from orchestrator.plan.facts.docker_engine import Engine
from orchestrator.plan.facts.inspection import (
    OTHERS,
    Hardware,
    Inspection,
    Neighbour,
    Restarter,
    parse_inspection,
)
from tests.plan.machines import NOTE, Machine
from tests.plan.worlds import cluster, node

DOCKER = f"""{NOTE}
case $* in
    "info --format {{{{json .}}}}") exec cat "$ANSWERS/info" ;;
    "info --format {{{{.DockerRootDir}}}}") echo /data/docker ;;
    --version) cat "$ANSWERS/version" 2>/dev/null ;;
    ps*) exec cat "$ANSWERS/ps" ;;
    manifest*) cat "$ANSWERS/refusal" >&2; [ ! -s "$ANSWERS/refusal" ] ;;
esac
"""
DF = """#!/bin/sh
[ "$*" = "-Pk /data/docker" ] || exit
echo 'Filesystem      1024-blocks      Used Available Capacity Mounted on'
echo '/dev/nvme0n1p2    959786032 417934112 493022904      46% /data'
"""
FIND = """#!/bin/sh
case $* in
    */kfd/*) printf '0\\n4098\\n29772\\n' ;;
    */dev/dri*renderD*) seq 4 ;;
    */dev*davinci*) seq 8 ;;
    */habanalabs*) seq 3 ;;
    "/dev "*accel*) seq 1 ;;
    /dev/vfio*) seq 4 ;;
esac
"""
SED = """#!/bin/sh
for last; do :; done
[ "$last" = /proc/driver/nvidia/version ] || exec /bin/sed "$@"
exec /bin/sed -n "$2" "$ANSWERS/driver"
"""
INFO = (
    '{"ServerVersion": "27.3.1", "Architecture": "x86_64", "DockerRootDir": "/data/docker", "Driver": "x"}\n'
)
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC version: 12\n"
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 2024\nGCC version: 12\n"
PCI = Path("/sys/bus/pci/devices")
ALONE = cluster(workers=0)
TOOLKIT = ("nvidia-container-runtime-hook", "nvidia-container-runtime", "nvidia-container-cli", "nvidia-ctk")


def inspected(machine: Machine, *, ask_registry: bool = False, command: str = "docker") -> Inspection:
    head = node(1, docker=Docker(command=tuple(command.split())))
    ran = machine.run(docker.inspect(ALONE, head, ask_registry=ask_registry))
    found = parse_inspection(ran.stdout)
    assert found, ran
    return found


def hardware(machine: Machine) -> Hardware:
    return inspected(machine).hardware


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A host with Docker, without any accelerator, where `sudo` asks for a password."""
    machine = Machine(tmp_path)
    machine.program("docker", DOCKER)
    machine.program("df", DF)
    machine.program("sudo", "#!/bin/sh\nexit 1\n")
    machine.program("nvidia-smi", "#!/bin/sh\nexit 9\n")
    machine.program("find", "#!/bin/sh\nexit 1\n")
    machine.program("ls", "#!/bin/sh\nexit 1\n")
    machine.program("cat", '#!/bin/sh\ncase $1 in /sys/*) echo 0x1af4 ;; *) exec /bin/cat "$@" ;; esac\n')
    machine.program("sed", SED)
    machine.answers("info", INFO)
    machine.answers("ps", "")
    machine.answers("refusal", "")
    machine.answers("driver", "")
    return machine


def test_a_host_with_nothing_but_docker(machine: Machine) -> None:
    assert inspected(machine) == Inspection(
        Engine("27.3.1", "x86_64", "/data/docker", 493022904 * 1024),
        Hardware(
            0,
            "",
            0,
            hardware(machine).nvidia_toolkit,
            others=tuple((each, 0) for each in OTHERS),
            infiniband=(),
        ),
        neighbours=(),
        pullable=None,
        sudo_docker=False,
        boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        network=str(Path("/proc/self/ns/net").readlink()),
    )


def test_nothing_that_docker_is_asked_changes_anything(machine: Machine) -> None:
    inspected(machine, ask_registry=True)
    assert [call[0] for call in machine.calls] == ["info", "info", "--version", "ps", "manifest"]


def test_docker_that_fails_describes_no_engine_and_names_no_containers(machine: Machine) -> None:
    machine.program("docker", "#!/bin/sh\n[ $1 = info ] && echo '{}'\nexit 1\n")
    found = inspected(machine)
    assert (found.engine, found.neighbours) == (None, ())


def test_room_that_cannot_be_told_is_not_guessed(machine: Machine) -> None:
    machine.program("df", "#!/bin/sh\nexit 1\n")
    engine = inspected(machine).engine
    assert engine
    assert engine.free is None


@pytest.mark.parametrize(
    ("refusal", "told"),
    [("", ""), ("no such manifest: x\n", "no such manifest: x"), ("warning: a\ndenied: b\n", "denied: b")],
)
def test_the_registry_is_asked_for_the_image_and_its_refusal_told(
    machine: Machine, refusal: str, told: str
) -> None:
    machine.answers("refusal", refusal)
    assert inspected(machine, ask_registry=True).pullable == told
    assert machine.calls[-1] == ["manifest", "inspect", "vllm/vllm-openai:v0.17.1"]


def test_a_registry_that_was_not_asked_has_not_said_yes(machine: Machine) -> None:
    assert inspected(machine).pullable is None
    assert not [call for call in machine.calls if call[0] == "manifest"]


def test_a_refusal_without_words_is_one_all_the_same(machine: Machine) -> None:
    machine.program("docker", DOCKER + "[ $1 != manifest ]")
    assert inspected(machine, ask_registry=True).pullable == "exit code 1"


def test_every_container_there_is_told_with_what_it_runs(machine: Machine) -> None:
    machine.answers(
        "ps",
        "raycluster-big-a\tbig\trunning\t\"/bin/bash -c 'exec ray start'\"\n"
        "node-7\t\texited\t\"/bin/bash -c 'ray\tstart'\"\n",
    )
    assert inspected(machine).neighbours == (
        Neighbour("raycluster-big-a", "big", running=True, command="\"/bin/bash -c 'exec ray start'\""),
        Neighbour("node-7", "", running=False, command="\"/bin/bash -c 'ray\tstart'\""),
    )


@pytest.mark.parametrize("answers", [True, False])
def test_whether_docker_answers_to_sudo_without_a_password(machine: Machine, answers: bool) -> None:
    machine.program("sudo", f'#!/bin/sh\n[ "$1 $2" = "-n docker" ] && exit {0 if answers else 1}\n')
    machine.program("docker", "#!/bin/sh\nexit 1\n")
    assert inspected(machine).sudo_docker is answers


def test_where_docker_answers_nobody_is_asked_for_sudo(machine: Machine) -> None:
    machine.program("sudo", "#!/bin/sh\nexit 0\n")
    assert not inspected(machine).sudo_docker


def test_a_docker_command_of_several_words_is_called_so(machine: Machine) -> None:
    assert inspected(machine, command="env A=1 docker").engine


@pytest.mark.parametrize(("version", "driver"), [(OPEN, "570.86.15"), (CLOSED, "535.183.01"), ("", "")])
def test_the_driver_of_either_kernel_module(machine: Machine, version: str, driver: str) -> None:
    machine.answers("driver", version)
    assert hardware(machine).nvidia_driver == driver


def test_the_gpus_that_nvidia_smi_lists_are_counted(machine: Machine) -> None:
    listed = (
        "GPU 0: NVIDIA H100 (UUID: GPU-1)\\n  MIG 1g.10gb Device 0: (UUID: MIG-2)\\nGPU 1: NVIDIA H100\\n"
    )
    machine.program("nvidia-smi", f"#!/bin/sh\n[ $1 = -L ] && printf '{listed}'\n")
    assert (hardware(machine).nvidia_usable, hardware(machine).nvidia_trouble) == (2, "")


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_what_nvidia_smi_says_in_place_of_gpus(machine: Machine, stream: str) -> None:
    said = "Failed to initialize NVML: Driver/library version mismatch"
    machine.program(
        "nvidia-smi", f"#!/bin/sh\nprintf '{said}\\nNVML library version: 550.54\\n'{stream}\nexit 18\n"
    )
    assert (hardware(machine).nvidia_usable, hardware(machine).nvidia_trouble) == (0, said)


@pytest.mark.parametrize("name", TOOLKIT)
def test_any_part_of_the_toolkit_is_the_toolkit(machine: Machine, name: str) -> None:
    machine.program(name, "#!/bin/sh\n")
    assert hardware(machine).nvidia_toolkit


@pytest.mark.parametrize(
    ("vendor", "kind", "is_card"),
    [
        ("0x10de", "0x030200", True),
        ("0x10de", "0x030000", True),
        ("0x10de", "0x040300", False),  # the sound of a card
        ("0x1002", "0x030000", False),
    ],
)
def test_nvidia_cards_are_found_on_the_bus_without_a_driver(
    machine: Machine, vendor: str, kind: str, is_card: bool
) -> None:
    cat = f'case $1 in */vendor) echo {vendor} ;; */class) echo {kind} ;; *) exec /bin/cat "$@" ;; esac'
    machine.program("cat", f"#!/bin/sh\n{cat}\n")
    slots = len(list(PCI.glob("*"))) or 1  # a shell leaves the pattern where nothing fits
    assert hardware(machine).nvidia_cards == (slots if is_card else 0)


def test_devices_of_the_other_kinds_are_counted(machine: Machine) -> None:
    machine.program("find", FIND)
    found = hardware(machine)
    assert {str(each): count for each, count in found.others} == {
        "amd": 2,
        "gaudi": 3,
        "ascend": 8,
        "intel": 4,
        "tpu": 5,
    }


def test_rdma_cards_are_named(machine: Machine) -> None:
    machine.program("ls", '#!/bin/sh\n[ "$*" = /sys/class/infiniband ] && printf "mlx5_0\\nmlx5_1\\n"\n')
    assert hardware(machine).infiniband == ("mlx5_0", "mlx5_1")


@pytest.mark.parametrize(
    "value", ["$(touch hacked)", "`touch hacked`", "'; touch hacked; '", "*", "a b", "--x"]
)
def test_whatever_the_inventory_says_arrives_as_data(machine: Machine, value: str) -> None:
    machine.run(docker.inspect(replace(ALONE, image=value), ALONE.head, ask_registry=True))
    assert machine.calls[-1] == ["manifest", "inspect", value]
    assert not (machine.folder / "hacked").exists()


@pytest.mark.parametrize(
    "stdout", ["", "sh: not found", "\036engine\n{}\0370\n", "\036engine\nnonsense\0370\n"]
)
def test_half_an_answer_is_none(stdout: str) -> None:
    assert parse_inspection(stdout) is None


def test_what_a_host_says_to_whoever_logs_in_is_left_out(machine: Machine) -> None:
    ran = machine.run(docker.inspect(ALONE, ALONE.head, ask_registry=False))
    assert parse_inspection(f"Welcome!\n{ran.stdout}") == inspected(machine)


SYSTEMCTL = """#!/bin/sh
case $* in
    "is-enabled podman-restart.service") echo disabled; exit 1 ;;
    "cat podman-restart.service") echo 'ExecStart=/usr/bin/podman $LOGGING start --all --filter $F' ;;
    *) exit 1 ;;
esac
"""


@pytest.mark.parametrize("starts", ["restart-policy=always", "should-start-on-boot=true"])
def test_podmans_restarter_is_told_as_systemd_has_it(machine: Machine, starts: str) -> None:
    machine.program("podman", DOCKER)
    machine.program("id", "#!/bin/sh\necho 0\n")
    machine.program("systemctl", SYSTEMCTL.replace("$F", starts))
    machine.program("sed", '#!/bin/sh\nexec /bin/sed "$@"\n')
    assert inspected(machine, command="podman").restarter == Restarter("disabled", starts)
    assert inspected(machine).restarter is None
    machine.answers("version", "podman version 5.4.2\n")  # as podman-docker's `docker` says
    assert inspected(machine).restarter == Restarter("disabled", starts)


def test_an_answer_of_servers_that_docker_did_not_reach_is_no_engine(machine: Machine) -> None:
    """A client before 28 ends with 0 then."""
    machine.answers("info", '{"ID":"","ServerErrors":["permission denied"],"ClientInfo":{}}\n')
    machine.program("sudo", "#!/bin/sh\nexit 0\n")
    found = inspected(machine)
    assert (found.engine, found.sudo_docker) == (None, True)
