"""The line that looks at models: in the node's container, or in one that is gone afterwards."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import Cluster, Docker, Entrypoint, Node, Role
from orchestrator.plan import docker
from orchestrator.plan.command import Command
from orchestrator.plan.facts.models import ModelCache, parse_cache

NODE = Node("gpu1", "gpu1", Role.HEAD, "10.0.0.1", hf_home="~/hf")
CLUSTER = Cluster("demo", "vllm/vllm-openai:v0.17.1", NODE)

STAND_IN = """#!/bin/sh
printf '%s\\n' "$*" | head -1 | cut -c 1-400 >>"$LOG"
case $1 in
container) [ "$STATE" ] && echo "$STATE" && exit; exit 1 ;;
exec) shift 3; exec "$@" ;;
run) while [ "$1" != -c ]; do shift; done; shift 2; exec "$@" ;;
esac
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a line on this machine, whose Docker runs everything outside of containers."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(STAND_IN)
    (tmp_path / "bin/docker").chmod(0o755)

    def run(command: Command, **env: str) -> subprocess.CompletedProcess[str]:
        path = f"{tmp_path}/bin:{os.environ['PATH']}"
        known = {"PATH": path, "HOME": str(tmp_path), "LOG": str(tmp_path / "log"), **env}
        return subprocess.run(
            command.argv, env=known, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def test_without_a_container_one_of_the_image_is_run_and_removed(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "hf").mkdir()
    ran = run(docker.models(CLUSTER, NODE, "look", ()))
    (asked, line) = (tmp_path / "log").read_text().splitlines()
    assert asked == "container inspect --format {{.State.Running}} raycluster-demo-gpu1"
    assert line.startswith(
        f"run --rm --interactive --volume {tmp_path}/hf:/root/.cache/huggingface --pull never --label "
        "raycluster.trial --network host --tty=false --entrypoint /bin/bash vllm/vllm-openai:v0.17.1 -c"
    )
    assert '"trouble": "not-mounted"' in ran.stdout  # there are no containers here


def test_a_host_without_the_folder_gets_none_and_has_no_models(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    ran = run(docker.models(CLUSTER, NODE, "look", ()), RAYCLUSTER_HF_HOME_ABSENT=str(tmp_path / "hf"))
    assert f"--env RAYCLUSTER_HF_HOME_ABSENT={tmp_path}/hf --pull never" in (tmp_path / "log").read_text()
    assert "--volume" not in (tmp_path / "log").read_text()
    assert parse_cache(ran.stdout, ran.stderr) == ModelCache("", 0, 0, ())


@pytest.mark.parametrize("entrypoint", [Entrypoint.SKIP])
def test_a_container_that_runs_is_entered(
    entrypoint: Entrypoint, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    node = replace(NODE, docker=Docker(entrypoint=entrypoint))
    ran = run(docker.models(CLUSTER, node, "look", ("a/b",)), STATE="true")
    assert (
        (tmp_path / "log")
        .read_text()
        .splitlines()[1]
        .startswith("exec --interactive raycluster-demo-gpu1 /bin/sh -c")
    )
    assert '"trouble": "not-mounted"' in ran.stdout


def test_what_the_inventory_gives_containers_is_given_to_this_one() -> None:
    node = replace(
        NODE,
        env=(("HF_HOME", "/data/hf"),),
        docker=Docker(args=("--user=1000", "-v", "/srv:/srv"), entrypoint=Entrypoint.KEEP),
    )
    line = docker.models(CLUSTER, node, "look", ()).line()
    assert " /data/hf " in line
    assert "--env HF_HOME=/data/hf --user=1000 -v /srv:/srv vllm/vllm-openai:v0.17.1 /bin/bash -c" in line


def test_the_line_is_not_too_long_for_a_login_shell() -> None:
    """Linux gives one argument 128 KiB."""
    node = replace(NODE, docker=Docker(entrypoint=Entrypoint.KEEP))
    assert len(docker.models(CLUSTER, node, "look", ()).login_shell_line()) < 100_000
