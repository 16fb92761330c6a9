"""Runs inside a container, on the image's own Python: keeps a model's server running, and tells of it.

    supervisor.py start SPEC     begins to keep what SPEC, JSON, says, as a process of its own
    supervisor.py keep           goes on with what it was given last: for a container that starts again
    supervisor.py look LINES     tells of it as a line of JSON, with the last LINES of the server's log
    supervisor.py ask            asks the server for a word of the model's, and tells of the answer
    supervisor.py stop           ends it, and succeeds when nothing of it is left

A server that has answered once is started again whenever it ends; one that never did is not.
"""

import contextlib
import errno
import fcntl
import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import processes
import rank_group  # these are beside this file
import server

LOCK = "hhqqi"  # struct flock of a 64-bit Linux: type, whence, start, length, and who holds it
END_SECONDS = 30  # vLLM ends by itself in a few
LONG_LIFE = 300
PAUSES = (1, 2, 4, 8, 15, 30, 60)  # seconds before another life
GATHER_SECONDS = 60  # for the ranks of a server that has never answered to find each other
LASTING = ("answered", "lives", "exit_code", "died")
"""What is remembered through the lives that follow."""


def hold():
    """Takes the lock that a supervisor has for as long as it lives; None where another has it."""
    file = open(server.at("lock"), "a+")  # noqa: SIM115 - held open
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def holder():
    """The supervisor's process; 0 where there is none. To ask takes nothing, so that nobody who looks is in the way."""
    asked = struct.pack(LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    with open(server.at("lock"), "a+") as file:
        kind, *_, pid = struct.unpack(LOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return 0 if kind == fcntl.F_UNLCK else pid


class Supervisor:
    """Lives of the server, one after the other."""

    def __init__(self, spec):
        self.spec, self.state = spec, server.read("state.json")
        self.stopping = threading.Event()
        self.company = rank_group.of(spec)
        signal.signal(signal.SIGTERM, lambda *_: self.stopping.set())

    def run(self):
        tries = 0
        while not self.stopping.is_set():
            began = time.time()
            self.become("waiting")
            why = "" if self.wait_for_port() else "stopped"
            why = why or self.gather()
            code, why = (None, why) if why else self.live()
            self.company.leave(code)
            if self.stopping.is_set():
                return
            self.become("ended", exit_code=code, died=time.time(), why=why)
            if not self.state.get("answered"):
                return
            # The first rank paces them all.
            tries = 0 if self.company.rank or time.time() > began + LONG_LIFE else tries + 1
            self.stopping.wait(PAUSES[min(tries, len(PAUSES) - 1)])

    def become(self, what, **more):
        lasting = {key: self.state[key] for key in LASTING if key in self.state}
        self.state = {**lasting, "is": what, "since": time.time(), **more}
        with contextlib.suppress(OSError):  # a full disk does not end a server that answers
            server.write("state.json", self.state)

    def wait_for_port(self):
        """Until Ray is there: vLLM would start one of its own."""
        while self.spec["after"] and not self.stopping.is_set():
            try:
                socket.create_connection(tuple(self.spec["after"]), timeout=2).close()
                break
            except OSError:
                self.stopping.wait(1)
        return not self.stopping.is_set()

    def gather(self):
        """Until all ranks are there; else why they are not."""
        until = math.inf if self.state.get("answered") else time.time() + GATHER_SECONDS
        return self.company.gather(self.stopping, until, self.wait_for)

    def wait_for(self, hosts):
        if hosts != self.state.get("missing"):
            self.become("waiting", missing=hosts)

    def live(self):
        """One life of the server: its exit code, and why it ended where that was not of its own accord."""
        self.become("starting", lives=self.state.get("lives", 0) + 1)
        with contextlib.suppress(OSError):
            server.log(f"{server.BEGINS} {self.state['lives']}\n".encode())
        try:
            child = self.begin()
        except (OSError, ValueError) as problem:
            server.log(f"{self.spec['argv'][0]}: {getattr(problem, 'strerror', problem)}\n".encode())
            return 127, ""
        pump = threading.Thread(target=copy, args=(child.stdout,), daemon=True)
        pump.start()
        why = ""
        while child.poll() is None and not self.stopping.wait(0.5) and not (why := self.company.broken()):
            if self.state["is"] == "starting" and self.answers():
                self.become("answering", answered=True)
                self.company.well()
        if why:
            self.become("ended", why=why)
        elif child.poll() is not None:
            why = self.company.broken() if not self.company.rank else ""
            self.company.leave(child.returncode)
        self.end(child)
        pump.join(2)
        return child.returncode, why

    def answers(self):
        """Whether the server does; the first rank alone can tell."""
        return self.company.answers if self.company.rank else not server.health(self.spec)

    def begin(self):
        # The server would share the port, and would seem to answer.
        if not self.company.rank and processes.is_taken(self.spec["url"]):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        ours = {**processes.MARKED, "PYTHONUNBUFFERED": "1"}
        env = {**os.environ, **self.spec["env"], **ours}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(self.spec["argv"], env=env, start_new_session=True, **pipes)

    def end(self, child):
        """Ends the server, in good order first, and whatever it has left."""
        if child.poll() is None:
            child.terminate()
        until = time.time() + END_SECONDS
        while child.poll() is None and time.time() < until:
            time.sleep(0.1)
        processes.end_left()
        child.wait()


def copy(pipe):
    while data := os.read(pipe.fileno(), 65536):
        with contextlib.suppress(OSError):  # of a full disk; a server that nobody reads would stand still
            server.log(data)


def start(spec):
    if stop():
        return 1
    server.forget("state.json", server.LOG, server.LOG + ".1")
    server.write("spec.json", json.loads(spec))
    with open(server.at(server.LOG), "ab") as log:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        words = [sys.executable, os.path.abspath(__file__), "keep"]
        supervisor = subprocess.Popen(words, start_new_session=True, **pipes)
    while not server.read("state.json"):
        if supervisor.poll() is not None and not holder():
            print("the supervisor has ended:", *server.tail(5), sep="\n", file=sys.stderr)
            return 1
        time.sleep(0.05)
    return 0


def keep():
    held, spec, state = hold(), server.read("spec.json"), server.read("state.json")
    if not held or not spec or (state.get("is") == "ended" and not state.get("answered")):
        return
    supervisor = Supervisor(spec)
    processes.end_left()
    try:
        supervisor.run()
    finally:
        processes.end_left()


def look(lines):
    server.look(lines, kept=bool(holder()))


def stop():
    """Asks the supervisor to end, and waits for it: it holds the lock until nothing of its server is left."""
    server.forget("spec.json")
    until, asked = time.time() + END_SECONDS + 20, 0
    while pid := holder():
        if pid != asked:
            processes.kill(pid, signal.SIGTERM)
            asked = pid
        if time.time() > until:
            print("these processes do not end:", *processes.marked(), file=sys.stderr)
            return 1
        time.sleep(0.1)
    processes.end_left()
    return 0


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    sys.exit({"start": start, "keep": keep, "look": look, "ask": server.ask, "stop": stop}[what](*words))
