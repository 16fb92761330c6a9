"""Liveness of a model's server: that it works is seen in vLLM's own counters, or it is asked for a token.

`/health` answers 200 for as long as the engine's process lives, also while it hangs (vLLM 0.11.2 to 0.32.0). So the
counters of `/metrics` are read; where they stand still, one token is asked for, at most once in ASK_SECONDS. A server
is deaf when a question has waited for PATIENCE seconds and the counters have not moved meanwhile: one that is busy
moves them, however long the question queues. Counters alone accuse nobody: vLLM leaves `num_requests_running` as it
was when the last request is given up.

Of several engines (data parallel) one may hang while others work. The one that has requests, and counters that stand
still, is asked by itself, by the same rules. So are, in turn, those that tell of no requests: an engine that hangs
cannot tell of those that it is given.
"""

import math
import re
import threading
import time

import server  # this is beside this file

LOOK_SECONDS = 20
HURRY_SECONDS = 5  # between two looks while a question waits
ASK_SECONDS = 60
PATIENCE = 20  # for a token; for a slower model, three times what it took at its best
LOST_SECONDS = 180  # without a sign of life: it is started again
UNCOUNTED_SECONDS = 600  # the same without counters (--disable-log-stats): it may only be busy
STEP = 5  # seconds that count between two ticks at most: in a container that was paused nobody could answer
METRICS_SECONDS = 5

WORKED = re.compile(
    r"^vllm:(?:(?:prompt_tokens|generation_tokens|prefix_cache_queries)_total|kv_cache_usage_perc)[{ ].*$",
    re.MULTILINE,
)
"""What moves when the engine has made a step, that of a long prompt included: `PrometheusStatLogger.record` of
`vllm/v1/metrics/loggers.py`, 0.11.2 to 0.32.0, for which the scheduler sends its numbers after each step."""
ENGINE = re.compile(r'engine="(\d+)"')
"""Which one of several, where a model is data parallel, a line is of."""
RUNNING = re.compile(r'^vllm:num_requests_(?:running|waiting)\{engine="(\d+)".*\} 0*[1-9]', re.MULTILINE)
ASLEEP = re.compile(r'^vllm:engine_sleep_state\{.*sleep_state="awake".*\} 0', re.MULTILINE)
"""By `--enable-sleep-mode`: a request could end the engine."""


class Call(threading.Thread):
    """A request under way, in a thread: `answer` once there is one."""

    def __init__(self, of, *args):
        super().__init__(daemon=True)
        self.of, self.args, self.answer = of, args, None
        self.start()

    def run(self):
        self.answer = self.of(*self.args)


def by_engine(text):
    """The lines of what has worked, by engine."""
    found = {}
    for line in WORKED.findall(text):
        engine = ENGINE.search(line)
        found.setdefault(engine[1] if engine else "", set()).add(line)
    return found


class Liveness:
    """One life of a server that is healthy by its own word. Its supervisor calls `tick` now and then.

    `first`: its first answer; None before that. `why`: what came instead of an answer last; `whom`: which engine of
    several was asked then, empty for any. Times are seconds on a clock that stands still while the container is paused.
    """

    def __init__(self, spec):
        self.spec, self.clock, self.ticked = spec, 0.0, time.monotonic()
        self.first, self.asleep, self.why, self.whom = None, False, "", ""
        self.look = self.question = None  # under way
        self.looked, self.asked = 0.0, -math.inf
        self.signs = {"": 0.0}  # of life: of each engine, and of any
        self.numbers, self.counted, self.still = {}, False, True
        self.stuck = ""  # the engine to ask: one that stands still with requests, or an idle one
        self.heard = {}  # when each engine has worked or answered
        self.apart = True  # whether one can be asked by itself
        self.questions, self.fastest = server.QUESTIONS, math.inf

    def tick(self):
        now = time.monotonic()
        self.clock, self.ticked = self.clock + min(now - self.ticked, STEP), now
        fresh = self.look is not None and not self.look.is_alive()
        if fresh:
            look, self.look = self.look, None
            self.see(*(look.answer or (0, "")))
        if self.question and not self.question.is_alive():
            question, self.question = self.question, None
            self.hear(question.answer or server.Answer(None, "", 0, "", 0))
        due = self.asked + ASK_SECONDS
        wants = (self.still or self.stuck) and not self.question and self.clock >= due
        pause = HURRY_SECONDS if self.question or self.deaf else LOOK_SECONDS
        if (
            self.first
            and not self.look
            and (self.clock >= self.looked + pause or (wants and self.looked < due))
        ):
            self.looked = self.clock
            self.look = Call(server.call, self.spec, "/metrics", None, METRICS_SECONDS)
        if wants and not self.asleep and (fresh or not self.first):  # it may have gone to sleep just now
            if self.whom != self.stuck and not self.deaf:  # else it would be said to answer, and has not
                self.whom, self.why = self.stuck, ""
            self.asked = self.clock
            within = max(ASK_SECONDS, self.patience) if self.first else server.FIRST_SECONDS
            self.question = Call(server.ask, self.spec, self.questions, within, self.whom)

    def see(self, status, text):
        """Takes note of what the counters tell."""
        numbers, before = by_engine(text) if status == server.OK else {}, self.numbers
        moved = {each for each in numbers if before.get(each) and numbers[each] != before[each]}
        self.still, self.numbers, self.counted = not moved, numbers or before, self.counted or bool(numbers)
        self.asleep = status == server.OK and bool(ASLEEP.search(text))
        stuck = set() if self.asleep else set(RUNNING.findall(text)).intersection(numbers) - moved
        self.heard |= dict.fromkeys(moved, self.clock)
        idle = numbers.keys() - {""} - moved - stuck
        if self.whom in idle and (self.question or self.why):  # it has a request: ours
            stuck.add(self.whom)
        for each in numbers.keys() - {""}:  # an older vLLM does not tell its engines apart
            if each not in stuck or each not in self.signs:
                self.signs[each] = self.clock
        longest = min(stuck, key=lambda each: (self.signs[each], each), default="")
        if not stuck and moved and not self.asleep:
            longest = min(idle, key=lambda each: (self.heard.get(each, 0.0), each), default="")
        self.stuck = longest if self.apart and numbers.keys() - stuck else ""
        if moved or self.asleep:
            self.signs[""] = self.clock
        if self.signs.get(self.whom) == self.clock:
            self.why = ""

    def hear(self, answer):
        """Takes note of an answer, or of what came instead."""
        if answer.status == server.OK:
            self.questions = (answer.question,)
        if server.is_answer(answer.status):
            self.fastest = min(self.fastest, answer.seconds)
            self.first, self.why = self.first or answer, ""
            self.signs[""] = self.signs[self.whom] = self.heard[self.whom] = self.clock
            self.numbers = {}  # it has moved them itself
        # What hangs tells no error: it may be that numbers are not taken.
        elif self.whom and answer.status and not self.why:
            self.apart, self.whom, self.stuck = False, "", ""
        else:
            self.why = server.why_none(answer)

    @property
    def patience(self):
        return max(PATIENCE, 3 * self.fastest) if self.first else server.FIRST_SECONDS

    @property
    def silent(self):
        """For how many seconds it, or the engine that was asked, has neither worked nor answered."""
        return self.clock - self.signs.get(self.whom, 0.0)

    @property
    def who(self):
        """Whom that is said of."""
        return f"engine {self.whom} of vLLM" if self.whom else "vLLM"

    @property
    def deaf(self):
        waits = self.question and self.clock >= self.asked + self.patience
        return bool(self.first and (waits or self.why) and self.silent >= self.patience)

    @property
    def lost(self):
        """Why it is to be started again; empty while it is not."""
        if not self.first:
            return f"vLLM is ready, and its first answer did not come: {self.why}" if self.why else ""
        limit = max(LOST_SECONDS if self.counted else UNCOUNTED_SECONDS, 3 * self.patience)
        if not self.deaf or self.silent < limit:
            return ""
        why = f" ({self.why})" if self.why else ""
        return f"{self.who} had answered nothing for {self.silent / 60:.0f} min{why}"
