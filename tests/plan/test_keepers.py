"""The keepers of a model's ranks: real processes on this machine, a folder and a mark for each host."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.model.cluster import Model
from orchestrator.plan.docker.serving import TAKE
from orchestrator.plan.serving import inside
from orchestrator.plan.serving.served import Served, parse
from orchestrator.plan.serving.spec import Company, Part, Serving, spec
from tests.plan.worlds import cluster

SOON = 20.0
FAKE = Path(__file__).parents[1] / "fake_vllm.py"
HOSTS = ("gpu1", "gpu2", "gpu3")


@dataclass(frozen=True)
class Container:
    """What one host's container has: a folder for the keeper, and processes, known by a mark in their environment."""

    folder: Path
    mark: str

    def take(self, told: str) -> None:
        begun = self._run("-c", TAKE, str(self.folder), stdin=inside.brought(told))
        assert begun.returncode == 0, begun.stderr

    def starts_again(self) -> None:
        subprocess.Popen([sys.executable, self.folder / "keeper.py", "keep"], env=self._env)

    def stop(self) -> int:
        return self._run(str(self.folder / "keeper.py"), "stop").returncode

    def look(self) -> Served:
        seen = parse(self._run(str(self.folder / "keeper.py"), "look", "50").stdout)
        assert seen, "the keeper's words make no sense"
        return seen

    def processes(self, words: str = "") -> list[int]:
        return [pid for pid in every_pid() if self._is_ours(pid, words)]

    def kill(self, words: str = "") -> None:
        for pid in self.processes(words):
            os.kill(pid, signal.SIGKILL)

    def _is_ours(self, pid: int, words: str) -> bool:
        try:
            marked = self.mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
            said = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            return False
        return marked and words.encode() in said

    def _run(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        python = [sys.executable, *words]
        return subprocess.run(python, input=stdin, env=self._env, capture_output=True, text=True, check=False)

    @property
    def _env(self) -> dict[str, str]:
        path = f"{self.folder.parent / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "HERE": self.mark}


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[dict[str, Container]]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/vllm").symlink_to(FAKE)
    made = {host: Container(tmp_path / host, f"{host}-{uuid.uuid4().hex}") for host in HOSTS}
    yield made
    for each in made.values():
        each.kill()


def every_pid() -> Iterator[int]:
    return (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def specs(model: str = "tiny") -> dict[str, str]:
    """What each host's keeper is told: three ranks that meet at a port of this machine."""
    meet, of = ("127.0.0.1", free_port()), cluster(workers=2)
    served = Model(model, ("--host", "127.0.0.1", "--port", str(free_port())))
    parts = tuple(
        Part(
            node,
            ("--node-rank", str(rank), *(["--headless"] if rank else [])),
            company=Company(rank, HOSTS, meet, "run"),
        )
        for rank, node in enumerate(of.nodes)
    )
    serving = Serving(served, "127.0.0.1", parts, "")
    return {part.node.name: spec(serving, part) for part in parts}


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < until, f"not so after {SOON:.0f} s: {what}"
        time.sleep(0.1)


def all_answer(containers: dict[str, Container]) -> bool:
    return all(each.look().answers for each in containers.values())


@pytest.fixture
def serving(containers: dict[str, Container]) -> dict[str, Container]:
    """Three ranks that serve."""
    for host, told in specs().items():
        containers[host].take(told)
    wait_for("all answer", lambda: all_answer(containers))
    return containers


def lives(containers: dict[str, Container]) -> list[int]:
    return [each.look().lives for each in containers.values()]


def test_a_rank_answers_once_the_first_one_does_which_waits_for_all(containers: dict[str, Container]) -> None:
    told = specs()
    containers["gpu1"].take(told["gpu1"])
    containers["gpu2"].take(told["gpu2"])
    wait_for("it waits for gpu3 alone", lambda: containers["gpu1"].look().missing == ("gpu3",))
    assert [containers[host].look().state for host in ("gpu1", "gpu2")] == ["waiting", "waiting"]
    assert not containers["gpu2"].processes("serve")
    containers["gpu3"].take(told["gpu3"])
    wait_for("all answer", lambda: all_answer(containers))
    assert lives(containers) == [1, 1, 1]


def test_when_a_rank_ends_all_begin_anew(serving: dict[str, Container]) -> None:
    serving["gpu3"].kill("serve tiny")
    wait_for("all live again", lambda: lives(serving) == [2, 2, 2])
    wait_for("all answer", lambda: all_answer(serving))


def test_when_the_first_rank_ends_all_begin_anew(serving: dict[str, Container]) -> None:
    serving["gpu1"].kill("serve tiny")
    wait_for("all live again", lambda: lives(serving) == [2, 2, 2])
    wait_for("all answer", lambda: all_answer(serving))


def test_while_a_container_is_gone_none_answers_and_the_first_keeper_knows_whom_it_lacks(
    serving: dict[str, Container],
) -> None:
    serving["gpu2"].kill()
    wait_for("it is missed", lambda: serving["gpu1"].look().missing == ("gpu2",))
    assert not serving["gpu1"].look().answers
    wait_for("the others have ended theirs", lambda: not serving["gpu3"].processes("serve tiny"))
    serving["gpu2"].starts_again()
    wait_for("all answer", lambda: all_answer(serving))


def test_when_the_head_is_gone_the_others_wait_for_it(serving: dict[str, Container]) -> None:
    serving["gpu1"].kill()
    for host in ("gpu2", "gpu3"):
        wait_for(f"{host} waits", lambda host=host: serving[host].look().state == "waiting")  # type: ignore[misc]
        assert not serving[host].processes("serve tiny")
    serving["gpu1"].starts_again()
    wait_for("all answer", lambda: all_answer(serving))


def test_a_rank_that_ends_before_the_server_ever_answered_ends_it_for_all(
    containers: dict[str, Container],
) -> None:
    for host, told in specs("broken-2").items():
        containers[host].take(told)
    wait_for("no keeper is left", lambda: not any(each.look().kept for each in containers.values()))
    assert containers["gpu1"].look().why == "vLLM on gpu3 ended with exit code 1"
    assert (seen := containers["gpu3"].look()).exit_code == 1
    assert "CUDA out of memory" in seen.lines[-1]
    assert not any(each.processes("serve") for each in containers.values())


def test_stopping_ends_all_of_it(serving: dict[str, Container]) -> None:
    assert [each.stop() for each in serving.values()] == [0, 0, 0]
    assert not any(each.processes() for each in serving.values())


def test_who_is_of_another_company_is_turned_away(containers: dict[str, Container]) -> None:
    told = specs()
    containers["gpu1"].take(told["gpu1"])
    containers["gpu3"].take(told["gpu3"])
    containers["gpu2"].take(told["gpu2"].replace('"run": "run"', '"run": "another"'))
    wait_for("it waits for gpu2 alone", lambda: containers["gpu1"].look().missing == ("gpu2",))
    wait_for("it is told", lambda: containers["gpu2"].look().missing == ("gpu1",))
    assert not containers["gpu1"].processes("serve")
