"""Endings of containers: why one runs no more, and when, as far as its engine and its host tell."""

from orchestrator.plan.facts.host import Container, HostFacts
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import format_duration
from orchestrator.plan.typed import ours

RESTORED_WITHIN = 120.0
"""Seconds in which a Docker that was started anew has seen to the containers that it found running."""

COMES_BACK = ours("up")
SURVIVES = f'{COMES_BACK}; "live-restore": true in /etc/docker/daemon.json there lets containers outlive that'
"""Tried with 26.1.5: https://docs.docker.com/engine/daemon/live-restore/"""


def how_it_ended(here: HostFacts, container: Container) -> Problem:
    """Why it is not running, as a sentence about its host ends, and what to do where the cause is known."""
    since = format_duration
    if container.end_is_unknown and container.started < here.booted:
        return Problem(
            f"its container ended with the host, which was rebooted {since(here.now - here.booted)} ago",
            COMES_BACK,
        )
    ago = f", {since(here.now - container.finished)} ago" if container.finished else ""
    if _ended_by_its_docker(here, container):
        why = "Docker had been killed or had crashed: `unless-stopped` containers stay down then"
        return Problem(f"its container {container.ended}{ago}, when Docker was restarted. {why}", SURVIVES)
    return Problem(f"its container {container.ended}{ago}")


def _ended_by_its_docker(here: HostFacts, container: Container) -> bool:
    """Whether the daemon has ended what it found running at its start: it takes that for a stop by hand.

    A daemon that was stopped in good order has ended them before, and a container that ends by itself is restarted.
    Seen with 20.10.24, 26.1.5 and 28.5.2.
    """
    began = here.engine_started
    if not began or container.restart != "unless-stopped":
        return False
    return container.started < began <= container.finished <= began + RESTORED_WITHIN
