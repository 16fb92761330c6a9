"""Options that an image's `vllm serve` has, and the words that a file of further ones stands for there."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import last_answer, trouble


class BadFile(StrEnum):
    """Why there are no words: vLLM takes YAML files alone, the container has none there, it is none of options."""

    SUFFIX = "suffix"
    ABSENT = "absent"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """Of each option its spellings, as `("--tensor-parallel-size", "-tp")`; none where the image has no vLLM.

    `whole`: whether these are all that its parser takes; `flags`, `want`: the spellings of those that take no value and
    of those that want one, as far as that is known; `file`: the words of the file; `bad`: why there are none,
    which `words` tell more of.
    """

    version: str
    names: tuple[tuple[str, ...], ...]
    whole: bool
    file: tuple[str, ...] = ()
    bad: BadFile | None = None
    words: str = ""
    flags: frozenset[str] = frozenset()
    want: frozenset[str] = frozenset()

    @property
    def spellings(self) -> frozenset[str]:
        """Of all options."""
        return frozenset(spelling for each in self.names for spelling in each)


def parse_options(stdout: str, stderr: str) -> VllmOptions | Unreachable:
    """The answer of `payload/vllm_options.py`."""
    told = last_answer(stdout)
    try:
        return _options(told) if told else trouble(told, stderr)
    except (KeyError, TypeError, ValueError):
        return trouble(None, stderr)


def _options(told: Mapping[str, Any]) -> VllmOptions:
    return VllmOptions(
        str(told["version"]),
        tuple(tuple(map(str, spellings)) for spellings in told["names"]),
        told["all"] is True,
        tuple(map(str, told.get("file", ()))),
        BadFile(told["trouble"]) if "trouble" in told else None,
        str(told.get("words", "")),
        frozenset(map(str, told.get("flags", ()))),
        frozenset(map(str, told.get("want", ()))),
    )
