"""Whose engine it is, and whether containers work there and are heard."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Cluster, Docker, Pull
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.checks import Evidence, quick, thorough
from orchestrator.plan.facts.docker_engine import Engine, Maker
from orchestrator.plan.facts.probe import Outcome
from orchestrator.plan.remedies import READABLE_LOGS, USERS_AS_THEY_ARE
from orchestrator.plan.typed import add, change, host_command, where
from tests.plan.checks.samples import (
    ALONE,
    ENGINE,
    Told,
    brief,
    found,
    good,
    hardware,
    head,
    head_with,
    inspection,
    link,
    machine,
    trial,
)
from tests.plan.worlds import SEALED, cluster, container

SUDO = f"use the system's Docker: {change('docker.command', 'sudo -n docker')}"
NAMED = f"leave out of {where('docker.command')} what names that engine"
USE_DEFAULT = host_command("docker", "context", "use", "default")
OWN = change("docker.command", "docker -H unix:///var/run/docker.sock")


def engine(**changes: object) -> Engine:
    """The engine of the host that `machine` describes."""
    made = replace(ENGINE, hostname="node", kernel="5.15", memory=machine().memory, log_driver="json-file")
    return replace(made, **changes)  # type: ignore[arg-type]


def told(of: Cluster = ALONE, **changes: object) -> Told:
    return found(of, engine=engine(**changes), machine=machine(kernel="5.15"))


def commanded(command: str) -> Cluster:
    return head(docker=Docker(command=tuple(command.split())))


def test_the_hosts_own_engine_has_nothing_to_tell() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("changes", "whose"),
    [
        ({"hostname": "docker-desktop"}, "the Docker of docker-desktop"),
        ({"kernel": "6.1.5"}, "the Docker of another machine, with Linux 6.1.5"),
        ({"memory": 4 << 30}, "the Docker of another machine, with Linux 5.15"),
    ],
)
def test_another_machines_engine_is_known_by_any_of_what_it_tells(
    changes: dict[str, object], whose: str
) -> None:
    told_of = f"its `docker` speaks to {whose}, not to one of this host"
    assert told(ALONE, **changes) == [("failure", told_of, f"is Docker installed on it? {OWN}")]


def test_what_is_not_told_is_not_taken_for_another() -> None:
    assert told(hostname="", kernel="", memory=0) == []
    assert found(engine=engine(hostname="other"), machine=None) == []


@pytest.mark.parametrize(
    ("command", "changes", "chosen", "fix"),
    [
        (
            "docker",
            {"context": "far"},
            " (context far)",
            f"{USE_DEFAULT}; or {OWN}",
        ),
        (
            "sudo -n docker",
            {"context": "far"},
            " (context far)",
            host_command("sudo", "-n", "docker", "context", "use", "default")
            + "; or "
            + change("docker.command", "sudo -n docker -H unix:///var/run/docker.sock"),
        ),
        (
            "docker",
            {"variable": "DOCKER_HOST=tcp://gpu3:2375"},
            " (DOCKER_HOST=tcp://gpu3:2375)",
            f"take DOCKER_HOST out of its ~/.bashrc or /etc/environment, or {OWN}",
        ),
        (
            "docker",
            {"context": "far", "variable": "DOCKER_CONTEXT=far"},
            " (DOCKER_CONTEXT=far)",
            f"take DOCKER_CONTEXT out of its ~/.bashrc or /etc/environment, or {OWN}",
        ),
        (
            "docker --context far",
            {"context": "far", "variable": "DOCKER_HOST=tcp://gpu3:2375"},
            " (context far)",
            NAMED,
        ),
        (
            "docker -H tcp://gpu3:2375",
            {"variable": "DOCKER_HOST=tcp://gpu4:2375"},
            "",
            NAMED,
        ),
        (
            "sudo -H docker",
            {"variable": "DOCKER_HOST=tcp://gpu3:2375"},  # which sudo does not pass on
            "",
            "is Docker installed on it? "
            + change("docker.command", "sudo -H docker -H unix:///var/run/docker.sock"),
        ),
    ],
)
def test_what_chose_another_engine_is_told_and_mended(
    command: str, changes: dict[str, object], chosen: str, fix: str
) -> None:
    text = f"its `docker` speaks to the Docker of gpu3{chosen}, not to one of this host"
    assert told(commanded(command), hostname="gpu3", **changes) == [("failure", text, fix)]


def test_podmans_own_is_chosen_in_another_way() -> None:
    fix = change("docker.command", "podman --remote=false")
    assert told(commanded("podman"), maker=Maker.PODMAN, hostname="far")[0][2] == fix


def test_rootless_docker_has_a_network_of_its_own() -> None:
    text = "its Docker is rootless: containers are in a network of its own, where no other host reaches them"
    assert told(rootless=True) == [("failure", text, SUDO)]


@pytest.mark.parametrize(
    "args", [(), ("--userns=host",), ("--userns", "host"), ("--userns=host", "--userns=")]
)
def test_mapped_users_are_refused_the_hosts_network_unless_the_inventory_unmaps_them(
    args: tuple[str, ...],
) -> None:
    text = "its Docker maps users (userns-remap), and so refuses containers the host's network"
    unmapped = "host" in " ".join(args[-1:])
    refused = [] if unmapped else [("failure", text, add("docker.args", USERS_AS_THEY_ARE))]
    assert told(head(docker=Docker(args=args)), maps_users=True) == refused


@pytest.mark.parametrize(
    ("version", "driver", "args", "heard"),
    [
        ("27.3.1", "none", (), False),
        ("27.3.1", "none", ("--log-driver=local",), True),
        ("27.3.1", "none", ("--log-driver", "local"), True),
        ("27.3.1", "json-file", ("--log-driver=none",), False),
        ("27.3.1", "syslog", (), True),
        ("20.10.5+dfsg1", "gelf", (), True),
        ("19.03.15", "syslog", (), False),
        ("19.03.15", "journald", (), True),
        ("", "k8s-file", (), True),
        ("", "none", (), False),
    ],
)
def test_logs_that_nobody_can_read(version: str, driver: str, args: tuple[str, ...], heard: bool) -> None:
    of = head(docker=Docker(args=args))
    found = told(of, version=version, log_driver=driver)
    assert [(level, fix) for level, _, fix in found] == (
        [] if heard else [("warning", add("docker.args", READABLE_LOGS))]
    )
    assert all("keeps no logs to read (log driver " in text for _, text, _ in found)


def test_up_starts_nothing_with_another_machines_engine() -> None:
    facts = head_with(ALONE, engine=engine(hostname="gpu3"))
    (refusal,) = plan_up(ALONE, facts, SEALED).refusals
    assert "speaks to the Docker of gpu3" in refusal.problem.text
    assert plan_up(ALONE, facts, SEALED).phases == ()


def test_what_another_engine_has_is_not_told_of_the_host() -> None:
    of = head(docker=Docker(pull=Pull.NEVER))
    facts = head_with(
        of, engine=engine(hostname="gpu3"), image_id="", docker=(container(of, of.head, cluster="x"),)
    )
    evidence = Evidence(inspections={"gpu1": inspection()}, trials={})
    for findings in (quick(of, facts), thorough(of, facts, evidence)):
        assert [text for _, _, text, _ in brief(findings)] == [
            "its `docker` speaks to the Docker of gpu3, not to one of this host"
        ]


def test_where_a_container_runs_the_second_look_tells_of_the_engine() -> None:
    seen = inspection(engine=engine(hostname="gpu3"))
    findings = thorough(ALONE, good(ALONE), Evidence(inspections={"gpu1": seen}))
    assert "speaks to the Docker of gpu3" in brief(findings)[0][2]


@pytest.mark.parametrize(
    ("boot", "network", "text"),
    [
        ("a", "net:[1]", ""),
        (
            "b",
            "net:[1]",
            "its containers do not run on this host, but on another machine, or in a virtual one",
        ),
        ("a", "net:[2]", "its containers are not in the host's network, where other hosts reach them"),
        ("", "", ""),
    ],
)
def test_a_container_shows_where_containers_are(boot: str, network: str, text: str) -> None:
    of = head(accelerator=Accelerator.NVIDIA, num_gpus=2)
    evidence = Evidence(
        inspections={"gpu1": inspection(boot="a", network="net:[1]")},
        trials={"gpu1": trial(boot=boot, network=network)},
    )
    findings = thorough(of, good(of), evidence)
    assert [(each, fix) for _, _, each, fix in brief(findings)] == ([(text, SUDO)] if text else [])


def test_what_a_container_tries_from_elsewhere_is_not_told_of_the_hosts_network() -> None:
    of = cluster()
    blocked = [link(*pair, Outcome.SILENT) for pair in (("gpu1", "gpu2"), ("gpu2", "gpu1"), ("gpu1", "gpu3"))]
    evidence = Evidence(
        inspections=dict.fromkeys(("gpu1", "gpu2", "gpu3"), hardware(nvidia_cards=0)),
        trials={"gpu1": trial(gpus=()), "gpu2": trial(gpus=(), network="net:[2]"), "gpu3": trial(gpus=())},
        links=tuple(blocked),
    )
    apart = replace(evidence, inspections={**evidence.inspections, "gpu2": inspection(network="net:[1]")})
    told_of = {
        (each.host, each.topic)
        for each in thorough(of, good(of), apart)
        if each.level == "failure" and each.topic in ("docker", "network")
    }
    assert told_of == {("gpu2", "docker"), ("gpu3", "network")}


@pytest.mark.parametrize(
    ("args", "changes", "told", "fix"),
    [
        ((), {"runtime": "runc"}, "", SUDO),
        ((), {"context": "far"}, "", f"{USE_DEFAULT}; or {OWN}"),
        ((), {"runtime": "runsc"}, " (runtime runsc)", add("docker.args", "--runtime=runc")),
        (
            ("--runtime=kata",),
            {"runtime": "runc"},
            " (runtime kata)",
            add("docker.args", "--runtime=runc"),
        ),
        (("--runtime", "runc"), {"runtime": "runsc"}, "", SUDO),
    ],
)
def test_what_keeps_a_container_elsewhere_is_told(
    args: tuple[str, ...], changes: dict[str, object], told: str, fix: str
) -> None:
    of = head(accelerator=Accelerator.NVIDIA, num_gpus=2, docker=Docker(args=args))
    evidence = Evidence(
        inspections={"gpu1": inspection(network="net:[1]", engine=engine(**changes))},
        trials={"gpu1": trial(network="net:[2]")},
    )
    text = f"its containers are not in the host's network, where other hosts reach them{told}"
    assert [(each, fix) for _, _, each, fix in brief(thorough(of, good(of), evidence))] == [(text, fix)]
