"""What `pull` and `image copy` share: look at the images, plan, carry it out, and compare what the hosts have then."""

from collections.abc import Callable, Iterator, Mapping

from orchestrator.cli.options import RunOptions
from orchestrator.cli.output import failures
from orchestrator.cli.output.console import answer
from orchestrator.cli.output.jsonl import Failed
from orchestrator.cli.output.typed import shown
from orchestrator.cli.run import operation
from orchestrator.cli.run.operation import NOTHING, RunResult
from orchestrator.cli.run.session import Session
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.actions.images import Holdings
from orchestrator.plan.docker import PACKER
from orchestrator.plan.facts.host import Facts, ImageLookup
from orchestrator.plan.facts.image import ImageInfo, group_identical, parse_image
from orchestrator.plan.facts.layers import Stack
from orchestrator.plan.problem import plural
from orchestrator.plan.steps import Plan, StepKind
from orchestrator.plan.typed import ours
from orchestrator.remote.execute.events import Report
from orchestrator.remote.observe.hosts import inspect_images, inspect_layers, look_for

SHA256 = "sha256:"
Stacks = Mapping[str, tuple[Stack, ...]]


@dataclass(frozen=True, slots=True)
class Copies:
    """What the hosts had under an image's name before a command, and have when it is over."""

    name: str
    before: Holdings
    done: RunResult

    @property
    def there(self) -> dict[str, ImageInfo]:
        return {host: image for host, image in self._found.items() if image and image.is_whole}

    @property
    def lacking(self) -> list[str]:
        return [host for host in self._found if host not in self.there]

    @property
    def new(self) -> list[str]:
        """The hosts that had none before, or another."""
        was = {host: image.id for host, image in self.before.items() if isinstance(image, ImageInfo)}
        return [host for host, image in self.there.items() if image.id != was.get(host)]

    @property
    def _found(self) -> dict[str, ImageInfo | None]:
        results = self.done.report.results
        inspected = (each for each in results if each.step.kind is StepKind.INSPECT_IMAGE)
        return {each.step.host: parse_image(each.output.stdout) for each in inspected if each.output}


def execute(
    command: str,
    cluster: Cluster,
    nodes: tuple[Node, ...],
    name: str,
    planner: Callable[[Holdings, Stacks, frozenset[str]], Plan],
    pace: RunOptions,
    getting: Callable[[Holdings], tuple[Node, ...]] | None = None,
) -> Copies:
    """Looks, plans and does it. Without the lock: nothing that runs is touched.

    `getting`: those that may have some of the image's layers, where no others need be sent.
    """
    before, stacks, zstd = dict[str, ImageLookup](), dict[str, tuple[Stack, ...]](), set[str]()

    def look(run: Session, _: Facts) -> tuple[Facts, Report]:
        run.fleet.add(tuple(node for node in nodes if node not in cluster.nodes))
        before.update(inspect_images(nodes, name, run.fleet, run.tell, run.cancel))
        lacking = getting(before) if getting else ()
        stacks.update(inspect_layers(lacking, run.fleet, run.tell, run.cancel))
        here = tuple(node for node in nodes if node not in cluster.nodes)
        if here and lacking:
            zstd.update(look_for(PACKER[0], (*here, lacking[0]), run.fleet, run.tell, run.cancel))
        return {}, NOTHING

    done = operation.execute(
        command, cluster, look, lambda _: planner(before, stacks, frozenset(zstd)), pace, lock=False
    )
    return Copies(name, before, done)


def conclude(copies: Copies, how: str, fix: str, again: tuple[str, ...]) -> int:
    """Says who has the image now; the exit code. `how`: they came by it; `fix`: should they have different ones.

    `again`: the words that were given with the command.
    """
    done, unlike = copies.done, () if copies.done.exit_code else tuple(_unlike(copies, fix))
    message = _message(copies, how, unlike)
    line = ours(done.run.command, *again)
    what_now = shown(f"Once this is fixed, {line} goes on with the hosts that lack it.")
    if failures.conclude(done, message, what_now, unlike):
        answer().print(message)
    return done.exit_code or (1 if unlike else 0)


def _message(copies: Copies, how: str, unlike: tuple[Failed, ...]) -> str:
    done, name = copies.done, copies.name
    if done.exit_code and not done.interrupted and not done.plan.phases and not any(copies.before.values()):
        return f"none of the hosts has {name}"
    if done.exit_code:
        why = "interrupted" if done.interrupted else f"{plural(len(done.failed), 'host')} failed"
        return f"{name} is not known to be the same on all hosts: {why}"
    if unlike:
        return f"{name} is not {'on' if copies.lacking else 'the same on'} all hosts"
    if not done.plan.phases:
        return f"{name} is the same on all hosts already, nothing to do"
    return f"{_whose(copies)} {', '.join((name, *_shared_name(copies)))} ({how})"


def _shared_name(copies: Copies) -> tuple[str, ...]:
    """What all hosts call it: a registry's digest, else the ID, which is another one in each kind of store."""
    called = [
        [*image.digests, f"{SHA256}{image.id.removeprefix(SHA256)}"]  # Podman leaves that out
        for image in copies.there.values()
    ]
    return next(((name,) for name in called[0] if all(name in names for names in called)), ())


def _whose(copies: Copies) -> str:
    """`all 3 hosts have`, `gpu2, gpu3 have`, `gpu2 has`."""
    hosts = list(copies.there)
    if {node.name for node in copies.done.run.cluster.nodes} == set(hosts) and len(hosts) > 1:
        return f"all {len(hosts)} hosts have"
    return f"{', '.join(hosts)} {'have' if len(hosts) > 1 else 'has'}"


def _unlike(copies: Copies, fix: str) -> Iterator[Failed]:
    """Who has which image under that name, and who has none; nothing where all have the same."""
    groups, lacking = group_identical(copies.there), tuple(copies.lacking)
    has = [(group, f"has {copies.there[group[0]].name}") for group in groups]
    found = [*has, (lacking, "has no such image")] if lacking else has
    if len(found) > 1 or lacking:
        yield from (Failed(hosts=hosts, what=what) for hosts, what in found[:-1])
        yield Failed(hosts=found[-1][0], what=found[-1][1], fix=shown(fix))
