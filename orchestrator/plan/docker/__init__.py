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
from orchestrator.plan.docker.images import build, held, image, layers, load, pull, save
from orchestrator.plan.docker.logs import ALL, find, follow_logs, follow_ray_logs, logs, ray_logs
from orchestrator.plan.docker.looks import collective, inspect, observe, reach, trial, watch
from orchestrator.plan.docker.start import STOP_SECONDS, Place, run, spec

__all__ = [
    "ALL",
    "REMOVE_SECONDS",
    "STOP_SECONDS",
    "Place",
    "absent",
    "build",
    "collective",
    "container_state",
    "discard",
    "discard_all",
    "end_marked",
    "execute",
    "find",
    "follow_logs",
    "follow_nodes",
    "follow_ray_logs",
    "held",
    "image",
    "inspect",
    "last_words",
    "layers",
    "listening",
    "load",
    "logs",
    "observe",
    "pull",
    "ray_logs",
    "reach",
    "remove",
    "remove_one",
    "run",
    "save",
    "shell",
    "spec",
    "state",
    "trial",
    "watch",
    "watch_nodes",
]
