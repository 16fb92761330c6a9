"""A cluster with `engine: mp`, as a person sees it."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator import payload
from orchestrator.remote.transport import Output
from tests.cli.conftest import INVENTORY, Raycluster, only_looked, seen, sent
from tests.plan.recordings import Said, standing, state
from tests.plan.serving.worlds import QWEN, line, told
from tests.remote.fakes import FakeFleet

SERVE = ("serve", QWEN.name, "--", *QWEN.args)
NO_OPTIONS = '\x1e{"version": "", "names": [], "all": false}'
OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"


@pytest.fixture(autouse=True)
def inventory(folder: Path) -> None:
    (folder / "inventory.yaml").write_text(f"engine: mp\n{INVENTORY}")


def stands(fleet: FakeFleet, host: str, served: str = "", **changes: Any) -> None:
    """The host's container runs; its supervisor tells this of what is served."""
    number = host[-1]
    found = standing(f"raycluster-demo-{host}", **changes) | {"processes": Said("PID COMMAND\n7 bash\n")}
    found.pop("token")
    fleet.on(host, sent("observe"), seen(f"10.0.0.{number}", **found, served=Said(served)))


def rank(number: int, **changes: Any) -> str:
    """What the supervisor of one of two ranks tells."""
    group = {"rank": number, "hosts": ["gpu1", "gpu2"], "run": "the run"}
    return line(spec=told()["spec"] | {"group": group}, **changes)


@pytest.fixture
def up(hosts: FakeFleet) -> FakeFleet:
    """Both hosts' containers stand."""
    stands(hosts, "gpu1")
    stands(hosts, "gpu2")
    return hosts


def test_up_says_on_which_hosts_a_container_runs(hosts: FakeFleet, raycluster: Raycluster) -> None:
    done = raycluster("up")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("cluster demo is up: containers run on all 2 hosts (")
    assert "Ray" not in done.stdout + done.stderr
    assert not [each for each in hosts.sent if each.command.script in ("reach", "listening", "keep-token")]


def test_status_has_no_columns_of_ray(up: FakeFleet, raycluster: Raycluster) -> None:
    status = raycluster("status")
    assert status.exit_code == 0
    assert status.stdout.startswith("cluster demo is healthy: containers run on 2 of 2 hosts\n")
    assert status.stdout.splitlines()[2].split() == [
        "HOST",
        "ROLE",
        "IP",
        "VERDICT",
        "CONTAINER",
        "GPUS",
        "UP",
    ]
    told = json.loads(raycluster("status", "-o", "json").stdout)
    assert (told["engine"], told["hosts"][0]["ray"], told["hosts"][0]["joined"]) == ("mp", None, True)
    assert only_looked(up)


def test_a_model_that_answers_is_told_with_its_ranks(up: FakeFleet, raycluster: Raycluster) -> None:
    stands(up, "gpu1", rank(0))
    stands(up, "gpu2", rank(1))
    status = raycluster("status")
    assert status.exit_code == 0
    assert f"model {QWEN.name} answers at http://10.0.0.1:8000/v1, for 60 s, 2 ranks" in status.stdout


def test_a_rank_that_is_gone_makes_it_unhealthy_though_the_server_still_answers(
    up: FakeFleet, raycluster: Raycluster
) -> None:
    stands(up, "gpu1", rank(0))
    status = raycluster("status")
    assert status.exit_code == 3
    assert f"model {QWEN.name} does not answer: it waits for gpu2" in status.stdout
    assert "→ raycluster serve Qwen/Qwen3-32B" in status.stdout


def test_where_its_container_has_ended_up_is_the_remedy(up: FakeFleet, raycluster: Raycluster) -> None:
    stands(up, "gpu1", rank(0))
    stands(up, "gpu2", State=state(Status="exited", Running=False, ExitCode=137))
    status = raycluster("status")
    assert status.exit_code == 3
    assert status.stdout.count("→") == 1
    assert "→ raycluster up\n" in status.stdout


def test_serve_starts_a_rank_on_each_host_and_says_where_it_answers(
    up: FakeFleet, raycluster: Raycluster
) -> None:
    up.on("gpu1", sent("sources"), Output(0, NO_OPTIONS))
    up.on("*", sent(payload.FOLDER), Output(0))
    up.on("gpu1", sent("400"), Output(0, rank(0)))
    up.on("gpu2", sent("400"), Output(0, rank(1)))
    serve = raycluster(*SERVE)
    assert serve.exit_code == 0, serve.stderr
    assert serve.stdout.startswith(f"{QWEN.name} answers at http://10.0.0.1:8000/v1 (")
    why = "tensor parallel 8, pipeline parallel 2, for 8 GPUs on each of 2 hosts"
    assert f"gpu1: serve {QWEN.name} --max-model-len 4096: {why}" in serve.stderr
    assert "gpu2: rank 1 of it" in serve.stderr
    assert "gpu2: wait for its part: ok" in serve.stderr


def test_a_rank_that_fails_is_told_with_its_cause_and_all_are_stopped(
    up: FakeFleet, raycluster: Raycluster
) -> None:
    state = {"is": "ended", "since": 1, "starts": 1}
    ended = {"supervised": False, "trouble": "nothing is served"}
    why = "vLLM on gpu2 ended with exit code 1"
    up.on("gpu1", sent("sources"), Output(0, NO_OPTIONS))
    up.on("*", sent(payload.FOLDER), Output(0))
    up.on("gpu1", sent("400"), Output(0, rank(0, state=state | {"exit_code": -15, "why": why}, **ended)))
    up.on("gpu2", sent("400"), Output(0, rank(1, state=state | {"exit_code": 1}, lines=[OOM], **ended)))
    up.on("*", sent("stop"), Output(0))
    serve = raycluster(*SERVE)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert f"gpu1  wait until it answers: {why}\n" in serve.stderr
    assert "gpu2  wait for its part: a device has not enough memory" in serve.stderr
    assert f"| {OOM}\n" in serve.stderr
    assert [each.host for each in up.sent if sent("stop")(each.command)] == ["gpu1", "gpu2"]


@pytest.mark.parametrize("words", [("dashboard", "--no-open"), ("metrics",), ("logs", "--ray")])
def test_what_only_ray_has_is_refused(hosts: FakeFleet, raycluster: Raycluster, words: list[str]) -> None:
    refused = raycluster(*words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "cluster demo has no Ray: its `engine` is mp" in refused.stderr
    assert not hosts.sent


def test_the_configuration_is_shown_as_it_was_written(raycluster: Raycluster, folder: Path) -> None:
    (folder / "inventory.yaml").write_text(
        f"engine: mp\n{INVENTORY.replace('ray: {', 'ray: {auth: token, ')}"
    )
    shown = raycluster("config", "show")
    assert shown.exit_code == 0
    assert "token" in shown.stdout
