"""What a supervisor may tell, and the facts of a cluster on which that is served."""

import json
from typing import Any

from orchestrator.model.cluster import Cluster, Model
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.serving import state as served
from orchestrator.plan.serving.state import Served
from tests.plan.worlds import NOW, standing, with_host

QWEN = Model("Qwen/Qwen3-32B", ("--max-model-len", "4096"))
URL = "http://10.0.0.1:8000"
NAME = "qwen3-32b"
"""What its server is called."""
FIRST = {"url": URL, "name": QWEN.name, "path": "/v1/completions", "status": 200, "seconds": 0.2}
"""What it has answered first."""
SHARE = {"port": 8000, "ports": [], "gpus": dict.fromkeys(("gpu1", "gpu2", "gpu3"), 8), "devices": {}}
ASKED = {"asked": {"gpus": 0, "hosts": "", "port": 0}, "words": [], "share": SHARE}
ANSWERING = {"is": "answering", "since": NOW - 60, "starts": 1, "answered": True}
ENDED: dict[str, Any] = {"is": "ended", "since": NOW - 5, "starts": 1, "exit_code": 1}


def told(**changes: Any) -> dict[str, Any]:
    """What the supervisor tells of a server that has answered for a minute."""
    spec = {"model": QWEN.name, "args": list(QWEN.args), "url": URL, "group": None} | ASKED
    made = {
        "server": NAME,
        "spec": spec,
        "state": ANSWERING | {"first": FIRST},
        "supervised": True,
        "now": NOW,
    }
    return made | {"trouble": "", "name": QWEN.name, "lines": []} | changes


def line(**changes: Any) -> str:
    return json.dumps(told(**changes))


def seen(**changes: Any) -> Served:
    found = served.parse_served(line(**changes))
    assert found
    return found


def starting(*lines: str, **state: Any) -> dict[str, Any]:
    """The changes to it while it loads."""
    now = {"is": "starting", "since": NOW - 7, "starts": 1}
    return {"state": now | state, "trouble": "Connection refused", "name": "", "lines": list(lines)}


def unresponsive(seconds: float = 130) -> dict[str, Any]:
    """The changes to it once it has answered nothing for so long."""
    now = {"is": "unresponsive", "since": NOW - seconds, "starts": 1, "answered": True, "why": "timed out"}
    return {"state": now, "trouble": "timed out", "name": ""}


def ended(*lines: str, **state: Any) -> dict[str, Any]:
    """The changes to it once it has ended without an answer."""
    return {"state": ENDED | state, "supervised": False, "trouble": "nothing is served", "lines": list(lines)}


def serving(of: Cluster, **changes: Any) -> Facts:
    """A cluster in good order on which it is served."""
    return with_host(standing(of), "gpu1", served=(seen(**changes),))
