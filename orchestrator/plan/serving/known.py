"""Form of a cause of vLLM's end that is known: the words in its log, what they mean, and what to do."""

from enum import IntEnum

from orchestrator.frozen import dataclass


class Weight(IntEnum):
    """What a line is worth against the other errors of a log; of equals the first one counts."""

    CAUSE = 0
    """It says why by itself, wherever it stands."""
    SYMPTOM = 1
    """It may be why, or be what came of something else: it stands with errors that nobody knows, in their order."""
    CONSEQUENCE = 2
    """Another process has ended, and somewhere else stands why."""
    ECHO = 3
    """An end without any reason: whoever was killed said nothing, and others miss it."""


@dataclass(frozen=True, slots=True)
class Known:
    """A cause. `pattern`: of a line; `whys`, `fixes`: of each the first is shown whose {places} can be filled.

    Places are the groups of the pattern, and what the accelerator calls its own: {device}, {monitoring}, {network},
    {visible}, {by_number}; the {divisor} of {heads} or {experts} and {size}; sizes for as many {device}s: {all},
    {half}, {twice}.
    `seen`: whose words they are, and from which version to which; of vLLM 0.6.6, 0.8.5, 0.11.1, 0.14.1, 0.17.1, 0.20.2,
    0.22.0, 0.32.0 and 0.33.0 the sources were searched. `frame`: what has to stand in the trace above the line, or in
    NCCL's warnings before an error of its own.
    """

    pattern: str
    whys: tuple[str, ...]
    fixes: tuple[str, ...]
    seen: str
    weight: Weight = Weight.CAUSE
    frame: str = ""
