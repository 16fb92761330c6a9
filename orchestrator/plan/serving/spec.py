"""What the keepers in containers are told: vLLM's command line, the address, and what has to be there first."""

import json
from dataclasses import asdict, dataclass, field

from orchestrator.model.cluster import Model, Node
from orchestrator.plan.ray import address
from orchestrator.plan.serving import arguments

PORT = 8000
"""vLLM's default."""

EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - what vLLM may have been told
BACKEND = "--distributed-executor-backend"


@dataclass(frozen=True, slots=True)
class Company:
    """The ranks that serve a model together, each on a host of its own.

    `meet`: where the first one's keeper listens for the others'; `run`: tells this company from any other.
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
    company: Company | None = None

    @property
    def run(self) -> str:
        """Which company it is of, if any."""
        return self.company.run if self.company else ""


@dataclass(frozen=True, slots=True)
class Serving:
    """A model's server on the cluster, the head's part first. `ip`: the head's; `why`: of the sizes, for people."""

    model: Model
    ip: str
    parts: tuple[Part, ...]
    why: str

    @property
    def run(self) -> str:
        """Which company the parts are, if there are several."""
        return self.parts[0].run

    @property
    def url(self) -> str:
        """Where it answers, without `/v1`."""
        args = self.model.args
        scheme = "https" if arguments.has(args, "--ssl-certfile") else "http"
        host = arguments.value(args, "--host")
        return f"{scheme}://{address(self.ip if host in EVERYWHERE else host, self.port)}"

    @property
    def port(self) -> int:
        return arguments.number(self.model.args, "--port") or PORT


def command(serving: Serving, part: Part) -> tuple[str, ...]:
    """VLLM's command line; what a person said comes last, so that it wins."""
    return ("vllm", "serve", serving.model.name, *part.words, *serving.model.args)


def spec(serving: Serving, part: Part) -> str:
    """The JSON for a part's keeper."""
    return json.dumps(
        {
            "model": serving.model.name,
            "args": serving.model.args,
            "argv": command(serving, part),
            "env": part.env,
            "after": part.after,
            "url": serving.url,
            "key": arguments.value(serving.model.args, "--api-key"),
            "company": asdict(part.company) if part.company else None,
        }
    )
