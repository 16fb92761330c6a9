"""Images of other kinds, each made of the lab's own by a script that runs in it."""

from dataclasses import dataclass

from .lab import Lab

UID = 2000


@dataclass(frozen=True)
class Variant:
    """What is done to the lab's image, and what `docker commit` changes of its settings."""

    tag: str
    script: str
    changes: tuple[str, ...] = ()


OTHER_USER = Variant(
    "raylab:user",
    f"useradd --uid {UID} --gid 0 --create-home vllm",
    (f"USER {UID}", "ENV HOME=/home/vllm"),
)
"""As llm-d's: its user is not root, and in root's group."""


def make(lab: Lab, variant: Variant) -> str:
    """The variant's tag, once all hosts have it."""
    lab.on_each(lambda host: host.variant(variant.tag, variant.script, changes=variant.changes))
    return variant.tag
