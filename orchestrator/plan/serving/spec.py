"""What the keeper in a container is told: the server's command line, its address, and what has to be there first."""

import json
from dataclasses import dataclass

from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.plan.ray import address
from orchestrator.plan.serving import arguments

PORT = 8000
"""vLLM's default."""

EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - what vLLM may have been told
BACKEND = "--distributed-executor-backend"


@dataclass(frozen=True, slots=True)
class Server:
    """A model's server on the cluster. `chosen`: arguments that are ours; `ip`: the head's data address."""

    model: Model
    chosen: tuple[str, ...]
    ip: str

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


def command(server: Server) -> tuple[str, ...]:
    """VLLM's command line; what a person said comes last, so that it wins."""
    backend = () if arguments.has(server.model.args, BACKEND) else (BACKEND, "ray")
    return ("vllm", "serve", server.model.name, *backend, *server.chosen, *server.model.args)


def spec(cluster: Cluster, node: Node, server: Server) -> str:
    """The keeper's JSON. A `RAY_ADDRESS` keeps vLLM from starting a Ray of its own."""
    gcs = (server.ip, cluster.ray.port)
    return json.dumps(
        {
            "model": server.model.name,
            "args": server.model.args,
            "argv": command(server),
            "env": {"RAY_ADDRESS": address(*gcs)},
            "after": gcs,
            "url": server.url,
            "key": arguments.value(server.model.args, "--api-key"),
            "rank": 0 if node is cluster.head else cluster.nodes.index(node),
        }
    )
