"""`raycluster trust`: shows each unknown host key's fingerprint, and records it after a yes."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file
from orchestrator.plan.problem import plural

if TYPE_CHECKING:
    from orchestrator.model.cluster import Node
    from orchestrator.remote.ssh.host_keys import Known, Unknown
    from orchestrator.remote.transport import Failure

    Verdicts = dict[str, Known | Unknown | Failure]

WHERE_TO_LOOK = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


def trust(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Record them without asking.")] = False,
    jobs: options.Jobs = options.JOBS,
) -> None:
    """Show unknown host keys and record them after a yes.

    They are written to your known_hosts file, as ssh would do it. Jump hosts come first: hosts behind one are shown
    once it is trusted. A key that has changed is never recorded. With -y nobody compares the fingerprints: whoever
    answers first is believed.
    """
    from orchestrator.cli.output.console import answer, troubles
    from orchestrator.remote.ssh.host_keys import Known
    from orchestrator.remote.transport import Failure

    cluster = inventory_file.load(inventory, file)
    nodes = tuple(node for node in inventory_file.selected(cluster, limit) if not node.is_local)
    if not nodes:
        answer().print("nothing to trust: this machine is reached without SSH")
        return
    verdicts = introduced(nodes, jobs, yes=yes)
    if known := sum(isinstance(verdict, Known) for verdict in verdicts.values()):
        answer().print(f"the host keys of {plural(known, 'host')} are known")
    troubles((name, each.problem) for name, each in verdicts.items() if isinstance(each, Failure))
    raise typer.Exit(0 if known == len(verdicts) else 1)


def introduced(nodes: "tuple[Node, ...]", jobs: int, *, yes: bool = False) -> "Verdicts":
    """The hosts' keys, once a person has said yes to those that were unknown; exit code 1 after a no."""
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.remote.ssh.host_keys import Unknown
    from orchestrator.remote.ssh.keyscan import examine

    while True:
        with ThreadPoolExecutor(jobs) as pool:
            found = pool.map(lambda node: examine(node.host, node.ssh), nodes)
            verdicts = dict(zip((node.name for node in nodes), found, strict=True))
        unknown = {name: verdict for name, verdict in verdicts.items() if isinstance(verdict, Unknown)}
        if not unknown:
            return verdicts
        _record(unknown, yes=yes)


def _record(unknown: "dict[str, Unknown]", *, yes: bool) -> None:
    """Shows the keys and records them; a no, or no answer, ends the command with nothing recorded."""
    from orchestrator.cli.output.console import notice
    from orchestrator.cli.run.prompt import agreed
    from orchestrator.remote.ssh.host_keys import record

    keys = {(verdict.name, verdict.key.fingerprint): verdict for verdict in unknown.values()}
    for name, verdict in unknown.items():
        notice().print(f"{name}  {verdict.name}  {verdict.key.kind} {verdict.key.fingerprint}")
    notice().print(f"Compare with what each host says of itself, on its console: {WHERE_TO_LOOK}")
    if not (yes or agreed(f"Record {plural(len(keys), 'key')} in known_hosts?")):
        notice().print("nothing was recorded")
        raise typer.Exit(1)
    failures = [failure for verdict in keys.values() if (failure := record(verdict))]
    for failure in failures:
        notice().print(f"✗ {failure.message}", style="red")
    if failures:
        raise typer.Exit(1)
