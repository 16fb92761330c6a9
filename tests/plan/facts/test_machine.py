"""What one look tells of the machine itself and of who listens there, really asked by `sh` with stubs."""

import json
from pathlib import Path

import pytest

from orchestrator.model.cluster import Accelerator, Docker
from orchestrator.plan import docker
from orchestrator.plan.facts.host import Address, Depth, Folder, HostFacts, Listener
from orchestrator.plan.facts.host import Machine as Told
from orchestrator.plan.facts.parse import parse_host_facts
from tests.plan.machines import Machine
from tests.plan.recordings import ORDERLY, Said, answer
from tests.plan.worlds import cluster, node

DF = """#!/bin/sh
echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'
echo "/dev/sda1 959786032 417934112 493022904 46% $2"
"""
SS = """\
LISTEN 0 4096 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=612,fd=14))
LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
LISTEN 0 511 [::]:80 [::]:* users:(("nginx",pid=9,fd=7),("nginx",pid=10,fd=7))
LISTEN 0 128 *:6379 *:* users:(("gcs_server",pid=77,fd=3))
LISTEN 0 128 [::ffff:10.0.0.1]:8000 *:* users:(("my server",pid=5,fd=3))
LISTEN 0 128 [fd00::1]:9000 [::]:*
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.program("docker", "#!/bin/sh\necho '[]'\n")
    machine.program("ip", "#!/bin/sh\necho '[]'\n")
    machine.program("hostname", "#!/bin/sh\necho node7\n")
    machine.program(
        "getent", '#!/bin/sh\n[ "$*" = "ahosts node7" ] && printf "127.0.1.1 STREAM node7\\n::1 x\\n"\n'
    )
    machine.program("df", DF)
    machine.program("ss", f"#!/bin/sh\n[ \"$1\" = -Hltnp ] && cat <<'END'\n{SS}END\n")
    (tmp_path / "home").mkdir()
    return machine


def look(machine: Machine, hf_home: str = "~/hf") -> HostFacts:
    of = cluster(workers=0, head=node(1, hf_home=hf_home))
    ran = machine.run(docker.observe(of, of.head, "", Depth.MACHINE))
    found = parse_host_facts(ran.stdout, ran.stderr)
    assert isinstance(found, HostFacts), found
    return found


def told(machine: Machine, hf_home: str = "~/hf") -> Told:
    found = look(machine, hf_home).machine
    assert found
    return found


def test_a_machine_tells_its_name_where_that_leads_and_its_memory(machine: Machine) -> None:
    found = told(machine)
    assert (found.hostname, found.resolves_to) == ("node7", "127.0.1.1")
    meminfo = Path("/proc/meminfo").read_text().split()
    assert found.lacks == ()
    assert found.memory == int(meminfo[meminfo.index("MemTotal:") + 1]) * 1024


def test_a_machine_without_bash_says_so(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tmp_path / "others"
    others.mkdir()
    for program in (each for folder in ("/usr/bin", "/bin") for each in Path(folder).iterdir()):
        if program.name != "bash" and not (others / program.name).is_symlink():
            (others / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(others))
    assert told(machine).lacks == ("bash",)


def test_a_name_that_leads_nowhere(machine: Machine) -> None:
    machine.program("getent", "#!/bin/sh\nexit 2\n")
    assert told(machine).resolves_to == ""


def test_a_folder_for_models_that_is_there(machine: Machine) -> None:
    (machine.folder / "home/hf").mkdir()
    assert told(machine).hf_home == Folder(
        str(machine.folder / "home/hf"), exists=True, free=493022904 * 1024
    )


def test_of_a_folder_that_is_not_there_the_room_is_that_of_the_one_above(machine: Machine) -> None:
    machine.program("df", DF + 'printf \'%s\' "$2" >"$ANSWERS"\n')
    found = told(machine, "~/a/b").hf_home
    assert found == Folder(str(machine.folder / "home/a/b"), exists=False, free=493022904 * 1024)
    assert (machine.folder / "answers").read_text() == str(machine.folder / "home")


@pytest.mark.parametrize("value", ["$(touch hacked)", "`touch hacked`", "*", "two words", "--help", "~root"])
def test_whatever_the_inventory_says_is_a_path_and_no_code(machine: Machine, value: str) -> None:
    path = told(machine, f"/nowhere/{value}").hf_home.path
    assert path == f"/nowhere/{value}"
    assert not (machine.folder / "hacked").exists()


def test_room_that_cannot_be_told_is_not_guessed(machine: Machine) -> None:
    machine.program("df", "#!/bin/sh\nexit 1\n")
    assert told(machine).hf_home.free is None


def test_the_devices_that_a_container_is_to_have_and_that_are_not_there(machine: Machine) -> None:
    args = ("--device", "/dev/null:/dev/x:rw", "--device=/dev/nothere:rw", "--device", "nvidia.com/gpu=all")
    of = cluster(workers=0, head=node(1, accelerator=Accelerator.INTEL, docker=Docker(args=args)))
    ran = machine.run(docker.observe(of, of.head, "", Depth.MACHINE))
    found = parse_host_facts(ran.stdout, ran.stderr)
    assert isinstance(found, HostFacts)
    assert found.machine
    dri = () if Path("/dev/dri").exists() else ("/dev/dri",)
    assert found.machine.missing == (*dri, "/dev/nothere")


def test_who_listens_where_as_far_as_we_may_know(machine: Machine) -> None:
    assert look(machine).listeners == (
        Listener("127.0.0.53", 53, "systemd-resolve (pid 612)"),
        Listener("*", 22, ""),
        Listener("*", 80, "nginx (pid 9)"),
        Listener("*", 6379, "gcs_server (pid 77)"),
        Listener("10.0.0.1", 8000, "my server (pid 5)"),
        Listener("fd00::1", 9000, ""),
    )


def test_nobody_listening_is_not_the_same_as_not_knowing(machine: Machine) -> None:
    machine.program("ss", "#!/bin/sh\n")
    assert look(machine).listeners == ()
    machine.program("ss", "#!/bin/sh\nexit 127\n")
    assert look(machine).listeners is None


def test_an_address_has_its_mtu_and_its_card(machine: Machine) -> None:
    eth0 = {"ifname": "eth0", "mtu": 9000, "address": "02:00:00:00:00:07"}
    found = json.dumps([{**eth0, "addr_info": [{"local": "10.0.0.1", "scope": "global"}]}])
    machine.program("ip", f"#!/bin/sh\necho '{found}'\n")
    assert look(machine).addresses == (Address("eth0", "10.0.0.1", 9000, "02:00:00:00:00:07"),)


def test_the_recorded_answer_is_read_alike() -> None:
    found = parse_host_facts(*answer(**ORDERLY))
    assert isinstance(found, HostFacts)
    assert found.machine == Told(
        "gpu1",
        "10.0.0.1",
        527942656 * 1024,
        Folder("/data/hf", exists=True, free=493022904 * 1024),
    )
    assert found.listeners == (Listener("*", 22, "sshd (pid 812)"),)


def test_a_machine_that_tells_half_is_an_answer_that_cannot_be_read() -> None:
    found = parse_host_facts(*answer(machine=Said("hostname gpu1\n")))
    assert not isinstance(found, HostFacts)


def test_without_a_container_of_ours_a_host_tells_when_it_was_booted_and_when_docker_was_started(
    machine: Machine,
) -> None:
    """By its first process and by the daemon's record, as far as there are any."""
    machine.program("docker", "#!/bin/sh\n[ \"$1\" != top ] && echo '[]'\n")
    found = look(machine)
    ticks = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    assert found.booted == pytest.approx(found.now - up + ticks / 100, abs=2)
    record = Path("/run/docker.pid")
    assert found.engine_started == (pytest.approx(record.stat().st_mtime if record.exists() else 0))
