"""What a host's keeper tells of the model that is served there."""

import json
from dataclasses import dataclass

from orchestrator.model.cluster import Model


@dataclass(frozen=True, slots=True)
class Served:
    """One look at a model's server.

    `state`: waiting, starting, answering or ended, as the keeper has it; `kept`: whether there is a keeper;
    `trouble`: why the server does not answer now, empty where it does. `since`, `died`: seconds ago. `lives`: how
    often it was started; `exit_code`: how the last life ended that did. `lines`: the last ones of its log.
    """

    model: Model
    url: str
    name: str
    state: str
    kept: bool
    trouble: str
    since: float
    lives: int
    died: float | None = None
    exit_code: int | None = None
    lines: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        return self.kept and not self.trouble


def parse(text: str) -> Served | None:
    """The keeper's line; None where nothing is served, or where it tells what nobody can read."""
    try:
        told = json.loads(text)
        spec, state, now = told["spec"], told["state"], told["now"]
        return spec and Served(
            model=Model(spec["model"], tuple(spec["args"])),
            url=spec["url"],
            name=told["name"],
            state=state.get("is", "waiting"),
            kept=told["kept"],
            trouble=told["trouble"],
            since=now - state.get("since", now),
            lives=state.get("lives", 0),
            died=now - state["died"] if "died" in state else None,
            exit_code=state.get("exit_code"),
            lines=tuple(told["lines"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
