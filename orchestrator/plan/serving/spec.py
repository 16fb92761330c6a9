"""Spec of a model's server for the supervisors in containers: vLLM's command line, the address, what comes first."""

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from ipaddress import ip_address

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Liveness, Model, Node
from orchestrator.model.ssh_target import host_port
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import (
    API_KEY,
    API_SERVERS,
    CERTIFICATE,
    HEADLESS,
    HOST,
    OLDEST,
    PORT,
    Given,
    Option,
)
from orchestrator.plan.serving.sizing import Sizing
from orchestrator.plan.serving.state import Share

DEFAULT_PORT = 8000
"""vLLM's."""
OFFLINE = "HF_HUB_OFFLINE"


@dataclass(frozen=True, slots=True)
class RankGroup:
    """The ranks that serve a model together, each on a host of its own.

    `meet`: where the first one's supervisor listens for the others'; `run`: tells this group from any other.
    """

    rank: int
    hosts: tuple[str, ...]
    meet: tuple[str, int]
    run: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one node does of it. `words`: vLLM's for this rank alone; `after`: what has to answer first.

    `needs`: what vLLM has to be able to, each with the version that it came with.
    """

    node: Node
    words: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    after: tuple[str, int] | None = None
    group: RankGroup | None = None
    needs: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """Which group it is of, if any."""
        return self.group.run if self.group else ""


@dataclass(frozen=True, slots=True)
class Serving:
    """A model's server on the cluster, its first part, which answers, at the front. `ip`: that one's.

    `words`: vLLM's for every part, besides the person's; `why`: of the sizes, for people; `share`: what it holds.
    `folder`: what its supervisors know it by: its name, but for one that was started before there were names.
    `sizing`: how the sizes were found, of one that is to be started.
    """

    model: Model
    ip: str
    parts: tuple[Part, ...]
    why: str
    share: Share
    words: tuple[str, ...] = ()
    folder: str = ""
    sizing: Sizing | None = None

    @property
    def name(self) -> str:
        """The server's name."""
        return self.model.server

    @property
    def first(self) -> Node:
        """Where it answers."""
        return self.parts[0].node

    @property
    def run(self) -> str:
        """Which group the parts are, if there are several."""
        return self.parts[0].run

    @property
    def url(self) -> str:
        """Where it answers, without `/v1`."""
        scheme, host = "https" if CERTIFICATE in self.given else "http", self.given.value(HOST)
        there = self.ip if _everywhere(host) else host
        return f"{scheme}://{host_port(there, self.share.port)}"

    @property
    def given(self) -> Given:
        """What the person gave that decides."""
        return arguments.read(self.model.args)

    @property
    def listens(self) -> tuple[str, ...]:
        """What makes vLLM listen where it is asked: by itself it takes port 8000, and IPv4 addresses alone."""
        everywhere = (HOST.name, "::") if ":" in self.ip and HOST not in self.given else ()
        default = PORT in self.given or self.share.port == DEFAULT_PORT
        return everywhere if default else (*everywhere, PORT.name, str(self.share.port))


def _everywhere(host: str) -> bool:
    """Whether it is no address, but all of them, as the system reads it."""
    try:
        return host in ("", "0") or ip_address(host).is_unspecified
    except ValueError:
        return False


def newer(words: tuple[str, ...]) -> tuple[Option, ...]:
    """Those that an older vLLM may not know."""
    return tuple(option for option in arguments.read(words).values if option.since != OLDEST)


OWN = ("gpus", "hosts", "port", "liveness", "stalled_after")
"""What of a model is no argument of vLLM's, and is told again as it was asked for."""


def spec(serving: Serving, part: Part) -> str:
    """The JSON for a part's supervisor. `needs`: what an older vLLM may not know."""
    given = serving.model.args
    if HEADLESS.name in part.words:  # vLLM refuses a count of servers where there is none
        given = arguments.without(given, API_SERVERS)
    # What a person gave comes last, so that it wins.
    words = (*serving.listens, *serving.words, *part.words, *given)
    return json.dumps(
        {
            "name": serving.name,
            "model": serving.model.name,
            "args": serving.model.args,
            "asked": {key: getattr(serving.model, key) for key in OWN},
            "liveness": serving.model.liveness is Liveness.ON,
            "stalled_after": serving.model.stalled_after * 60,
            "words": serving.words,
            "share": asdict(serving.share),
            "argv": ("vllm", "serve", serving.model.name, *words),
            "env": part.env,
            "offline": OFFLINE in part.env,
            "after": part.after,
            "url": serving.url,
            "key": serving.given.value(API_KEY),
            "needs": {**part.needs, **{option.name: option.since for option in newer(words)}},
            "group": asdict(part.group) if part.group else None,
        }
    )
