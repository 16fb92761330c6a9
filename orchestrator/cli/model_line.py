"""The state of what is served, in a line."""

from rich.text import Text

from orchestrator.cli.screen import plural
from orchestrator.plan.serving.health import ModelHealth
from orchestrator.plan.spans import age


def told(model: ModelHealth) -> Text:
    """A model's state."""
    style, state = ("green", "answers") if model.answers else ("yellow", "does not answer")
    more = f": {model.trouble}" if model.trouble else f" at {model.url}/v1, for {age(model.since)}"
    ranks = f", {plural(model.ranks, 'rank')}" if model.ranks and model.answers else ""
    again = f", started {model.lives} times" if model.lives > 1 else ""
    return Text.assemble(f"model {model.model} ", (state, f"bold {style}"), more, ranks, again)
