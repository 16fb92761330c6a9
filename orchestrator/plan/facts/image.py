"""Images as hosts have them, and which hosts have the same one."""

import json
from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.sections import RECORD

SETTINGS = ("Env", "Entrypoint", "Cmd")
BASE_LABEL = "raycluster.base"
"""Label with the ID of the image below, of an image that raycluster has built."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image on a host. `digests`: by which registries know it; `layers`: hashes of their contents; `size`: bytes.

    `settings`: its environment, entrypoint and command; `driver`: what keeps it there. `built_from`: of one that
    raycluster has built, the ID of the image below it.

    Docker's older image store names an image by the hash of its configuration, the one of containerd by
    that of its manifest, so that the same image has two IDs: https://docs.docker.com/engine/storage/containerd/
    """

    id: str
    digests: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    platform: str = ""
    size: int = 0
    built_from: str = ""
    settings: tuple[str, ...] = ()
    driver: str = ""

    def is_same(self, other: "ImageInfo") -> bool:
        """By its contents and settings, else by its ID or by what a registry calls it.

        One that has lost its layers is not the same as one that has them, whatever it is called.
        """
        if self.is_whole is not other.is_whole:
            return False
        mine, others = ((each.layers, each.platform, each.settings) for each in (self, other))
        same = self.is_whole and mine == others
        return self.id == other.id or bool(set(self.digests) & set(other.digests)) or same

    @property
    def env(self) -> tuple[tuple[str, str], ...]:
        """The variables that it gives its containers."""
        told = (each.partition("=") for each in self._set("Env"))
        return tuple((name, value) for name, _, value in told)

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """What it runs by itself."""
        return self._set("Entrypoint")

    def _set(self, name: str) -> tuple[str, ...]:
        return tuple(each.removeprefix(f"{name} ") for each in self.settings if each.startswith(f"{name} "))

    @property
    def is_whole(self) -> bool:
        """Whether the host has what is in it. Docker's containerd store may know an image of which it has no layer."""
        return bool(self.layers)

    @property
    def name(self) -> str:
        """What people compare: the registry's digest, else the ID."""
        return self.digests[0] if self.digests else self.id


def parse_image(stdout: str) -> ImageInfo | None:
    """The answer to `docker.held`."""
    answer = stdout.rpartition(RECORD)[2]
    if not answer.strip():
        return None
    found = json.loads(answer)
    image = next(iter(found), None) if isinstance(found, list) else found  # Podman 4.3 prints a list
    if not image:
        return None
    config = image.get("Config") or {}
    return ImageInfo(
        id=image["Id"],
        digests=tuple(sorted(each.rpartition("@")[2] for each in image.get("RepoDigests") or ())),
        layers=tuple((image.get("RootFS") or {}).get("Layers") or ()),
        platform=f"{image.get('Os', '')}/{image.get('Architecture', '')}",
        size=image.get("Size", 0),
        settings=tuple(f"{name} {each}" for name in SETTINGS for each in _words(config.get(name))),
        built_from=(config.get("Labels") or {}).get(BASE_LABEL, ""),
        driver=(image.get("GraphDriver") or {}).get("Name", ""),
    )


def _words(told: object) -> tuple[str, ...]:
    """A list as Docker has it, null for an empty one; Podman may have a word."""
    return (told,) if isinstance(told, str) else tuple(told) if isinstance(told, list) else ()


def group_identical(images: Mapping[str, ImageInfo]) -> tuple[tuple[str, ...], ...]:
    """The hosts, those with the same image together, the most first."""
    groups = list[list[str]]()
    for host, image in images.items():
        group = next((group for group in groups if images[group[0]].is_same(image)), None)
        groups.append([host]) if group is None else group.append(host)
    return tuple(map(tuple, sorted(groups, key=lambda group: -len(group))))
