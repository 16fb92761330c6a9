"""Images of other kinds, each made of the lab's own by a script that runs in it."""

import hashlib
from dataclasses import dataclass
from functools import partial

from .host import Host
from .lab import Lab

UID = 2000


@dataclass(frozen=True)
class Variant:
    """What is done to the lab's image, and what `docker commit` changes of its settings."""

    name: str
    script: str
    changes: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """Another one for another recipe: a host that has it need not make it again."""
        digest = hashlib.sha256(repr((self.script, self.changes)).encode()).hexdigest()
        return f"raylab:{self.name}-{digest[:8]}"


OTHER_USER = Variant(
    "user",
    f"useradd --uid {UID} --gid 0 --create-home vllm",
    (f"USER {UID}", "ENV HOME=/home/vllm"),
)
"""As llm-d's: its user is not root, and in root's group."""


def make(lab: Lab, variant: Variant) -> str:
    """The variant's tag, once all hosts have it."""
    lab.on_each(partial(_make, variant=variant))
    return variant.tag


def _make(host: Host, variant: Variant) -> None:
    if not host.docker("images", "--quiet", variant.tag):
        host.variant(variant.tag, variant.script, changes=variant.changes)
