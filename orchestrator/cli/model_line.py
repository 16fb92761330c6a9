"""The state of what is served, in a line."""

from rich.text import Text

from orchestrator.plan.health import age
from orchestrator.plan.serving.health import ModelHealth


def told(model: ModelHealth) -> Text:
    """A model's state."""
    style, state = ("green", "answers") if model.answers else ("yellow", "does not answer")
    more = f": {model.trouble}" if model.trouble else f" at {model.url}/v1, for {age(model.since)}"
    again = f", started {model.lives} times" if model.lives > 1 else ""
    return Text.assemble(f"model {model.model} ", (state, f"bold {style}"), more, again)
