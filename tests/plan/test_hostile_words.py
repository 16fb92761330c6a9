"""What a user writes reaches Docker and Ray as written, through the very shells that stand between."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.cli.output.plan_script import script
from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import load
from orchestrator.model.secret import Secret
from orchestrator.plan.actions.up import Secrets, plan_up
from orchestrator.plan.command import Command
from orchestrator.plan.facts.offline import nothing_there
from orchestrator.plan.ssh_command import ssh
from orchestrator.plan.steps import Plan, Run

RECORDER = """#!/bin/sh
printf '%s\\0' "$@" >"$RECORDS/{name}-argv"
cat >"$RECORDS/{name}-stdin"
"""
ODD = [*" \t\n\r'\"\\$`*?[]{}()|&;<>#~!=%-,:@^", "$HOME", "$(id)", "`id`", "${x}", "--", "'\"'", "\\'", "EOF"]
ODD += ["\x01", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "é", "日本", "\U0001f680"]
TEXTS = st.lists(st.sampled_from(ODD) | st.text(st.characters(codec="utf-8", exclude_characters="\0"))).map(
    "".join
)
LINES = TEXTS.map(lambda text: text.replace("\n", "").replace("\r", ""))
WORDS = st.builds("{}{}".format, st.sampled_from(["", "-", "--x=", "/", "_"]), TEXTS).filter(len)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


def as_driver(line: str) -> str:
    """What Docker's --gpus takes any text in."""
    return '"driver={}"'.format(line.replace('"', '""'))


INVENTORIES = st.fixed_dictionaries(
    {
        "env": st.dictionaries(NAMES, TEXTS, max_size=4),
        "hf_home": st.sampled_from(["/", "~/"]).flatmap(lambda at: LINES.map(lambda rest: at + rest)),
        "docker": st.fixed_dictionaries({"gpus": LINES.map(as_driver), "args": st.lists(WORDS, max_size=3)}),
        "ray": st.fixed_dictionaries({"args": st.lists(WORDS, max_size=3)}),
    }
)  # fmt: skip


def as_yaml(data: Any) -> str:
    """YAML that says exactly this: JSON has no escapes for what is beyond 16 bits that YAML would read."""
    match data:
        case dict():
            return "{" + ", ".join(f"{as_yaml(key)}: {as_yaml(value)}" for key, value in data.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_yaml, data)) + "]"
        case _:
            return '"' + "".join(f"\\U{ord(character):08x}" for character in str(data)) + '"'


def loaded(folder: Path, data: dict[str, Any]) -> Cluster | InventoryError:
    sound = {"cluster": "demo", "image": "vllm", "head": {"host": "gpu1", "ip": "10.0.0.1"}}
    file = folder / "inventory.yaml"
    file.write_text(as_yaml(sound | data))
    return load(str(file))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with a `docker` and a `ray` that write down what they are given."""
    for name in ("docker", "ray"):
        (tmp_path / name).write_text(RECORDER.format(name=name))
        (tmp_path / name).chmod(0o755)
    return tmp_path


def heard(programs: Path, name: str, argv: list[str], stdin: bytes = b"") -> list[str]:
    """The arguments that a program was given when this ran, as sshd or Docker would run it."""
    settings = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "RECORDS": str(programs),
        "HOME": "/home/x",
        "LC_ALL": "C",
    }
    subprocess.run(argv, input=stdin, env=settings, check=True, cwd=programs)
    return (programs / f"{name}-argv").read_bytes().decode().split("\0")[:-1]


def start(plan: Plan) -> Command:
    return next(step.command for step in plan if isinstance(step, Run) and step.starts)


def planned(cluster: Cluster, *secrets: Secret) -> Plan:
    return plan_up(cluster, nothing_there(cluster), Secrets(secrets, Secret("ray-token", "x")))


def given_for(option: str, argv: list[str]) -> list[str]:
    return [argv[i + 1] for i, word in enumerate(argv[:-1]) if word == option]


@given(data=INVENTORIES)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_docker_and_ray_are_given_what_the_file_says_or_it_is_refused_with_its_place(
    data: dict[str, Any], programs: Path
) -> None:
    cluster = loaded(programs, data)
    if isinstance(cluster, InventoryError):
        assert all(mistake.position.line and mistake.path for mistake in cluster.mistakes)
        return
    argv = heard(programs, "docker", ["sh", "-c", start(planned(cluster)).line()])
    assert {f"{name}={value}" for name, value in data["env"].items()} <= set(given_for("-e", argv))
    assert given_for("-v", argv)[0] == re.sub(r"\A~", "<home>", data["hf_home"]) + ":/root/.cache/huggingface"
    assert given_for("--gpus", argv)[0] == data["docker"]["gpus"]
    image = len(argv) - 3
    assert argv[image : image + 2] == ["vllm", "-c"]
    assert argv[image - len(data["docker"]["args"]) : image] == data["docker"]["args"]
    ray = heard(programs, "ray", ["bash", "-c", argv[-1]])
    assert ray[ray.index("--port=6379") + 1 :] == data["ray"]["args"]


@given(data=INVENTORIES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_script_gives_docker_the_same_line_as_the_program(data: dict[str, Any], programs: Path) -> None:
    cluster = loaded(programs, data)
    if isinstance(cluster, InventoryError):
        return
    plan = planned(cluster)
    text = script(cluster, plan)
    line = text.partition("# gpu1: start its container\n")[2].partition("\n# gpu1: wait for its GCS")[0]
    over_ssh = ssh(cluster.head, "-o", "BatchMode=yes").shown()
    functions = script(cluster, plan).partition("wait_for()")[0].replace(over_ssh, "sh -c")
    assert line.startswith("on gpu1 docker run ")
    by_hand = heard(programs, "docker", ["bash", "-c", f"{functions}\n{line}"])
    assert by_hand == list(start(plan).argv[1:])


SECRETS = LINES.filter(lambda text: text.splitlines() == [text])


@given(values=st.lists(SECRETS, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_secret_arrives_on_standard_input_and_not_on_the_line(values: list[str], programs: Path) -> None:
    secrets = tuple(Secret(f"S{number}", f"s3cret{value}") for number, value in enumerate(values))
    cluster = loaded(programs, {"secrets": [secret.name for secret in secrets]})
    assert isinstance(cluster, Cluster)
    command = start(planned(cluster, *secrets))
    argv = heard(programs, "docker", ["sh", "-c", command.line()], command.input())
    expected = "".join(f"{secret.name}={secret.value}\n" for secret in secrets)
    assert (programs / "docker-stdin").read_bytes() == expected.encode()
    assert not [word for word in argv if "s3cret" in word]


@pytest.mark.parametrize(
    "command", ["docker", "sudo -n docker", "env DOCKER_HOST=unix:///run/d.sock docker", "/opt/d+1/docker"]
)
def test_a_docker_command_is_the_same_words_in_a_line_and_in_a_script(command: str, programs: Path) -> None:
    cluster = loaded(programs, {"docker": {"command": command}})
    assert isinstance(cluster, Cluster)
    words = "/".join(cluster.head.docker.command)
    split = subprocess.run(
        ["sh", "-c", 'set -f; docker=$1; for word in $docker; do printf "%s/" "$word"; done', "x", command],
        capture_output=True,
        text=True,
        check=True,
    )
    assert split.stdout == f"{words}/"
