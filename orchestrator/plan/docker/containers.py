"""Lines about containers that are there: their state, their end, and what runs in them."""

import json
from dataclasses import replace

from orchestrator import payload
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.ssh_target import host_port
from orchestrator.plan import scripts
from orchestrator.plan.command import Command, Script
from orchestrator.plan.docker.images import image
from orchestrator.plan.docker.inside import FIND_PYTHON, INSPECT, SHELL, inside, python, text_inside
from orchestrator.plan.docker.run import STOP_SECONDS
from orchestrator.plan.docker.shell_texts import ENVIRONMENT
from orchestrator.plan.facts.host import Container
from orchestrator.plan.facts.sections import RECORD
from orchestrator.plan.scripts import packed_program, program, scripted

TAKE = Script(
    "start-server",
    payload.APART
    + """\
import json, os, sys
folder, told = sys.argv[1], json.load(sys.stdin)
os.makedirs(folder, mode=0o700, exist_ok=True)
for name, text in told["files"].items():
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
sys.path.insert(0, folder)
import supervisor
sys.exit(supervisor.start(told["spec"]))
""",
)
"""Takes in the programs that supervise a model's server, and runs them."""

REMOVE_SECONDS = 2.0 * STOP_SECONDS
"""How long a container's graceful end and removal may take."""


def remove(cluster: Cluster, node: Node) -> Command:
    """Stops this cluster's containers on the host in good order, and removes them."""
    return scripted(scripts.REMOVE, "remove", node, cluster.name)


def remove_one(node: Node, container: Container) -> Command:
    """Stops one container in good order, and removes it."""
    return scripted(scripts.REMOVE_ONE, "remove-one", node, container.id)


def remove_by_hand(node: Node, container: Container) -> Command:
    """The same at once, as a person would type it on the host."""
    return Command((*node.docker.command, "rm", "--force", container.name))


def rename(node: Node, name: str, other: str) -> Command:
    """Gives a container another name."""
    return Command((*node.docker.command, "rename", name, other))


def unpause(node: Node, name: str) -> Command:
    """Lets a container go on that was paused."""
    return Command((*node.docker.command, "unpause", name))


def list_by_hand(cluster: Cluster, node: Node) -> Command:
    """All of the cluster's containers on the host, as a person would type it there."""
    label = f"label=raycluster.cluster={cluster.name}"
    return Command((*node.docker.command, "ps", "--all", "--filter", label))


def discard(cluster: Cluster, node: Node) -> Command:
    """Kills and removes the node's container: one that is of no use has nothing to finish."""
    return scripted(scripts.DISCARD, "discard", node, cluster.name, cluster.container(node))


def discard_all(cluster: Cluster, node: Node) -> Command:
    """Kills and removes this cluster's containers on the host, whatever their names."""
    return scripted(scripts.DISCARD, "discard", node, cluster.name, "")


def absent(cluster: Cluster, node: Node) -> Command:
    """Succeeds when none of this cluster's containers is on the host."""
    return scripted(scripts.ABSENT, "absent", node, cluster.name)


def last_words(cluster: Cluster, node: Node) -> Command:
    """The end of the container's log, both streams; and where `ray` is, if it ended for the lack of it."""
    path = (part for name, value in node.env if name == "PATH" for part in ("-e", f"PATH={value}"))
    look = (image(cluster), FIND_PYTHON, program("probe"), *path)
    return scripted(scripts.LAST_WORDS, "last-words", node, cluster.container(node), *look)


def state(cluster: Cluster, node: Node) -> Command:
    """The container's `State` and count of restarts, as JSON."""
    shown = '{"state":{{json .State}},"restarts":{{.RestartCount}}}'
    argv = ("container", "inspect", "--format", shown, cluster.container(node))
    return Command((*node.docker.command, *argv))


def begun(cluster: Cluster, node: Node) -> Command:
    """Succeeds when the image's entrypoint has begun what is ours; else prints the same."""
    return scripted(scripts.BEGUN, "begun", node, cluster.container(node), ENVIRONMENT)


def started(cluster: Cluster, node: Node, begins: str, words: str) -> Command:
    """The same, and whether the words are in its log. `begins`: what stands in it before, where it has anything."""
    return scripted(scripts.STARTED, "started", node, cluster.container(node), begins, words)


def listening(cluster: Cluster, node: Node, ip: str) -> Command:
    """Succeeds when `ip` answers on the GCS port; else prints the container's `State`, as `state` does."""
    return scripted(scripts.LISTENING, "listening", node, ip, str(cluster.ray.port), cluster.container(node))


def follow_nodes(cluster: Cluster, node: Node, ip: str, seconds: float) -> Command:
    """Prints changes of Ray's node table from inside the head's container, while standard input is open."""
    words = python("-c", program("ray_nodes"), host_port(ip, cluster.ray.port), f"{seconds:g}")
    return inside(node, cluster.container(node), words, "--interactive")


def watch_nodes(cluster: Cluster, node: Node, ip: str) -> Command:
    """As `follow_nodes`, at a slower pace and without end, with each node's resources."""
    words = python("-c", program("ray_nodes"), "watch", host_port(ip, cluster.ray.port))
    return inside(node, cluster.container(node), words, "--interactive")


def start_server(cluster: Cluster, node: Node, spec: str) -> Command:
    """Brings the supervisor of a model's server into the node's container and starts it with `spec`."""
    words = python("-c", TAKE, payload.FOLDER)
    return replace(
        inside(node, cluster.container(node), words, "--interactive"), stdin=(payload.serving_files(spec),)
    )


def vllm_options(cluster: Cluster, node: Node, file: str, *, by: str) -> Command:
    """Prints the options of the image's vLLM, `by` its sources or its parser, and what such a file of them says."""
    words = python("-c", packed_program("vllm_options"), by, file)
    return inside(node, cluster.container(node), words)


def benchmark(cluster: Cluster, node: Node, words: tuple[str, ...]) -> Command:
    """Has the image's `vllm bench serve` measure with these words, while standard input is open."""
    told = python("-c", packed_program("vllm_bench"), json.dumps(words))
    return inside(node, cluster.container(node), told, "--interactive")


def inspect_servers(cluster: Cluster, node: Node, lines: int, seconds: float = 0, *names: str) -> Command:
    """Prints servers' states and last lines, as `serving.state` reads it; nothing where none was ever there.

    If none of them answers, once one does something else, or after `seconds`. Without names: of all that are there.
    """
    within = (f"{seconds:g}", *names) if seconds else ()
    words = python(payload.SUPERVISOR, "inspect", str(lines), *within, by=INSPECT)
    return inside(node, cluster.container(node), words)


def ask_server(cluster: Cluster, node: Node, name: str) -> Command:
    """Asks the model for a word."""
    return inside(node, cluster.container(node), python(payload.SUPERVISOR, "ask", *_named(name)))


def stop_server(cluster: Cluster, node: Node, name: str, start: str = "") -> Command:
    """Ends the server; succeeds when nothing of it is left. `start`: only if it is of that one, which printed this."""
    words = python(payload.SUPERVISOR, "stop", *filter(None, (name, start)))
    return inside(node, cluster.container(node), words)


def _named(name: str) -> tuple[str, ...]:
    """Programs that are older than names take none."""
    return (name,) if name else ()


def container_state(cluster: Cluster, node: Node) -> Command:
    """RECORD and the state of the node's container, nothing where there is none; fails where Docker itself does."""
    ours = ("--filter", f"label=raycluster.cluster={cluster.name}")
    named = ("--filter", f"name=^{cluster.container(node)}$")
    shown = ("--format", f"{RECORD}{{{{.State}}}}")
    return Command((*node.docker.command, "ps", "--all", *ours, *named, *shown))


def execute(cluster: Cluster, node: Node, words: tuple[str, ...], mark: str, *, stdin: bool) -> Command:
    """Runs the words in the node's container, `mark` (NAME=VALUE) in their environment."""
    options = ("--interactive",) if stdin else ()
    return inside(node, cluster.container(node), words, *options, "--env", mark)


def end_marked(cluster: Cluster, node: Node, mark: str, grace: str) -> Command:
    """Ends what `execute` has started with that mark; fails where something is left. `grace`: as END_MARKED's."""
    end = text_inside(node, Script("end-exec", scripts.END_MARKED))
    words = (cluster.container(node), end, grace)
    return replace(scripted(scripts.END_IN_CONTAINER, "end-exec", node, *words), stdin=(f"{mark}\n",))


def shell(cluster: Cluster, node: Node, up: str) -> Command:
    """A shell in the node's container, on the terminal that this runs on. `up`: what is typed to start a container."""
    container, inside = cluster.container(node), text_inside(node, SHELL)
    return scripted(scripts.SHELL, "shell", node, cluster.name, container, inside, up)
