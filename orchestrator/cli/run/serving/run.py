"""A run that serves models: with the lock it starts them, without it waits for all side by side, and cleans up."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import field
from threading import Event, Lock
from typing import TYPE_CHECKING

from orchestrator.frozen import dataclass

if TYPE_CHECKING:
    from orchestrator.cli.run.operation import RunResult
    from orchestrator.cli.run.session import Session
    from orchestrator.model.cluster import Model, Node
    from orchestrator.plan.facts.host import Facts, Unreachable
    from orchestrator.plan.facts.models import Lookup
    from orchestrator.plan.facts.vllm_options import VllmOptions
    from orchestrator.plan.steps import Plan
    from orchestrator.remote.execute.events import Happening, Report
    from orchestrator.remote.execute.looks import Looks
    from orchestrator.remote.observe.hosts import Ahead
    from orchestrator.remote.observe.models import AskCache
    from orchestrator.remote.observe.vllm_options import Ask


class Cleaning:
    """The cluster's lock, taken once by all that clean up at a time."""

    def __init__(self) -> None:
        self._mutex, self._stack, self._users, self._why = Lock(), ExitStack(), 0, ""

    @contextmanager
    def locked(self, run: "Session") -> Iterator[str]:
        """As the run's own `locked_to_clean_up`."""
        with self._mutex:
            if not self._users:
                self._why = self._stack.enter_context(run.locked_to_clean_up())
            self._users += 1
        try:
            yield self._why
        finally:
            with self._mutex:
                self._users -= 1
                if not self._users:
                    self._stack.close()


@dataclass(frozen=True, slots=True)
class Begun:
    """A model as far as it is started: what was known and planned, how its start went, and the plan of the wait."""

    model: "Model"
    facts: "Facts"
    plan: "Plan"
    rest: "Plan"
    report: "Report"

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for: it answers already, was refused, or did not start."""
        return not (self.report.ok and self.rest.phases)


@dataclass(frozen=True, slots=True)
class ServeRun:
    """A run that serves models. `several`: the inventory's list, of which each is shown by its name."""

    run: "Session"
    several: bool
    force: bool
    began: float = field(default_factory=time.monotonic)
    cleaning: Cleaning = field(default_factory=Cleaning)

    def all(self, models: "tuple[Model, ...]") -> "Iterator[tuple[Model, RunResult]]":
        """How it ended with each, as soon as that is known."""
        begun = list[Begun]()
        with self.run.locked(after=("serve", "serve stop")) as known:
            for model in models:
                if model is not models[0] and self.run.cancel.is_set():
                    break
                each = self._start(known, model)
                if each.is_over:
                    yield model, self._end(each, each.report, held=True)
                else:
                    begun.append(each)
        yield from self._waited(begun)

    def _start(self, known: "Facts", model: "Model") -> Begun:
        from orchestrator.cli.run.operation import looking
        from orchestrator.plan.facts.host import Depth
        from orchestrator.plan.serving.plan import in_two
        from orchestrator.remote.execute.events import Planned

        run = self.run
        ask_options, ask_cache = self._ahead(model)
        facts, _ = looking(Depth.RAY)(run, known)
        plan = self._plan(facts, model, ask_options, ask_cache)
        run.tell(Planned(plan))
        starts, rest = in_two(plan)
        return Begun(model, facts, plan, rest, run.execute(starts))

    def _ahead(self, model: "Model") -> "tuple[Ahead[VllmOptions | Unreachable], Ahead[Lookup]]":
        """What the look at the hosts, which takes longest, does not decide, and can be asked meanwhile."""
        from orchestrator.plan.serving.presence import is_looked_at
        from orchestrator.plan.serving.shares import chosen_hosts
        from orchestrator.remote.observe.hosts import Ahead
        from orchestrator.remote.observe.models import cache_asker
        from orchestrator.remote.observe.vllm_options import options_asker

        cluster, tools = self.run.cluster, (self.run.fleet, self.run.cancel)
        looked_at = chosen_hosts(cluster, model) if is_looked_at(model) else ()
        caches = cache_asker(cluster, (model.name,), *tools, fit=True, running=True)
        options = options_asker(cluster, model, *tools)
        return Ahead((cluster.head,) if model.args else (), options), Ahead(looked_at, caches)

    def _plan(self, facts: "Facts", model: "Model", ask_options: "Ask", ask_cache: "AskCache") -> "Plan":
        """Of what is to be started, anew once it is known what its hosts have of it."""
        from orchestrator.cli.run.serving.vllm_words import completed
        from orchestrator.model.cluster import Model
        from orchestrator.plan.problem import HostProblem
        from orchestrator.plan.serving.plan import hosts_for, plan_serve
        from orchestrator.plan.serving.presence import is_looked_at
        from orchestrator.plan.steps import Plan, Run
        from orchestrator.remote.observe.models import look_at_models, look_at_presence

        run, cluster = self.run, self.run.cluster
        whole = completed(run, facts, model, ask_options)
        if not isinstance(whole, Model):
            return Plan(f"serve {model.name}", refusals=(HostProblem(cluster.head.name, whole),))
        plan = plan_serve(cluster, facts, whole, force=self.force)
        if not (is_looked_at(whole) and any(isinstance(each, Run) and each.starts for each in plan)):
            return plan
        caches = look_at_models(hosts_for(cluster, facts, whole), ask_cache, run.tell)
        there = look_at_presence(cluster, whole, caches, run.fleet, run.tell, run.cancel)
        return plan_serve(cluster, facts, whole, there, force=self.force)

    def _waited(self, begun: list[Begun]) -> "Iterator[tuple[Model, RunResult]]":
        """Side by side, with one look at each host for all of them."""
        from orchestrator.plan.steps import OnFailure, Phase
        from orchestrator.remote.execute.events import PhaseBegan
        from orchestrator.remote.execute.looks import Looks

        if not begun:
            return
        if self.several:
            steps = tuple(step for each in begun for step in each.rest)
            title = "Wait for the models" if begun[1:] else begun[0].rest.phases[0].title
            self.run.tell(PhaseBegan(Phase(title, steps, OnFailure.KEEP_GOING)))
        looks = Looks(each.rest for each in begun)
        with ThreadPoolExecutor(len(begun)) as pool:
            waits = {pool.submit(self._wait, each, looks): each.model for each in begun}
            try:
                for wait in as_completed(waits):
                    yield waits[wait], wait.result()
            except BaseException:
                self.run.cancel.set()  # else the others would be waited for first
                raise

    def _wait(self, begun: Begun, looks: "Looks") -> "RunResult":
        from orchestrator.remote.execute.runner import execute

        rest = execute(begun.rest, self.run.fleet, self._tell, self.run.cancel, looks)
        return self._end(begun, rest.after(begun.report))

    def _tell(self, happening: "Happening") -> None:
        """Of several, the phases of each are told as one."""
        from orchestrator.remote.execute.events import PhaseBegan

        if not (self.several and isinstance(happening, PhaseBegan)):
            self.run.tell(happening)

    def _end(self, begun: Begun, report: "Report", *, held: bool = False) -> "RunResult":
        """How it has ended, once what did not come to answer is ended; where it is not heard of, it is left there.

        `held`: with the lock that the run has had from its start.
        """
        from orchestrator.cli.run.operation import NOTHING, RunResult
        from orchestrator.plan.actions.rollback import FailedRun
        from orchestrator.plan.serving.plan import plan_unserve
        from orchestrator.plan.steps import StepKind
        from orchestrator.remote.execute.runner import execute

        run = self.run
        lost = run.why_lost(report) if held else "; ".join(run.lost) or _unheard(report)
        interrupted = run.cancel.is_set() and not lost and bool(begun.plan.refusals or not report.ok)
        failed = frozenset(
            (*(each.step.host for each in report.failed), *(each.host for each in begun.plan.refusals))
        )
        starts = {
            each.step.host: each.output.stdout.split()[-1]
            for each in report.results
            if each.step.kind is StepKind.START_SERVER and each.output and each.output.stdout.strip()
        }
        undone = NOTHING
        if report.started and (failed or interrupted) and not lost:
            with ExitStack() as stack:
                lost = "" if held else stack.enter_context(self.cleaning.locked(run))
                gone = frozenset[str]() if lost or held else self._without_container(begun)
                wreck = FailedRun(report.started - gone, failed, interrupted)
                plan = plan_unserve(run.cluster, begun.model.server, wreck, starts)
                undone = NOTHING if lost else execute(plan, run.fleet, self._tell, Event())
        seconds = time.monotonic() - self.began
        return RunResult(run, begun.facts, begun.plan, report, undone, interrupted, lost, seconds)

    def _without_container(self, begun: Begun) -> frozenset[str]:
        """The hosts that have no longer the one in which it was started, as after another run's `down` or `restart`."""
        from orchestrator.plan.facts.containers import container_of
        from orchestrator.plan.facts.host import Depth, HostFacts
        from orchestrator.remote.observe.hosts import observe

        cluster, fleet = self.run.cluster, self.run.fleet
        nodes = tuple(node for node in cluster.nodes if node.name in begun.report.started)
        now = observe(cluster, nodes, fleet, lambda _: None, Event(), depth=Depth.CONTAINERS)

        def identity(node: "Node", facts: "Facts") -> str:
            found = container_of(cluster, node, facts[node.name])
            return found.id if found else ""

        told = (node for node in nodes if isinstance(now[node.name], HostFacts))
        return frozenset(node.name for node in told if identity(node, now) != identity(node, begun.facts))


def _unheard(report: "Report") -> str:
    """Who was not heard of any more, if somebody was not."""
    from orchestrator.remote.transport import FailureKind

    return next(
        (
            f"{each.step.host}: {each.failure.message}"
            for each in report.failed
            if each.failure and each.failure.kind is FailureKind.UNREACHABLE
        ),
        "",
    )
