"""Image chains: hosts pass an image on among themselves; those with no place in the chain get it from here."""

from threading import Event, Thread
from typing import Any, Self

from orchestrator.plan.progress import Progress, size
from orchestrator.plan.steps import Feed, Run
from orchestrator.remote.execute.events import Noted, StepAdvanced, StepWaits, Tell
from orchestrator.remote.execute.image_stream import ImageStream, why_hollow
from orchestrator.remote.execute.rate import Rate
from orchestrator.remote.transfer.chain import Arrived, Hosts, Outcome, Unlinked, run_chain
from orchestrator.remote.transport import Failure, FailureKind, Output, Transport

FINISH_SECONDS = 600.0
SLOWEST = 2e6
"""Seconds for an image to be taken in once it has come, and bytes a second that any disk unpacks."""


class ImageChain:
    """A phase's chain while it runs, and afterwards the stream from here for those that it left out."""

    def __init__(self, feed: Feed, hosts: Hosts, going: frozenset[str], tell: Tell, cancel: Event) -> None:
        self._feed, self._hosts, self._going, self._tell, self._cancel = feed, hosts, going, tell, cancel
        self._steps, self._rates = dict[str, Run](), {host: Rate() for host in going}
        self._outcomes = dict[str, Outcome]()
        self._size = 0 if feed.partial else feed.size  # of all that is to come, 0 if untold
        self._decided = Event()
        self._stream: ImageStream | None = None
        self._thread = Thread(target=self._flow, name="chain", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        if self._stream:
            self._stream.__exit__()

    def run(self, step: Run, via: Transport) -> Output | Failure:
        """What became of the step's host."""
        self._steps[step.host] = step
        if self._size:
            self._tell(StepAdvanced(step, Progress(0, self._size)))
        self._decided.wait()
        match self._outcomes.get(step.host):
            case None:
                return Failure(FailureKind.CANCELLED, "the chain broke down")
            case Arrived(came, result):
                hollow = None if self._feed.partial else why_hollow(self._feed, came)
                return hollow or Output(0, str((result or {}).get("said", "")))
            case Failure() as failure:
                return failure
            case Unlinked():
                assert self._stream  # noqa: S101 - it was made for these hosts
                return self._stream.run(step, via)

    def _flow(self) -> None:
        try:
            hops = [hop for hop in self._feed.chain if hop.host in self._going or hop.host == self._feed.host]
            finish = FINISH_SECONDS + self._feed.size / SLOWEST
            self._outcomes = run_chain(hops, self._hosts, self, self._cancel, {"finish": finish})
            self._leave_out()
        finally:
            self._decided.set()

    def _leave_out(self) -> None:
        left = {host: each for host, each in self._outcomes.items() if isinstance(each, Unlinked)}
        for host, each in left.items():
            self.noted(host, f"gets it through this machine: {each.why}", each.server)
        if left:
            via = self._hosts[self._feed.host]
            hosts = frozenset(left)
            self._stream = ImageStream(self._feed, via, hosts, self._tell, self._cancel, self._hosts.timeouts)
            self._stream.__enter__()

    def moved(self, host: str, came: int) -> None:
        if step := self._steps.get(host):
            self._tell(StepAdvanced(step, Progress(came, self._size, self._rates[host].at(came))))

    def stored(self, host: str, came: int) -> None:
        self.moved(host, came)
        if step := self._steps.get(host):
            self._tell(StepWaits(step, f"all {size(came)} are there, and {self._feed.ending}"))

    def told(self, _host: str, facts: dict[str, Any]) -> None:
        """What is left of an image of which the hosts have some layers."""
        self._size = int(facts.get("total") or 0) or self._size

    def noted(self, host: str, what: str, server: str = "") -> None:
        self._tell(Noted(host, what, self._feed.if_apart if server else "", server))
