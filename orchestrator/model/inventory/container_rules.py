"""Rules for what an inventory says of containers that Docker or a shell would take for something else."""

import re
from collections.abc import Iterator, Mapping

from orchestrator.model.cluster import HF_HOME
from orchestrator.model.inventory import arguments
from orchestrator.model.inventory.mistakes import Fault, Path, quoted
from orchestrator.model.inventory.models import Host, Inventory

UNFILLED = re.compile(
    r"\$[A-Za-z_]\w*|\$\{[A-Za-z_]\w*(:?[-?+][^}]*)?\}|\$\(.*\)|`.*`"  # all of it
    r"|(.*:)?\$(\{(PATH|LD_LIBRARY_PATH|PYTHONPATH|HOME|PWD)\}|(PATH|LD_LIBRARY_PATH|PYTHONPATH|HOME|PWD))([:/].*)?"
)
"""What a shell would fill in, and nothing else: a variable, what a command prints, a path from a variable on."""
HOME = "~"


def check_containers(inventory: Inventory, hosts: Mapping[Path, Host]) -> Iterator[Fault]:
    """A fault for each variable and each argument that means something else than its writer thinks."""
    parts: Mapping[Path, Inventory | Host] = {(): inventory, **hosts}
    for path, part in parts.items():
        args = (part.docker and part.docker.args) or ()
        yield from _check_variables(path, part, args)
        for i, argument in arguments.strays(args):
            message = f"{quoted(argument)} belongs to no option, and Docker would take it for the image"
            yield Fault((*path, "docker", "args", i), f'{message}; that goes under the top-level "image"')
        yield from _check_mounts(path, args, moved="HF_HOME" in {**(inventory.env or {}), **(part.env or {})})


def _check_variables(path: Path, part: Inventory | Host, args: tuple[str, ...]) -> Iterator[Fault]:
    """Whoever writes `HF_TOKEN: $HF_TOKEN` wants their own, and containers would have these nine characters."""
    found = [((*path, "env", name), name, value) for name, value in (part.env or {}).items()]
    for i, variable in arguments.variables(args):
        name, _, value = variable.partition("=")
        found.append(((*path, "docker", "args", i), name, value))
    for where, name, value in found:
        if re.fullmatch(UNFILLED, value):
            message = f"nothing fills in {quoted(value)}: containers would have it as it stands here"
            own = f"; for the {name} of your own shell, write `secrets: [{name}]` instead"
            yield Fault(where, f"{message}{own if value.strip('${}') == name else '; write the value'}")


def _check_mounts(path: Path, args: tuple[str, ...], *, moved: bool) -> Iterator[Fault]:
    """Docker takes a source as it is, and each target but once."""
    for i, mount in arguments.mounts(args):
        where = (*path, "docker", "args", i)
        source, target = mount
        if target.rstrip("/") == HF_HOME and not moved:
            instead = f"write `hf_home: {source}`" if source.startswith(("/", "~/")) else 'use "hf_home"'
            yield Fault(where, f'{HF_HOME} is where "hf_home" is mounted; {instead} instead')
        elif source.startswith((HOME, "$", "`")):
            message = f"Docker knows no {quoted(source[0])} and takes {quoted(source)} as it is"
            yield Fault(where, f"{message}; write all of the path")
