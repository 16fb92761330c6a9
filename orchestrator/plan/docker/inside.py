"""Lines that run something in a container: with which environment, and on which Python programs of ours."""

from orchestrator import payload
from orchestrator.model.cluster import Entrypoint, Node
from orchestrator.model.inventory.arguments import variables
from orchestrator.plan.command import Command, Script
from orchestrator.plan.docker.shell_texts import PYTHON, WRITE, entered

BASH = "/bin/bash"
SH = "/bin/sh"
"""By its path, as bash is: an image's PATH may be its venv's folder alone."""
SHELL = Script("shell", "command -v bash >/dev/null && exec bash; exec /bin/sh")
FIND_PYTHON = Script("python", PYTHON)
INSPECT = Script("inspect-server", payload.IF_SERVED + PYTHON)
"""The same for the supervisor of a model's server, if there is one."""
ENTER = Script("enter", entered('exec "$@"'))


def is_prepared(node: Node) -> bool:
    """Whether something sets up an environment for the first process of the node's containers, which others lack."""
    given = (*(name for name, _ in node.env), *(each for _, each in variables(node.docker.args)))
    return node.docker.entrypoint is Entrypoint.KEEP or any(
        each.partition("=")[0] == "BASH_ENV" for each in given
    )


def inside(node: Node, container: str, words: tuple[str, ...], *options: str) -> Command:
    """Runs the words in a container, with the environment of its first process."""
    before = (SH, "-c", ENTER, "enter") if is_prepared(node) else ()
    return Command((*node.docker.command, "exec", *options, container, *before, *words))


def python(*words: str, by: Script = FIND_PYTHON) -> tuple[str, ...]:
    """The words that run the container's Python with these."""
    return (SH, "-c", by, "python3", *words)


def text_inside(node: Node, text: Script) -> Script:
    """For a script that itself runs `docker exec`: the text for `sh` there."""
    return Script(text.name, entered(text)) if is_prepared(node) else text


def first(node: Node, image: str, text: str, *words: str) -> tuple[str, ...]:
    """The end of a `docker run` whose first process is bash with this text, the image's entrypoint before it or not."""
    written = Script(text.name, WRITE + text) if isinstance(text, Script) else WRITE + text
    code = written if is_prepared(node) else text
    if node.docker.entrypoint is Entrypoint.KEEP:
        return (image, BASH, "-c", code, *words)
    return (image, "-c", code, *words)


def entrypoint(node: Node) -> tuple[str, ...]:
    """The option of `docker run` that puts bash in the place of the image's entrypoint; none where that is kept."""
    return () if node.docker.entrypoint is Entrypoint.KEEP else ("--entrypoint", BASH)
