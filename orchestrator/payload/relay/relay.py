"""Relay of a chain, sent to a host as text: passes one stream of bytes on while it stores it. Python 3.6 and later.

    python3 -c TEXT        its configuration is the first line of standard input, orders are the lines after it

A source, or the relay before this one, gives the bytes; a sink and the relay behind take them. Each listens for the
one behind, which says from which byte on it wants the stream: what a lost neighbour had under way is still in the
history here. Nobody is served who has no certificate of this run with the expected name. It prints a line of JSON
for all that happens, and ends, its children too, when standard input ends or is silent.
"""

import contextlib
import ipaddress
import json
import os
import queue
import select
import signal
import socket
import sys
import threading
import time

from common import SILENCE, family
from ends import CHILDREN, PIECE, SINKS, SOURCES, RelayError, end, report, say, words_of
from history import History
from links import Downstream, Upstream

LIMITS = {"link": 5.0, "still": 30.0, "source": 300.0, "finish": 1800.0, "look": 5.0}
"""Seconds: to reach the relay before, for a piece to be taken, for a source to give one, for a sink that has all to
end, or since it was last seen to work; and between looks whether it does."""

WORK = 20  # ticks of CPU that nobody has who only waits

ALIVE_SECONDS = 2.0  # between signs of life
STUCK_SECONDS = 2.0  # of the one behind, from which on it is told


def address_in(network):
    """The address of this machine in a network, by which it would send to another one there. Nothing is sent."""
    there = ipaddress.ip_network(network)
    with socket.socket(family(network), socket.SOCK_DGRAM) as asking:
        asking.connect((str(there[min(1, there.num_addresses - 1)]), 9))
        found = asking.getsockname()[0]
    if ipaddress.ip_address(found) not in there:
        raise RelayError(f"this host has no address in {network}")
    return found


class Relay:
    """All of it: the threads that move the bytes, what is told of them, and what ends them."""

    def __init__(self, config):
        self.limits = dict(LIMITS, **config.get("limits") or {})
        sink = config.get("sink")
        self.history = History(config["history"], bool(sink))
        self.sink, self.busy, self.failed = None, None, False
        self.finishing, self.worked, self.seen, self.look_at = False, 0, 0.0, 0.0
        self.gave = time.monotonic()
        self.waits_for_source = False
        self.began, self.told, self.silent = time.monotonic(), None, 0.0
        config["ip"] = config["ip"] or address_in(config["network"])
        self.downstream = Downstream(config, self.history)
        self.upstream = None if config.get("source") else Upstream(config, self.history, self.limits["link"])
        self.downstream.expect(config.get("next"))
        self.source = config.get("source")
        say("listening", ip=config["ip"], port=self.downstream.port)
        if sink:
            threading.Thread(target=self.store, args=(sink,), daemon=True).start()

    def obey(self, order):
        if "next" in order:
            self.downstream.expect(order["next"])
        if "upstream" in order:
            self.upstream.go_to(order["upstream"])
        if order.get("start"):
            threading.Thread(target=self.give, args=(self.source,), daemon=True).start()

    def give(self, config):
        try:
            self.waits_for_source = True
            self.gave = time.monotonic()
            for piece in SOURCES[config["kind"]](config, report):
                self.waits_for_source = False
                view = memoryview(piece)
                for at in range(0, len(view), PIECE):
                    while not self.history.wait_for_room(1.0):
                        pass
                    self.history.append(bytes(view[at : at + PIECE]))
                self.gave, self.waits_for_source = time.monotonic(), True
            self.history.finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, it has to be said
            say("failed", side="source", why=words_of(error), code=getattr(error, "code", None))
        self.waits_for_source = False

    def store(self, config):
        offset = 0
        try:
            self.sink = sink = SINKS[config["kind"]](config, report)
            while True:
                piece = self.history.wait_for_piece(offset)
                if not piece:
                    break
                self.busy = (time.monotonic(), self.limits["still"], "took nothing for")
                sink.write(piece)
                self.busy = None
                offset += len(piece)
                if self.failed:
                    return
                self.history.store(offset)
            say("stored", bytes=offset)
            is_seen = hasattr(sink, "worked")
            why = (
                "had all, and was not seen to do anything for"
                if is_seen
                else "had all, and did not end within"
            )
            self.busy = (time.monotonic(), self.limits["finish"], why)
            self.finishing = is_seen
            result = sink.close()
            self.busy = None
            if not self.failed:
                say("done", bytes=offset, seconds=round(time.monotonic() - self.began, 3), result=result)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has to be said
            self.fail(words_of(error), code=getattr(error, "code", None))

    def fail(self, why, stalled=False, code=None):
        """Of the sink: what others want still passes through here."""
        if self.failed:
            return
        self.failed, self.busy = True, None
        say("failed", side="sink", why=why, stalled=stalled, code=code)
        self.history.store(None)
        self.abort()

    def abort(self):
        if self.sink:
            with contextlib.suppress(Exception):
                self.sink.abort()

    def see_work(self, now):
        """A sink that has all may take as long as it works."""
        worked = self.sink.worked()
        if abs(worked - self.worked) >= WORK:  # less than before, where a process has ended
            self.worked, self.seen = worked, now

    def watch(self):
        """Says how far it is, and what stands still."""
        now, history = time.monotonic(), self.history
        busy = self.busy
        if self.finishing and busy and now >= self.look_at:
            self.look_at = now + self.limits["look"]
            self.see_work(now)
        if busy and now - max(busy[0], self.seen) > busy[1]:
            self.fail(f"{busy[2]} {busy[1]:g} s", stalled=True)
        if self.waits_for_source and now - self.gave > self.limits["source"]:
            self.waits_for_source = False
            say("failed", side="source", why=f"gave nothing for {self.limits['source']:g} s")
        stuck = self.downstream.stuck()
        stored, behind = history.stored, history.behind
        facts = {
            "came": history.end,
            "sent": behind[0] if behind else 0,
            "stored": stored,
            "all": history.ended,
        }
        if stuck > STUCK_SECONDS:
            facts["stuck"] = round(stuck, 1)
        if facts != self.told or now >= self.silent:
            self.told, self.silent = facts, now + ALIVE_SECONDS
            say("moved", **facts)


def orders(lines):
    """Puts each line of standard input into the queue, and None when it has ended, or is silent."""
    rest = b""
    with contextlib.suppress(OSError):
        while select.select([0], [], [], SILENCE)[0]:
            got = os.read(0, 65536)
            if not got:
                break
            *whole, rest = (rest + got).split(b"\n")
            for line in whole:
                if line.strip():
                    lines.put(line.decode())
    lines.put(None)


def run():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lines, relay = queue.Queue(), None
    threading.Thread(target=orders, args=(lines,), daemon=True).start()
    try:
        config = lines.get()
        if config is None:
            return
        relay = Relay(json.loads(config))
        del config
        again = 0.0
        while True:
            with contextlib.suppress(queue.Empty):
                order = lines.get(timeout=0.25)
                if order is None:
                    return
                relay.obey(json.loads(order))
            if time.monotonic() >= again:
                again = time.monotonic() + 1.0
                relay.watch()
    except (RelayError, OSError, ValueError) as error:
        say("failed", side="relay", why=words_of(error))
    finally:
        if relay:
            relay.abort()
        for child in CHILDREN:
            end(child)
        sys.stdout.flush()
        os._exit(0)  # threads that wait for peers have nothing to tidy up
