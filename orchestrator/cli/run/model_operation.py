"""What `model pull` and `model copy` share: bring a model to one host, then what each other lacks, and look again."""

from dataclasses import replace

from orchestrator.cli.options import RunOptions
from orchestrator.cli.output import failures
from orchestrator.cli.output.console import answer
from orchestrator.cli.output.jsonl import Failed
from orchestrator.cli.output.typed import shown
from orchestrator.cli.run import operation
from orchestrator.cli.run.operation import NOTHING, RunResult
from orchestrator.cli.run.session import Session
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.model.secret import Secret
from orchestrator.plan.actions.model_copy import plan_copy
from orchestrator.plan.facts.host import Facts, Unreachable
from orchestrator.plan.facts.models import CopyList, Holding, ModelCache, State, parse_cache, title
from orchestrator.plan.problem import plural
from orchestrator.plan.progress import size
from orchestrator.plan.serving.servers import for_model
from orchestrator.plan.steps import Plan, StepKind
from orchestrator.plan.typed import ours
from orchestrator.remote.execute.events import Planned, Report
from orchestrator.remote.observe.models import list_model, model_holdings


@dataclass(frozen=True, slots=True)
class Wish:
    """A model's revision, from one host to others. `first`: what brings it to that one; None: it is there."""

    model: str
    revision: str
    source: Node
    targets: tuple[Node, ...]
    first: Plan | None = None
    via_laptop: bool = False


@dataclass(frozen=True, slots=True)
class Brought:
    """How it ended: what the source had, and what the others had of it before."""

    wish: Wish
    wanted: CopyList | Unreachable | None
    done: RunResult


def execute(
    command: str, cluster: Cluster, wish: Wish, pace: RunOptions, secrets: tuple[Secret, ...] = ()
) -> Brought:
    """Brings it, with the cluster's lock."""
    found: list[CopyList | Unreachable] = []
    holdings: dict[str, Holding | Unreachable] = {}

    def look(run: Session, known: Facts) -> tuple[Facts, Report]:
        holdings.update({host: each for host, each in known.items() if isinstance(each, Unreachable)})
        run.fleet.add(tuple(node for node in (wish.source,) if node not in cluster.nodes))
        before = NOTHING
        if lost := holdings.get(wish.source.name):
            assert isinstance(lost, Unreachable)  # noqa: S101 - nothing else is known yet
            found.append(lost)
            return {}, before
        if wish.first:
            run.tell(Planned(wish.first))
            before = run.execute(wish.first)
            if not before.ok:
                return {}, before
        tools = run.fleet, run.tell, run.cancel
        wanted = list_model(cluster, wish.source, wish.model, wish.revision, *tools)
        if isinstance(wanted, Unreachable):
            wanted = replace(wanted, fix=for_model(wanted.fix, Model(wish.model)))
        found.append(wanted)
        if isinstance(wanted, CopyList):
            asked = tuple(
                node for node in wish.targets if node.name not in holdings and node is not wish.source
            )
            holdings.update(model_holdings(cluster, asked, wanted, *tools))
        return {}, before

    def planner(_: Facts) -> Plan:
        if not found:
            return Plan(f"copy {wish.model}")
        targets = tuple(node for node in wish.targets if node.name in holdings)
        return plan_copy(cluster, wish.source, targets, found[0], holdings, via_laptop=wish.via_laptop)

    done = operation.execute(command, cluster, look, planner, pace, secrets)
    return Brought(wish, found[0] if found else None, done)


def conclude(brought: Brought, again: tuple[str, ...]) -> int:
    """Says who has the model now; the exit code. `again`: the words that were given with the command."""
    done, wish = brought.done, brought.wish
    unlike: tuple[str, ...] = () if done.exit_code else _lacking(brought)
    message = _message(brought, unlike)
    line = ours(done.run.command, *again)
    what_now = shown(f"What has come is kept: {line} goes on.") if _has_come(done) else ""
    lacking = [Failed(hosts=unlike, what=f"does not have all of {wish.model}")] if unlike else []
    if failures.conclude(done, message, what_now, lacking):
        answer().print(message)
    return done.exit_code or (1 if unlike else 0)


def _has_come(done: RunResult) -> bool:
    """Whether a byte of it has come to a host, which goes on from there another time."""
    getting = (each for each in done.report.results if each.step.kind is StepKind.GET_MODEL)
    return any(each.far and each.far.done for each in getting)


def _lacking(brought: Brought) -> tuple[str, ...]:
    """Hosts that were to get it, and do not have it by their own words."""
    wanted = brought.wanted
    if not isinstance(wanted, CopyList):
        return ()
    looked = (each for each in brought.done.report.results if each.step.kind is StepKind.INSPECT_MODEL)
    caches = {
        each.step.host: parse_cache(each.output.stdout, each.output.stderr) for each in looked if each.output
    }
    return tuple(host for host, cache in caches.items() if not _is_whole(cache, wanted))


def _is_whole(cache: object, wanted: CopyList) -> bool:
    models = cache.models if isinstance(cache, ModelCache) else ()
    return any(
        one.commit == wanted.commit and one.state is not State.PARTIAL
        for each in models
        if each.name == wanted.model
        for one in each.revisions
    )


def _message(brought: Brought, unlike: tuple[str, ...]) -> str:
    done, wish, wanted = brought.done, brought.wish, brought.wanted
    if done.exit_code or not isinstance(wanted, CopyList):
        why = done.lost or (
            "interrupted" if done.interrupted else f"{plural(len(done.failed), 'host')} failed"
        )
        return f"{wish.model} is not known to be on all hosts: {why}"
    what = title(wanted.model, wanted.names, wanted.commit)
    if unlike:
        return f"{what} is not on all hosts"
    hosts = tuple(dict.fromkeys((wish.source.name, *(node.name for node in wish.targets))))
    everybody = {node.name for node in done.run.cluster.nodes} <= set(hosts) and len(hosts) > 1
    who = (
        f"all {len(hosts)} hosts have"
        if everybody
        else f"{', '.join(hosts)} {'have' if hosts[1:] else 'has'}"
    )
    copied = ", ".join(change.host for change in done.plan.changes)
    whole = size(sum({each.digest or each.path: each.size for each in wanted.files}.values()))
    how = f"copied to {copied}, {done.seconds:.1f} s" if copied else f"{done.seconds:.1f} s"
    return f"{who} {what}, {whole} ({how})"
