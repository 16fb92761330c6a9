"""What `docker info` tells, as engines have really told it, cut to what is read and something beside."""

import json

import pytest

from orchestrator.plan.facts.docker_engine import Engine, Maker, parse_engine
from orchestrator.plan.facts.sections import sections
from tests.plan.recordings import Said, told

DOCKER = {
    "ID": "7TRN:IPZB:QYBB:VPBQ:UMPP:KARE:6ZNR:XE6T:7EWV:PKF4:ZOJD:TPYS",
    "Driver": "overlay2",
    "KernelVersion": "5.15.0-1-generic",
    "OperatingSystem": "Ubuntu 22.04",
    "Architecture": "x86_64",
    "MemTotal": 540613279744,
    "DockerRootDir": "/var/lib/docker",
    "Name": "gpu1",
    "ServerVersion": "27.3.1",
    "LoggingDriver": "json-file",
    "DefaultRuntime": "runc",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "ClientInfo": {"Debug": False, "Context": "default", "Plugins": []},
}
PODMAN = {
    "host": {
        "arch": "amd64",
        "hostname": "gpu1",
        "kernel": "5.15.0-1-generic",
        "memTotal": 540613279744,
        "logDriver": "journald",
        "security": {"rootless": True},
    },
    "store": {"graphRoot": "/var/lib/containers/storage"},
    "version": {"Version": "4.3.1"},
}


def parsed(text: str, exit_code: int = 0) -> Engine | None:
    return parse_engine(sections(told({"engine": Said(text, "", exit_code)})[0])["engine"])


def engine(*variables: str, **changes: object) -> Engine:
    found = parsed("\n".join((json.dumps(DOCKER | changes), *variables, "")))
    assert found
    return found


def test_an_engine_tells_of_itself_and_of_the_machine_that_it_is_on() -> None:
    assert engine() == Engine(
        version="27.3.1",
        architecture="x86_64",
        root="/var/lib/docker",
        hostname="gpu1",
        kernel="5.15.0-1-generic",
        memory=540613279744,
        context="default",
        runtime="runc",
        log_driver="json-file",
    )


def test_what_chose_the_engine() -> None:
    assert engine("DOCKER_HOST=tcp://gpu3:2375", "").variable == "DOCKER_HOST=tcp://gpu3:2375"
    assert engine("", "DOCKER_CONTEXT=far").variable == "DOCKER_CONTEXT=far"
    assert engine("DOCKER_HOST=unix:///x", "DOCKER_CONTEXT=far").variable == "DOCKER_HOST=unix:///x"
    assert engine("", "").variable == ""
    assert engine(ClientInfo={"Context": "desktop-linux"}).context == "desktop-linux"
    assert engine(ClientInfo=None).context == ""


@pytest.mark.parametrize(
    ("option", "rootless", "maps_users"),
    [("name=rootless", True, False), ("name=userns", False, True), ("name=selinux", False, False)],
)
def test_options_that_change_where_containers_are(option: str, rootless: bool, maps_users: bool) -> None:
    found = engine(SecurityOptions=["name=seccomp,profile=unconfined", option])
    assert (found.rootless, found.maps_users) == (rootless, maps_users)


def test_podman_tells_the_same_in_its_own_way() -> None:
    assert parsed(json.dumps(PODMAN)) == Engine(
        version="4.3.1",
        architecture="amd64",
        root="/var/lib/containers/storage",
        hostname="gpu1",
        kernel="5.15.0-1-generic",
        memory=540613279744,
        log_driver="journald",
        maker=Maker.PODMAN,
    )


@pytest.mark.parametrize(
    ("text", "exit_code"),
    [
        ("", 0),
        ("nonsense", 0),
        ("[]", 0),
        ("{}", 0),
        ('{"ServerVersion": "27", "MemTotal": "much"}', 0),
        ("{}", 1),
    ],
)
def test_what_makes_no_sense_is_no_engine(text: str, exit_code: int) -> None:
    assert parsed(text, exit_code) is None


def test_who_was_not_asked_tells_nothing() -> None:
    assert parse_engine(None) is None
