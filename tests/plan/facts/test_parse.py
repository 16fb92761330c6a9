"""What is read from a host's answer, from recorded ones."""

from typing import Any

import pytest

from orchestrator.model.secret import Secret
from orchestrator.plan.facts.host import (
    Address,
    Container,
    HostFacts,
    RayNode,
    RayTrouble,
    Unreachable,
)
from orchestrator.plan.facts.parse import parse_host_facts, seconds
from orchestrator.plan.remedies import docker_problem
from tests.plan.recordings import Said, addresses, answer, containers, inspected, ray_line, ray_row, standing
from tests.plan.recordings import state as told_state

NOON = 1772366400.0


def facts(**said: Said) -> HostFacts:
    found = parse_host_facts(*answer(**said))
    assert isinstance(found, HostFacts), found
    return found


def silent(**said: Said) -> Unreachable:
    found = parse_host_facts(*answer(**said))
    assert isinstance(found, Unreachable)
    return found


def container(**changes: Any) -> Container:
    found = facts(containers=containers(inspected(**changes))).docker
    assert isinstance(found, tuple)
    (only,) = found
    return only


def ray(said: Said) -> object:
    return facts(**standing(), ray=said).ray


def test_a_host_on_which_the_cluster_has_never_been() -> None:
    assert facts() == HostFacts(
        now=1772366460.987654321,
        home="/home/ana",
        addresses=(Address("eth0", "10.0.0.1", prefix=24),),
        infiniband=False,
        gpus=None,
        docker=(),
        image_id="",
        processes=frozenset(),
        token=None,
        ray=None,
        interfaces=("lo", "eth0"),
    )


def test_a_head_that_stands() -> None:
    head = facts(**standing(), ray=Said(ray_line(ray_row(), ray_row("10.0.0.2", alive=False, death="lost"))))
    assert (head.image_id, head.token) == ("sha256:one", Secret("ray-token", "c0ffee"))
    assert {"ray", "raylet"} <= head.processes
    assert head.ray is not None
    assert not isinstance(head.ray, RayTrouble)
    assert head.ray.version == "2.56.0"
    assert head.ray.nodes == (
        RayNode(
            "10.0.0.1",
            alive=True,
            is_head=True,
            accelerators=(("GPU", 8),),
            started=NOON + 5,
            hostname="gpu1",
            port=33169,
            metrics=44707,
        ),
        RayNode(
            "10.0.0.2",
            alive=False,
            is_head=False,
            accelerators=(("GPU", 8),),
            started=NOON + 5,
            hostname="gpu1",
            port=33169,
            metrics=44707,
            death="lost",
        ),
    )


def test_a_worker_is_not_asked_for_ray() -> None:
    assert facts(**standing("raycluster-demo-gpu2")).ray is None


def test_a_container_that_runs() -> None:
    assert container() == Container(
        id="id-of-raycluster-demo-gpu1",
        name="raycluster-demo-gpu1",
        cluster="demo",
        role="head",
        spec="0123456789ab",
        status="running",
        running=True,
        exit_code=0,
        oom_killed=False,
        error="",
        started=NOON + 0.123456,
        finished=0.0,
        restarts=0,
        image="vllm/vllm-openai:v0.17.1",
        image_id="sha256:one",
        command="-c exec ray start --block",
        env=frozenset({"VLLM_HOST_IP=10.0.0.1", "PATH=/usr/bin"}),
    )


def test_a_container_that_was_killed_for_its_memory() -> None:
    ended = told_state(
        Status="exited", Running=False, ExitCode=137, OOMKilled=True, FinishedAt="2026-03-01T12:00:30Z"
    )
    found = container(State=ended)
    assert (found.running, found.finished) == (False, NOON + 30)
    assert found.ended == "exited with code 137 (out of memory)"


def test_a_container_that_docker_is_restarting_does_not_run() -> None:
    found = container(State=told_state(Status="restarting", Restarting=True, ExitCode=1), RestartCount=7)
    assert (found.running, found.status, found.restarts) == (False, "restarting", 7)


def test_a_container_that_could_not_start_says_why() -> None:
    found = container(State=told_state(Status="created", Running=False, Error="no such device"))
    assert found.ended == "created but never started: no such device"


@pytest.mark.parametrize("labels", [None, {}, {"maintainer": "NVIDIA"}])
def test_a_container_of_that_name_that_somebody_else_made_belongs_to_no_cluster(labels: object) -> None:
    found = container(labels=labels)
    assert (found.name, found.cluster, found.spec) == ("raycluster-demo-gpu1", "", "")


def test_a_container_that_is_found_by_name_and_by_label_is_one() -> None:
    assert facts(containers=containers(inspected(), inspected())).docker == (container(),)


def test_where_docker_says_nothing_at_all_it_is_not_taken_for_nothing_there() -> None:
    assert facts(containers=Said("")).docker == docker_problem(1, "docker tells nothing of its containers")


@pytest.mark.parametrize(
    ("exit_code", "complaint"),
    [
        (
            1,
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        ),
        (127, "timeout: failed to run command 'docker': No such file or directory"),
        (1, "permission denied while trying to connect to the Docker daemon socket"),
    ],
)
def test_docker_that_does_not_answer_is_kept_apart_with_its_words(exit_code: int, complaint: str) -> None:
    found = facts(containers=Said("", complaint + "\n", exit_code))
    assert found.docker == docker_problem(exit_code, complaint)
    assert found.home == "/home/ana"


@pytest.mark.parametrize(
    ("exit_code", "said"), [(124, "Docker does not answer"), (2, "docker ps: exit code 2")]
)
def test_docker_that_says_nothing_is_told_by_its_exit_code(exit_code: int, said: str) -> None:
    assert facts(containers=Said("", "", exit_code)).docker == docker_problem(exit_code, said)


def test_a_complaint_belongs_to_the_probe_that_made_it() -> None:
    found = facts(containers=Said("", "docker is down", 1), token=Said("", "no token", 1))
    assert found.docker == docker_problem(1, "docker is down")


@pytest.mark.parametrize(
    ("before_out", "before_err"),
    [("Welcome to gpu1!\n\n* 3 updates *\n", ""), ("", "bash: fortune: command not found\n"), ("[]", "x")],
)
def test_a_hosts_greeting_is_no_part_of_its_answer(before_out: str, before_err: str) -> None:
    stdout, stderr = answer(**standing())
    assert parse_host_facts(before_out + stdout, before_err + stderr) == facts(**standing())


def test_only_global_addresses_count_and_each_has_its_interface() -> None:
    found = facts(addresses=addresses(("eth0", "192.0.2.7"), ("ib0", "10.0.0.1"), ("ib1", "fd00::1")))
    assert [(each.interface, each.ip) for each in found.addresses] == [
        ("eth0", "192.0.2.7"),
        ("ib0", "10.0.0.1"),
        ("ib1", "fd00::1"),
    ]


def test_infiniband_and_gpus_are_seen() -> None:
    found = facts(host=Said("1772366460.1\n/root\n/dev/infiniband\n8\n"))
    assert (found.infiniband, found.gpus) == (True, 8)


def test_a_host_without_ip_is_silent_with_the_remedy() -> None:
    assert silent(addresses=Said("", "sh: 4: ip: not found\n", 127)) == Unreachable(
        "cannot tell its addresses: sh: 4: ip: not found", "install iproute2 there"
    )


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (
            Said("", "Error response from daemon: container is not running\n", 1),
            RayTrouble("Error response from daemon: container is not running (exit code 1)", gone=False),
        ),
        (Said("", "", 124), RayTrouble("exit code 124", gone=False)),
        (
            Said('{"error": "nothing listens on 10.0.0.1:6379", "gone": true}'),
            RayTrouble("nothing listens on 10.0.0.1:6379", gone=True),
        ),
        (Said("Traceback"), RayTrouble("Traceback", gone=False)),
    ],
)
def test_ray_that_tells_no_table_is_trouble_with_its_words(said: Said, trouble: RayTrouble) -> None:
    assert ray(said) == trouble


@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [
        ("", ""),
        ("", "This account is currently not available.\n"),
        ("\036host\n1\n", ""),
        (answer()[0].rpartition("\036token")[0], ""),
        (answer(addresses=Said("not json"))[0], ""),
        (answer(containers=Said("[{}]"))[0], ""),
        (answer(host=Said("noon\n/root\nnone\n0\n"))[0], ""),
    ],
)
def test_half_an_answer_is_none(stdout: str, stderr: str) -> None:
    found = parse_host_facts(stdout, stderr)
    assert isinstance(found, Unreachable)
    assert found.text.startswith("gave an answer that could not be read")
    assert stderr.strip() in found.text


def test_an_answer_that_came_through_a_terminal_is_told_as_such() -> None:
    found = parse_host_facts(answer()[0].replace("\n", "\r\n"), "")
    assert isinstance(found, Unreachable)
    assert found.text == "gave an answer that a terminal has changed: its lines end in CR LF"
    assert "ForceCommand" in found.fix


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00.5Z", NOON + 0.5),
        ("2026-03-01T12:00:00.123456789Z", NOON + 0.123456),
        ("2026-03-01T14:00:00.5+02:00", NOON + 0.5),
        ("2026-03-01T04:30:00.250000000-07:30", NOON + 0.25),
        ("0001-01-01T00:00:00Z", 0.0),
        ("0001-01-01T00:00:00+00:00", 0.0),
    ],
)
def test_times_of_docker_and_podman(written: str, moment: float) -> None:
    assert seconds(written) == moment


def test_an_address_that_is_none_is_an_answer_that_cannot_be_read() -> None:
    found = silent(addresses=addresses(("eth0", "$(id)\x1b[2J")))
    assert found.text.startswith("gave an answer that could not be read (ValueError: ")
