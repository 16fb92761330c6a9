"""Docker's command lines. Nothing else builds one."""

from orchestrator.plan.docker.containers import (
    REMOVE_SECONDS,
    absent,
    discard,
    discard_all,
    follow_nodes,
    last_words,
    listening,
    remove,
    remove_one,
    state,
    watch_nodes,
)
from orchestrator.plan.docker.exec import container_state, end_marked, execute, shell
from orchestrator.plan.docker.images import build, image, pull
from orchestrator.plan.docker.looks import inspect, observe, reach, trial, watch
from orchestrator.plan.docker.start import STOP_SECONDS, Place, run, spec

__all__ = [
    "REMOVE_SECONDS",
    "STOP_SECONDS",
    "Place",
    "absent",
    "build",
    "container_state",
    "discard",
    "discard_all",
    "end_marked",
    "execute",
    "follow_nodes",
    "image",
    "inspect",
    "last_words",
    "listening",
    "observe",
    "pull",
    "reach",
    "remove",
    "remove_one",
    "run",
    "shell",
    "spec",
    "state",
    "trial",
    "watch",
    "watch_nodes",
]
