"""Spec of a model's server for the supervisors in containers: vLLM's command line, the address, what comes first."""

import json
from dataclasses import asdict, field
from itertools import zip_longest

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model, Node
from orchestrator.model.ssh_target import host_port

LONGEST = 9  # digits of a number that means something


def option_value(args: tuple[str, ...], *names: str) -> str:
    """What an option of these names was given: `--name v`, `--name=v`, also with `_` for `-`; the last one wins.

    Empty where it was not given.
    """
    found = ""
    for word, following in zip_longest(args, args[1:], fillvalue=""):
        option, equals, attached = word.partition("=")
        if option.startswith("-") and option.replace("_", "-") in names:
            found = attached if equals else following
    return found


def option_number(args: tuple[str, ...], *names: str) -> int:
    """The same of a number; 0 where there is none."""
    given = option_value(args, *names)
    return int(given) if given.isascii() and given.isdigit() and len(given) <= LONGEST else 0


def has_option(args: tuple[str, ...], *names: str) -> bool:
    """Whether any of those options is given, with a value or without."""
    given = {word.partition("=")[0].replace("_", "-") for word in args if word.startswith("-")}
    return bool(given & set(names))


PORT = 8000
"""vLLM's default."""

EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - what vLLM may have been told
BACKEND = "--distributed-executor-backend"


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
    """What one node does of it. `words`: vLLM's besides the person's; `after`: what has to answer first."""

    node: Node
    words: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    after: tuple[str, int] | None = None
    group: RankGroup | None = None

    @property
    def run(self) -> str:
        """Which group it is of, if any."""
        return self.group.run if self.group else ""


@dataclass(frozen=True, slots=True)
class Serving:
    """A model's server on the cluster, the head's part first. `ip`: the head's; `why`: of the sizes, for people."""

    model: Model
    ip: str
    parts: tuple[Part, ...]
    why: str

    @property
    def run(self) -> str:
        """Which group the parts are, if there are several."""
        return self.parts[0].run

    @property
    def url(self) -> str:
        """Where it answers, without `/v1`."""
        args = self.model.args
        scheme = "https" if has_option(args, "--ssl-certfile") else "http"
        host = option_value(args, "--host")
        port = option_number(args, "--port") or PORT
        return f"{scheme}://{host_port(self.ip if host in EVERYWHERE else host, port)}"


def spec(serving: Serving, part: Part) -> str:
    """The JSON for a part's supervisor."""
    return json.dumps(
        {
            "model": serving.model.name,
            "args": serving.model.args,
            # What a person gave comes last, so that it wins.
            "argv": ("vllm", "serve", serving.model.name, *part.words, *serving.model.args),
            "env": part.env,
            "after": part.after,
            "url": serving.url,
            "key": option_value(serving.model.args, "--api-key"),
            "group": asdict(part.group) if part.group else None,
        }
    )
