"""Rank group: the supervisors of a model's ranks, each in a container on its own host, start and end together.

The first rank's supervisor listens, and each of the others holds a connection to it. Once all are connected it sends
"go", and every supervisor starts its rank. When one is lost, or its rank ends, all end theirs and gather again.

    {"run": RUN, "rank": 1}     another rank's supervisor has connected
    go                          the first one's: start
    healthy                     the first one's: the server answers
    moves                       another rank's: it loads, and something has moved since the last look
    ended 1                     another rank's: it has ended, with that exit code
"""

import json
import math
import os
import select
import socket
import time

HELLO_BYTES = 1000
HELLO_SECONDS = 2
LOST = {  # seconds: a host that is gone is known to be within twenty
    socket.TCP_KEEPIDLE: 5,
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 20_000,
}


class Single:
    """A group of one: Ray sees to the ranks, or there is no other."""

    rank = 0
    moved = -math.inf  # when another rank said last that it moves

    def gather(self, stopping, until, report_missing):  # noqa: ARG002
        """Why not all ranks are there; empty once they are. Reports the hosts that it waits for."""
        return ""

    def broken(self):
        """Why the group is incomplete again; empty while it is not."""
        return ""

    def report_healthy(self):
        """Tells the other ranks that the server answers."""

    def report_movement(self):
        """Tells the first rank's supervisor that this one moves while it loads."""

    def leave(self, code=None):  # noqa: ARG002
        """Ends the part of this rank in it."""


class Leader(Single):
    """The first rank's side: it accepts the others' connections."""

    def __init__(self, group):
        self.hosts, self.meet, self.run = group["hosts"], tuple(group["meet"]), group["run"]
        self.connected = {}

    def missing(self):
        return [host for rank, host in enumerate(self.hosts) if rank and rank not in self.connected]

    def gather(self, stopping, until, report_missing):
        family = socket.AF_INET6 if ":" in self.meet[0] else socket.AF_INET
        try:
            with socket.create_server(self.meet, family=family) as listener:
                return self.accept_all(listener, stopping, until, report_missing)
        except OSError as problem:
            why = os.strerror(problem.errno)
            return f"nobody can listen at port {self.meet[1]} on {self.hosts[0]}: {why}"

    def accept_all(self, listener, stopping, until, report_missing):
        while missing := self.missing():
            report_missing(missing)
            if stopping.is_set() or time.time() > until:
                return f"nothing was heard of {', '.join(missing)}"
            self.accept(listener)
        lost = [self.hosts[rank] for rank, conn in self.connected.items() if not send(conn, "go")]
        return f"{', '.join(lost)} is lost" if lost else ""

    def accept(self, listener):
        for ready in select.select([listener, *self.connected.values()], [], [], 1)[0]:
            if ready is listener:
                self.add(listener.accept()[0])
            elif not receive(ready):
                self.connected = {rank: conn for rank, conn in self.connected.items() if conn is not ready}
                ready.close()

    def add(self, conn):
        conn.settimeout(HELLO_SECONDS)
        try:
            hello = json.loads(conn.recv(HELLO_BYTES))
            known = hello["run"] == self.run and 0 < hello["rank"] < len(self.hosts)
        except (OSError, ValueError, KeyError, TypeError):
            known = False
        if not known:
            conn.close()
            return
        keep_alive(conn)
        if hello["rank"] in self.connected:
            self.connected[hello["rank"]].close()
        self.connected[hello["rank"]] = conn

    def broken(self):
        for rank, conn in self.connected.items():
            if is_ready(conn):
                host, said = self.hosts[rank], receive(conn)
                if code := said.partition("ended ")[2].strip():
                    return f"vLLM on {host} ended with exit code {code}"
                if not said:
                    return f"{host} is lost"
                self.moved = time.monotonic()
        return ""

    def report_healthy(self):
        for conn in self.connected.values():
            send(conn, "healthy")

    def leave(self, code=None):  # noqa: ARG002
        for conn in self.connected.values():
            conn.close()
        self.connected = {}


class Follower(Single):
    """Another rank's side: a connection to the first one's supervisor."""

    def __init__(self, group):
        self.rank, self.run = group["rank"], group["run"]
        self.first, self.meet = group["hosts"][0], tuple(group["meet"])
        self.conn, self.answers = None, False

    def gather(self, stopping, until, report_missing):
        why = ""
        while not stopping.is_set() and time.time() < until:
            try:
                self.conn = socket.create_connection(self.meet, timeout=5)
                keep_alive(self.conn)
                send(self.conn, json.dumps({"run": self.run, "rank": self.rank}))
                if self.wait_for_go(stopping):
                    return ""
                why = f"{self.first} did not start it"
            except OSError as problem:
                why = f"{self.first} does not answer at port {self.meet[1]}: {problem.strerror or problem}"
            self.leave()
            report_missing([self.first])
            stopping.wait(1)
        return why

    def wait_for_go(self, stopping):
        while not stopping.is_set():
            if select.select([self.conn], [], [], 1)[0]:
                return self.receive().startswith("go")
        return False

    def broken(self):
        if is_ready(self.conn) and not self.receive():
            return f"{self.first} has ended it, or is lost"
        return ""

    def receive(self):
        words = receive(self.conn)
        self.answers = self.answers or "healthy" in words
        return words

    def report_movement(self):
        send(self.conn, "moves")

    def leave(self, code=None):
        if self.conn:
            if code is not None:
                send(self.conn, f"ended {code if code >= 0 else 128 - code}")  # as a shell counts
            self.conn.close()
        self.conn, self.answers = None, False


def of(spec):
    group = spec["group"]
    return Single() if not group else Follower(group) if group["rank"] else Leader(group)


def keep_alive(conn):
    """Lets the system find out that the other side is gone without a word."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in LOST.items():
        conn.setsockopt(socket.IPPROTO_TCP, option, value)


def is_ready(conn):
    return bool(select.select([conn], [], [], 0)[0])


def receive(conn):
    """What the other side has sent; empty when it is gone."""
    try:
        return conn.recv(HELLO_BYTES).decode(errors="replace")
    except OSError:
        return ""


def send(conn, words):
    """Whether it could be sent."""
    try:
        conn.sendall(f"{words}\n".encode())
    except OSError:
        return False
    return True
