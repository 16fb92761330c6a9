"""The words of a model for vLLM, as the image's own vLLM reads them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.cli.run.session import Session
    from orchestrator.model.cluster import Model
    from orchestrator.plan.facts.host import Facts
    from orchestrator.plan.problem import Problem
    from orchestrator.remote.observe.vllm_options import Ask


def completed(run: "Session", facts: "Facts", model: "Model", ask: "Ask") -> "Model | Problem":
    """The model with its words as the image's vLLM reads them, where there are words and somebody to `ask`."""
    from orchestrator.plan.facts.containers import why_not_ready
    from orchestrator.plan.facts.host import Unreachable
    from orchestrator.plan.serving.completion import completed as read_words
    from orchestrator.plan.serving.completion import unread
    from orchestrator.remote.observe.vllm_options import look_at_options

    cluster = run.cluster
    if not model.args or why_not_ready(cluster, cluster.head, facts[cluster.head.name]):
        return model
    options = look_at_options(cluster, ask, run.tell)
    return unread(model, options) if isinstance(options, Unreachable) else read_words(model, options)
