"""One life of a model's server: that it loads, listens, answers, and whether it goes on doing so."""

import math
import re
import time

import movement  # these are beside this file
import server
from liveness import Liveness

HEALTH_SECONDS = 0.5  # between two looks whether it is healthy, as long as it does not say that it is ready
DEAF_SECONDS = 60  # after it has said that it is ready, for it to answer
STALLED_SECONDS = 3600.0
LISTENS = re.compile(rb"Starting vLLM (?:API )?server(?: \d+)? on (\S+)")
"""VLLM 0.11.0 to 0.33.0, once its engine is ready."""
READY = re.compile(rb"Application startup complete|Uvicorn running on")


class Life:
    """A life from the start of vLLM on. Its supervisor passes on each line of the log, and calls `tick` now and then.

    `become` takes the state that it is in, and `say` a line for the log; `processes` gives the numbers of those that
    are the server's.
    """

    def __init__(self, spec, group, become, say, processes):
        self.spec, self.group, self.become, self.say = spec, group, become, say
        self.loads, self.told = True, {}
        self.listens, self.ready, self.looked = "", math.inf, -math.inf
        self.movement, self.liveness = movement.Movement(processes), None
        self.unresponsive, self.first = False, {}
        self.tell(moved=time.time() - self.movement.still)

    def hear(self, line):
        """Takes note of a line of the log: where it listens, that it is ready, that it moves."""
        if not self.loads:
            return
        self.movement.hear(line)
        if found := LISTENS.search(line):
            self.listens = found[1].decode(errors="replace")
        if READY.search(line):
            self.ready = min(self.ready, time.time())

    def tick(self):
        """Why it has to be ended; empty while it has not."""
        if not self.loads:
            return self.listen() if self.liveness else ""
        return (self.follow() if self.group.rank else self.load()) or self.stalled()

    def follow(self):
        """Another rank than the first, which alone can tell whether the server answers."""
        if self.group.answers:
            self.answer()
        return ""

    def load(self):
        if not self.liveness and self.is_due() and not server.health(self.spec):
            if not self.spec.get("liveness", True):
                return self.answer()
            self.liveness = Liveness(self.spec)
            self.tell(asked=True)
        if self.liveness:
            self.liveness.tick()
            return self.answer(self.liveness.first) if self.liveness.first else self.liveness.lost
        if time.time() > self.ready + DEAF_SECONDS and "why" not in self.told:
            self.tell(why=self.elsewhere())
        return ""

    def is_due(self):
        """Whether it is time to ask whether it is healthy: at once where it has just said that it is ready."""
        now = time.time()
        if not self.ready <= now < self.ready + DEAF_SECONDS and now < self.looked + HEALTH_SECONDS:
            return False
        self.looked = now
        return True

    def answer(self, first=None):
        """It answers. `first`: what it has answered, where it was asked."""
        self.first = {"first": server.told(self.spec, first)} if first else {}
        self.loads = False
        self.become("answering", answered=True, failures=0, **self.first)
        self.group.report_healthy()
        return ""

    def stalled(self):
        """Why a load in which nothing moves comes to its end; of several ranks the first one's supervisor decides."""
        if not self.loads or not self.movement.look():
            return ""
        if self.movement.still < movement.COUNT_SECONDS:
            self.group.report_movement()
        self.movement.at = max(self.movement.at, self.group.moved)
        self.tell(moved=time.time() - self.movement.still)
        if self.group.rank or self.movement.still < self.spec.get("stalled_after", STALLED_SECONDS):
            return ""
        return (
            f"nothing had moved for {self.movement.still / 60:.0f} min while it loaded (serve.stalled_after)"
        )

    def tell(self, **more):
        if not more.items() <= self.told.items():
            self.told.update(more)
            self.become("starting", **self.told)

    def elsewhere(self):
        """Why the server that says it is ready does not answer, as far as it is known."""
        says = f"says that it listens at {self.listens}" if self.listens else "has started"
        return f"vLLM {says}, and {self.spec['url']} does not answer: {server.health(self.spec)}"

    def listen(self):
        """Whether it goes on answering."""
        self.liveness.tick()
        if self.liveness.deaf != self.unresponsive:
            self.unresponsive = self.liveness.deaf
            silent = self.liveness.silent
            if self.unresponsive:
                self.say(f"{self.liveness.who} has answered nothing for {silent:.0f} s")
                told = {"why": self.liveness.why, "engine": self.liveness.whom}
                self.become("unresponsive", since=time.time() - silent, **told)
            else:
                self.say("vLLM answers again")
                self.become("answering", **self.first)
        return self.liveness.lost
