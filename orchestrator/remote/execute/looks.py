"""Looks at servers, shared by plans that are carried out side by side: one at a time at each host, for all of them."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from threading import Condition

from orchestrator.frozen import dataclass
from orchestrator.plan.command import Command
from orchestrator.plan.steps import Plan, Wait
from orchestrator.remote.transport import Failure, Output

Answer = Output | Failure


@dataclass(frozen=True, slots=True)
class _Look:
    """A look under way at the servers of these names."""

    names: tuple[str, ...]
    answer: Future[Answer]


class Looks:
    """The looks of all waits of some plans. A wait that is over leaves, so that none looks for it any more."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self._waiting: dict[str, dict[str, None]] = {}
        for step in (step for plan in plans for step in plan if isinstance(step, Wait)):
            self._waiting.setdefault(step.host, {})[step.of] = None
        self._under_way: dict[str, _Look] = {}
        self._changed = Condition()

    def ask(self, step: Wait, look: Callable[[Command], Answer]) -> Answer:
        """What a look tells that is at the step's server, too: the one under way, or else this one."""
        if not step.of_several:
            return look(step.probe)
        with self._changed:
            while (found := self._under_way.get(step.host)) and step.of not in found.names:
                self._changed.wait()
            if found is None:
                names = tuple(self._waiting.get(step.host, {})) or (step.of,)
                mine = self._under_way[step.host] = _Look(names, Future())
        shared = found or mine
        if not found:
            self._look(step.host, mine, partial(look, Command((*step.of_several.argv, *mine.names))))
        answer = shared.answer.result()
        # Programs of an older version take one name alone.
        refuses = isinstance(answer, Output) and "TypeError: inspect()" in answer.stderr
        return look(step.probe) if refuses else answer

    def _look(self, host: str, mine: _Look, look: Callable[[], Answer]) -> None:
        try:
            mine.answer.set_result(look())
        except BaseException as error:
            mine.answer.set_exception(error)
            raise
        finally:
            with self._changed:
                del self._under_way[host]
                self._changed.notify_all()

    def leave(self, step: Wait) -> None:
        """Says that it is over."""
        with self._changed:
            self._waiting.get(step.host, {}).pop(step.of, None)
