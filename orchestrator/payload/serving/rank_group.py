"""Rank group: the supervisors of a model's ranks, each in a container on its own host, start and end together.

The first rank's supervisor listens, and each of the others holds a connection to it. Once all are connected it sends
"go", and every supervisor starts its rank. When one is lost, or its rank ends, all end theirs and gather again.

    {"run": RUN, "rank": 1}     a rank's supervisor has come
    go                          the first one's: start
    well                        the first one's: the server answers
    ended 1                     a rank's: it has ended, with that exit code
"""

import json
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
    """No company: Ray sees to the ranks, or there is but one."""

    rank = 0

    def gather(self, stopping, until, tell):  # noqa: ARG002
        """Why not all ranks are there; empty once they are. `tell` hears of whom it waits for, by host."""
        return ""

    def broken(self):
        """Why the company is none any more; empty while it is."""
        return ""

    def well(self):
        """To be told once the server answers."""

    def leave(self, code=None):  # noqa: ARG002
        """The end of this rank."""


class Leader(Single):
    """The first rank's view: everybody comes here."""

    def __init__(self, told):
        self.hosts, self.meet, self.run = told["hosts"], tuple(told["meet"]), told["run"]
        self.there = {}

    def missing(self):
        return [host for rank, host in enumerate(self.hosts) if rank and rank not in self.there]

    def gather(self, stopping, until, tell):
        try:
            with socket.create_server(self.meet, family=family(self.meet)) as door:
                return self.welcome_all(door, stopping, until, tell)
        except OSError as problem:
            why = os.strerror(problem.errno)
            return f"nobody can listen at port {self.meet[1]} on {self.hosts[0]}: {why}"

    def welcome_all(self, door, stopping, until, tell):
        while missing := self.missing():
            tell(missing)
            if stopping.is_set() or time.time() > until:
                return f"nothing was heard of {', '.join(missing)}"
            self.attend(door)
        unheard = [self.hosts[rank] for rank, conn in self.there.items() if not say(conn, "go")]
        return f"{', '.join(unheard)} is lost" if unheard else ""

    def attend(self, door):
        for ready in select.select([door, *self.there.values()], [], [], 1)[0]:
            if ready is door:
                self.welcome(door.accept()[0])
            elif not hear(ready):
                self.there = {rank: conn for rank, conn in self.there.items() if conn is not ready}
                ready.close()

    def welcome(self, conn):
        conn.settimeout(HELLO_SECONDS)
        try:
            hello = json.loads(conn.recv(HELLO_BYTES))
            known = hello["run"] == self.run and 0 < hello["rank"] < len(self.hosts)
        except (OSError, ValueError, KeyError, TypeError):
            known = False
        if not known:
            conn.close()
            return
        watch_over(conn)
        if hello["rank"] in self.there:
            self.there[hello["rank"]].close()
        self.there[hello["rank"]] = conn

    def broken(self):
        for rank, conn in self.there.items():
            if is_ready(conn):
                host, code = self.hosts[rank], hear(conn).partition("ended ")[2].strip()
                return f"vLLM on {host} ended with exit code {code}" if code else f"{host} is lost"
        return ""

    def well(self):
        for conn in self.there.values():
            say(conn, "well")

    def leave(self, code=None):  # noqa: ARG002
        for conn in self.there.values():
            conn.close()
        self.there = {}


class Follower(Single):
    """Another rank's view: a connection to the first one's supervisor."""

    def __init__(self, told):
        self.rank, self.run = told["rank"], told["run"]
        self.first, self.meet = told["hosts"][0], tuple(told["meet"])
        self.conn, self.answers = None, False

    def gather(self, stopping, until, tell):
        why = ""
        while not stopping.is_set() and time.time() < until:
            try:
                self.conn = socket.create_connection(self.meet, timeout=5)
                watch_over(self.conn)
                say(self.conn, json.dumps({"run": self.run, "rank": self.rank}))
                if self.told_to_go(stopping):
                    return ""
                why = f"{self.first} did not start it"
            except OSError as problem:
                why = f"{self.first} does not answer at port {self.meet[1]}: {problem.strerror or problem}"
            self.leave()
            tell([self.first])
            stopping.wait(1)
        return why

    def told_to_go(self, stopping):
        while not stopping.is_set():
            if select.select([self.conn], [], [], 1)[0]:
                return self.heard().startswith("go")
        return False

    def broken(self):
        if is_ready(self.conn) and not self.heard():
            return f"{self.first} has ended it, or is lost"
        return ""

    def heard(self):
        told = hear(self.conn)
        self.answers = self.answers or "well" in told
        return told

    def leave(self, code=None):
        if self.conn:
            if code is not None:
                say(self.conn, f"ended {code if code >= 0 else 128 - code}")  # as a shell counts
            self.conn.close()
        self.conn, self.answers = None, False


def of(spec):
    told = spec["company"]
    return Single() if not told else Follower(told) if told["rank"] else Leader(told)


def family(address):
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def watch_over(conn):
    """Lets the system find out that the other side is gone without a word."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in LOST.items():
        conn.setsockopt(socket.IPPROTO_TCP, option, value)


def is_ready(conn):
    return bool(select.select([conn], [], [], 0)[0])


def hear(conn):
    """What the other side has said; empty when it is gone."""
    try:
        return conn.recv(HELLO_BYTES).decode(errors="replace")
    except OSError:
        return ""


def say(conn, words):
    """Whether it could be said."""
    try:
        conn.sendall(f"{words}\n".encode())
    except OSError:
        return False
    return True
