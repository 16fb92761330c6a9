"""What `up` waits for, judged from data: the head's port, and a node in Ray's table."""

import json
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.model.accelerators import KINDS
from orchestrator.model.cluster import Accelerator
from orchestrator.plan.facts.host import RayNode, RayTable
from orchestrator.plan.facts.parse import seconds
from orchestrator.plan.facts.probe import parse_versions, unequal
from orchestrator.plan.problem import Problem, plural
from orchestrator.plan.ray.commands import few, parse_table
from orchestrator.plan.remedies import SAME_IMAGE
from orchestrator.plan.steps import NotYet, Ready, WaitResult

COMES, LASTS = 3.0, 10.0
"""Seconds in which a log has what `ray start` says, if it ever has; and after which a node that Ray has listed for so
long is believed in without.
"""

UNKNOWN = Problem("Docker tells nothing of its container any more")


@dataclass(frozen=True, slots=True)
class Begins:
    """Until the image's entrypoint has begun what is ours; hopeless once the container has ended."""

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG002
        if exit_code == 0:
            return Ready("it has")
        return _ended(stdout, restarts=0) or NotYet("the image's entrypoint has not begun our command")


@dataclass(frozen=True, slots=True)
class Answers:
    """Until the GCS port answers; hopeless once the container has ended."""

    port: int

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG002
        if exit_code == 0:
            return Ready(f"port {self.port} answers")
        return _ended(stdout, restarts=0) or NotYet(f"nothing answers on port {self.port}")


@dataclass(frozen=True, slots=True)
class Joined:
    """Until Ray lists the node, by IP and with its accelerators, in a life that began after its container's.

    `restarts`: how often Docker had restarted the container before; one more means that it crashed.

    Where the look tells of its log too, `ray start` has to have said that it is done: Ray lists some that end at once.
    """

    ip: str
    gpus: int
    restarts: int = 0
    accelerator: Accelerator = Accelerator.NVIDIA

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:
        ended = _ended(stdout, self.restarts) if exit_code in (0, 1) else UNKNOWN
        return ended or self._listed(_state(stdout), watched)

    def _listed(self, here: dict[str, Any], watched: str) -> WaitResult:
        table = parse_table(watched) if watched else None
        if not isinstance(table, RayTable):
            if table and table.final:
                return Problem(table.text, table.fix)
            return NotYet(f"no answer from Ray on the head yet{f' ({table.text})' if table else ''}")
        node = table.alive(self.ip, seconds(here["state"]["StartedAt"]))
        return self._equipped(node, here) if node else NotYet(f"runs, but Ray does not list {self.ip} yet")

    def _equipped(self, node: RayNode, here: dict[str, Any]) -> WaitResult:
        if trouble := few(node, self.accelerator, self.gpus):
            return trouble
        if node.out_of_reach:
            return Problem(node.out_of_reach)
        if node.reached is None:
            return NotYet("Ray lists it; whether the head can reach it is being tried")
        started = here.get("started", True)  # whose Ray is known to stay, once listed, was not asked
        lasted = here["now"] - node.started if started is None else 0.0
        if not started and lasted < COMES:
            return NotYet("Ray lists it, but `ray start` there has not told that it is done", soon=True)
        if not started and lasted < LASTS:
            return NotYet(
                f"Ray lists it; its log has nothing of `ray start`, so it is watched for {LASTS:g} s"
            )
        of = KINDS[self.accelerator]
        return Ready(f"joined, {plural(node.count(of.resource), of.device)}")


@dataclass(frozen=True, slots=True)
class SameRay:
    """Until Ray and Python in the image are known to be the `head`'s; hopeless once they are known not to be.

    What could not be asked is not refused: the container's own end has better words for why.
    """

    head: str

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:
        ours, table = parse_versions(stdout), parse_table(watched) if watched else None
        if exit_code or ours is None:
            return Ready("could not be asked")
        if not isinstance(table, RayTable):
            if table and table.final:
                return Problem(table.text, table.fix)
            return NotYet(
                f"has {ours}; no answer from Ray on {self.head} yet{f' ({table.text})' if table else ''}"
            )
        if table.python and ours != table.versions:
            return Problem(unequal(ours, self.head, table.versions), SAME_IMAGE)
        return Ready(ours)


@dataclass(frozen=True, slots=True)
class Runs:
    """Until the container runs. `few`: why it would be of no use; `restarts`: as for `Joined`."""

    few: str
    restarts: int = 0

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG002
        ended = _ended(stdout, self.restarts) if exit_code == 0 else UNKNOWN
        return ended or (Problem(self.few) if self.few else Ready("runs"))


def _ended(stdout: str, restarts: int) -> Problem | None:
    """The container's end, if its state tells of one."""
    inspected = _state(stdout)
    if not inspected:
        return UNKNOWN
    state = inspected["state"]
    if state["Status"] == "running":
        again = Problem("its container ended and Docker had to restart it")
        return again if inspected["restarts"] > restarts else None
    code, cause = state["ExitCode"], " (out of memory)" if state["OOMKilled"] else ""
    return Problem(f"its container ended with exit code {code}{cause}", exit_code=code)


def _state(stdout: str) -> dict[str, Any]:
    try:
        inspected = json.loads(stdout)
    except ValueError:
        return {}
    return inspected if isinstance(inspected, dict) and "state" in inspected else {}
