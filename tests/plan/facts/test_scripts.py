"""The script that looks at a host, really run by `sh` with a Docker that only tells what it was given."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import Cluster, Docker
from orchestrator.model.secret import Secret
from orchestrator.plan import docker
from orchestrator.plan.facts.host import Address, Depth, HostFacts, Neighbour, RayTable, RayTrouble
from orchestrator.plan.facts.parse import parse_host_facts, parse_ray
from orchestrator.plan.host_commands import TOKEN
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import docker_problem
from tests.plan.machines import NOTE, Machine
from tests.plan.recordings import addresses, inspected, ray_line, ray_row
from tests.plan.worlds import cluster, node

CONFIG = {"Env": ["PATH=/bin"], "Entrypoint": ["/setup.sh", "two words"]}
IMAGE = json.dumps({"Id": "sha256:one", "RootFS": {"Layers": ["sha256:a"]}, "Config": CONFIG})
STUB = f"""\
{NOTE}
for word; do
    case $word in
        ps | top | image | exec) exec cat "$ANSWERS/$word" ;;
        inspect) exec cat "$ANSWERS/container" ;;
    esac
done
"""
ROW = "id-of-raycluster-demo-gpu1\tdemo\traycluster-demo-gpu1\tUp 2 hours\t\"bash -c 'exec ray start'\"\n"
OTHERS = """\
id-of-y\ty\traycluster-y-gpu1\tUp 3 weeks\t"bash -c 'exec ray\tstart --port=6379'"
id-of-demo2\tdemo2\traycluster-demo2-gpu1\tExited (0) 3 days ago\t"bash"
"""
IP = """\
#!/bin/sh
[ "$*" = "-json address" ] && exec cat "$ANSWERS/addresses"
"""


def look(machine: Machine, of: Cluster, gcs: str = "10.0.0.1:6379", depth: Depth = Depth.RAY) -> HostFacts:
    ran = machine.run(docker.observe(of, of.head, gcs, depth))
    found = parse_host_facts(ran.stdout, ran.stderr)
    assert isinstance(found, HostFacts), found
    return found


@pytest.fixture(params=["dash", "bash"])
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Machine:
    """One on which the cluster stands. What it calls `sh` depends on the distribution."""
    machine = Machine(tmp_path)
    machine.file("bin/sh", "").unlink()
    (tmp_path / "bin/sh").symlink_to(
        shutil.which(request.param) or pytest.skip(f"there is no {request.param} here")
    )
    machine.program("docker", STUB)
    machine.program("ip", IP)
    machine.answers("addresses", addresses(("eth0", "10.0.0.1")).text)
    machine.answers("ps", f"{ROW}{OTHERS}")
    machine.answers("container", json.dumps([inspected()]))
    machine.answers("image", f"{IMAGE}\n")
    machine.answers("top", "PID COMMAND\n1 ray\n2 raylet\n")
    machine.answers("exec", ray_line(ray_row()))
    machine.file("home/.raycluster/demo/gpu1.token", "c0ffee\n")
    return machine


def test_what_the_script_prints_the_parser_reads(machine: Machine) -> None:
    found = look(machine, cluster())
    assert found.home == str(machine.folder / "home")
    assert found.addresses == (Address("eth0", "10.0.0.1", prefix=24),)
    assert isinstance(found.docker, tuple)
    assert [each.name for each in found.docker] == ["raycluster-demo-gpu1"]
    assert (found.image_id, found.token) == ("sha256:one", Secret("ray-token", "c0ffee"))
    assert (found.image_env, found.image_entrypoint) == ((("PATH", "/bin"),), ("/setup.sh", "two words"))
    assert {"ray", "raylet"} <= found.processes
    assert isinstance(found.ray, RayTable)


def test_the_hosts_clock_is_the_present(machine: Machine) -> None:
    written = (machine.folder / "answers" / "ps").stat().st_mtime
    assert written - 1 <= look(machine, cluster()).now < written + 60


def test_docker_is_asked_for_the_clusters_containers_and_for_the_name(machine: Machine) -> None:
    look(machine, cluster(), gcs="")
    assert machine.calls[0][:5] == ["ps", "--all", "--no-trunc", "--filter", "label=raycluster.cluster"]
    assert machine.calls[1] == [
        *("container", "inspect", "raycluster-demo-gpu1", "id-of-raycluster-demo-gpu1")
    ]


def test_containers_of_other_clusters_are_known_without_a_further_question(machine: Machine) -> None:
    found = look(machine, cluster(), "", Depth.CONTAINERS)
    assert found.neighbours == (
        Neighbour(
            "raycluster-y-gpu1", "y", running=True, command="\"bash -c 'exec ray\tstart --port=6379'\""
        ),
        Neighbour("raycluster-demo2-gpu1", "demo2", running=False, command='"bash"'),
    )
    assert [call[0] for call in machine.calls] == ["ps", "container", "exec"]


def test_where_the_cluster_has_no_container_those_of_others_are_told(machine: Machine) -> None:
    machine.answers("ps", OTHERS)
    machine.answers("container", "[]\n")
    found = look(machine, cluster(), "", Depth.CONTAINERS)
    assert [each.cluster for each in found.neighbours] == ["y", "demo2"]
    assert found.containers == ()
    assert machine.calls[1] == ["container", "inspect", "raycluster-demo-gpu1"]


def test_nothing_that_docker_is_asked_changes_anything(machine: Machine) -> None:
    look(machine, cluster())
    assert {" ".join(call[:2]) for call in machine.calls} == {
        "ps --all",
        "container inspect",
        "image inspect",
        "top raycluster-demo-gpu1",
        "exec raycluster-demo-gpu1",
    }


def test_a_look_at_the_containers_alone_asks_for_what_is_served_and_nothing_else(machine: Machine) -> None:
    found = look(machine, cluster(), "", Depth.CONTAINERS)
    assert [call[0] for call in machine.calls] == ["ps", "container", "exec"]
    assert [each.name for each in found.containers] == ["raycluster-demo-gpu1"]
    assert found.token == Secret("ray-token", "c0ffee")
    assert (found.image_id, found.processes, found.ray, found.served) == ("", frozenset(), None, ())


def test_before_the_first_container_of_ours_docker_tells_of_itself_and_never_again(machine: Machine) -> None:
    with_info = STUB.replace("ps | top", "ps | info | top")
    machine.program("docker", with_info)
    assert look(machine, cluster(), "", Depth.MACHINE).engine is None
    assert "info" not in {call[0] for call in machine.calls}
    machine.program("docker", with_info.replace("top", "none").replace("done", "done; exit 1"))
    machine.answers("info", '{"ServerVersion": "27.3.1", "Name": "gpu3"}\n')
    found = look(machine, cluster(), "", Depth.MACHINE)
    assert found.engine
    assert found.engine.hostname == "gpu3"
    assert found.machine
    assert found.machine.kernel == os.uname().release
    assert look(machine, cluster(), "").engine is None


def test_ray_is_asked_only_where_there_is_a_gcs_to_ask(machine: Machine) -> None:
    assert look(machine, cluster(), gcs="").ray is None
    assert not [call for call in machine.calls if call[0] == "exec" and "supervisor" not in call[-3]]


def test_ray_asked_by_itself_tells_the_same_and_nothing_where_nobody_answers(machine: Machine) -> None:
    demo = cluster()
    ask = docker.ask_ray(demo, "10.0.0.1:6379")
    assert parse_ray(f"Welcome!\n{machine.run(ask).stdout}") == look(machine, demo).ray
    assert machine.calls[0][:4] == ["exec", "raycluster-demo-gpu1", "/bin/sh", "-c"]
    machine.program("docker", "#!/bin/sh\necho 'No such container' >&2; exit 1\n")
    ran = machine.run(ask)
    assert ran.returncode == 0
    assert parse_ray(ran.stdout) == RayTrouble("No such container (exit code 1)", gone=False)
    assert isinstance(parse_ray(""), RayTrouble)


@pytest.mark.parametrize(
    ("stub", "exit_code", "words"),
    [
        (
            "echo 'Cannot connect to the Docker daemon' >&2; exit 1",
            1,
            "Cannot connect to the Docker daemon",
        ),
        ("echo 'permission denied' >&2; exit 1", 1, "permission denied"),
    ],
)
def test_docker_that_fails_is_told_with_its_code_and_words(
    machine: Machine, stub: str, exit_code: int, words: str
) -> None:
    machine.program("docker", f"#!/bin/sh\n{stub}\n")
    found = look(machine, cluster())
    assert found.docker == docker_problem(exit_code, words)
    assert (found.image_id, found.processes) == ("", frozenset())


def test_docker_that_fails_once_is_asked_no_more(machine: Machine) -> None:
    """One that hangs would hang for each question anew."""
    machine.program("docker", STUB.replace("ps | top", "ps) exit 124 ;;\n        top"))
    assert look(machine, cluster()).docker == docker_problem(124, "Docker does not answer")
    assert sorted(call[0] for call in machine.calls) == ["exec", "ps"]  # Ray was asked at the same time


def test_a_docker_command_that_is_not_there_is_told(machine: Machine) -> None:
    of = cluster(head=node(1, docker=Docker(command=("no-such-docker",))))
    found = look(machine, of).docker
    assert isinstance(found, Problem)
    assert found.exit_code == 127
    assert "no-such-docker" in found.text


def test_a_docker_command_of_several_words_is_called_so(machine: Machine) -> None:
    of = cluster(head=node(1, docker=Docker(command=("env", "A=1", "docker"))))
    assert look(machine, of).image_id == "sha256:one"


def test_without_a_token_file_there_is_no_token(machine: Machine) -> None:
    (machine.folder / "home/.raycluster/demo/gpu1.token").unlink()
    assert look(machine, cluster()).token is None


HOSTILE = [
    "$(touch hacked)",
    "`touch hacked`",
    "'; touch hacked; '",
    '"; touch hacked; "',
    "two words",
    "*",
    "--privileged",
    "-v",
    "a\nb",
    "a\\",
    "größe",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_the_inventory_says_arrives_as_data(machine: Machine, value: str) -> None:
    of = replace(cluster(), name=value, image=value)
    look(machine, of, gcs=value)
    calls = {call[0]: call for call in machine.calls}
    assert calls["container"][2] == of.container(of.head)
    assert calls["image"][-1] == value
    assert value in {call[-1] for call in machine.calls if call[0] == "exec"}
    assert not (machine.folder / "hacked").exists()


def test_ray_is_asked_while_the_rest_is_looked_at(machine: Machine) -> None:
    os.mkfifo(machine.folder / "answers/meeting")
    meet = {"exec -c": 'read -r _ <"$ANSWERS/meeting"', "image ": 'echo >"$ANSWERS/meeting"'}
    first = "".join(f'case "$1 $7" in {words!r}) {meets} ;; esac\n' for words, meets in meet.items())
    machine.program("docker", STUB.replace(NOTE, f"{NOTE}\n{first}"))
    found = look(machine, cluster())
    assert (found.image_id, type(found.ray)) == ("sha256:one", RayTable)


def test_ray_that_complains_spoils_no_other_answer(machine: Machine) -> None:
    machine.program(
        "docker", STUB.replace(NOTE, f'{NOTE}\n[ "$1" != exec ] || {{ echo "no python3" >&2; exit 127; }}\n')
    )
    found = look(machine, cluster())
    assert found.ray == RayTrouble("no python3 (exit code 127)", gone=False)
    assert found.unheard == "no python3"
    assert (found.image_id, found.token) == ("sha256:one", Secret(TOKEN, "c0ffee"))


def test_only_who_looks_closely_waits_for_folders(machine: Machine) -> None:
    machine.program("df", NOTE)
    machine.program("ss", NOTE)
    found = look(machine, cluster())
    assert (found.machine, found.listeners) == (None, ())
    assert {call[0] for call in machine.calls} <= {"ps", "container", "image", "top", "exec", "-Hltn"}
