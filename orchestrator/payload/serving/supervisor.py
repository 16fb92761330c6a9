"""Supervisor of a model's server, in a container, on the image's own Python.

    supervisor.py start SPEC            starts a supervisor of what SPEC, JSON, says, as a process of its own, and
                                        prints what tells this start from any other
    supervisor.py run                   starts all again that are to run: for a container that starts again
    supervisor.py run NAME              supervises the server of that name
    supervisor.py inspect LINES [SECONDS [NAME…]]
                                        prints the state of each server, or of those, as a line of JSON, with the
                                        last LINES of its log; unless one answers, once one has changed, or SECONDS
                                        are over
    supervisor.py ask NAME              asks the model for a token, and prints what came of it
    supervisor.py stop NAME [START]     ends it, if it is still of that start, and succeeds when nothing of it is left;
                                        its log stays

Servers know nothing of each other: each has a name, a folder (`server.Files`) and a supervisor. One that has answered
once is started again whenever it ends; one that never did is not.
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
import urllib.parse
from functools import partial

import rank_group  # these are beside this file
import server
from common import elsewhere
from life import Life

MARK = "RAYCLUSTER_SERVES"
"""A server has it in its environment, and all that it starts: the server's folder."""
KEPT = {"SPT_NOENV": "1", "PYTHONUNBUFFERED": "1"}
"""vLLM's processes name themselves: without the first setproctitle would write the name over the environment."""

LOCK = "hhqqi"  # struct flock of a 64-bit Linux: type, whence, start, length, and who holds it
TICK = 0.5  # seconds between two looks at a server
SOON = 0.05  # the same while it loads: an answer is told at once
END_SECONDS = 30  # vLLM ends by itself in a few
GONE_SECONDS = 3
LONG_RUN = 300
PAUSES = (1, 2, 4, 8, 15, 30, 60)  # seconds before another start
GATHER_SECONDS = 60  # for the ranks of a server that has never answered to find each other
LONGEST = 1000  # bytes of a line
LASTING = ("answered", "starts", "exit_code", "failures")
"""What is remembered when the server is started again."""


def hold(files):
    """Takes the lock that a supervisor has for as long as it lives; None where another has it."""
    file = open(files.at("lock"), "a+")  # noqa: SIM115 - held open
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def holder(files):
    """The supervisor's process; 0 where there is none. Asking takes no lock, and so is in nobody's way."""
    if not os.path.isdir(files.folder):
        return 0
    asked = struct.pack(LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    with open(files.at("lock"), "a+") as file:
        kind, *_, pid = struct.unpack(LOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return 0 if kind == fcntl.F_UNLCK else pid


class Supervisor:
    """Starts the server, and starts it again whenever it ends that has answered once."""

    def __init__(self, files, spec):
        self.files, self.spec, self.state = files, spec, files.read("state.json")
        self.stopping = threading.Event()
        self.group = rank_group.of(spec)
        self.life = None
        signal.signal(signal.SIGTERM, lambda *_: self.stopping.set())

    def run(self):
        tries = 0
        while not self.stopping.is_set():
            began = time.time()
            self.become("waiting")
            self.wait_for_port()
            until = math.inf if self.state.get("answered") else time.time() + GATHER_SECONDS
            why = (
                "stopped"
                if self.stopping.is_set()
                else self.group.gather(self.stopping, until, self.wait_for)
            )
            code, why = (None, why) if why else self.serve_once()
            self.group.leave(code)
            if self.stopping.is_set():
                return
            self.become("ended", exit_code=code, why=why, failures=self.state.get("failures", 0) + 1)
            if not self.state.get("answered"):
                return
            # The first rank paces them all.
            tries = 0 if self.group.rank or time.time() > began + LONG_RUN else tries + 1
            self.stopping.wait(PAUSES[min(tries, len(PAUSES) - 1)])

    def become(self, what, **more):
        lasting = {key: self.state[key] for key in LASTING if key in self.state}
        since = self.state.get("since", time.time()) if what == self.state.get("is") else time.time()
        self.state = {**lasting, "is": what, "since": since, **more}
        with contextlib.suppress(OSError):  # a full disk does not end a server that answers
            self.files.write("state.json", self.state)

    def wait_for_port(self):
        """Until Ray is there: vLLM would start one of its own."""
        while self.spec["after"] and not self.stopping.is_set():
            try:
                socket.create_connection(tuple(self.spec["after"]), timeout=2).close()
                break
            except OSError:
                self.stopping.wait(1)

    def wait_for(self, hosts):
        if hosts != self.state.get("missing"):
            self.become("waiting", missing=hosts)

    def serve_once(self):
        """The server from start to end: its exit code, and why it ended where that was not of its own accord."""
        self.become("starting", starts=self.state.get("starts", 0) + 1)
        with contextlib.suppress(OSError):
            self.files.log(f"{server.BEGINS} {self.state['starts']}\n".encode())
        try:
            child = self.begin()
        except (OSError, ValueError) as problem:
            command = self.spec["argv"][0]
            self.files.log(f"{command}: {getattr(problem, 'strerror', problem)}\n".encode())
            if folder := getattr(problem, "errno", 0) == errno.ENOENT and elsewhere(command):
                path = os.environ.get("PATH", "")
                self.files.log(f"{command} is in {folder}, which is not on its PATH, {path}\n".encode())
            return 127, ""
        self.life = Life(self.spec, self.group, self.become, self.say, partial(marked, self.files))
        pump = threading.Thread(target=self.copy, args=(child.stdout,), daemon=True)
        pump.start()
        why = ""
        while child.poll() is None and not why and not self.stopping.wait(SOON if self.life.loads else TICK):
            why = self.group.broken() or self.life.tick()
        if why:
            self.say(f"{why}: it is ended")
            self.become("ended", why=why)
            self.group.leave()  # so that all ranks end at once
        elif child.poll() is not None:
            why = self.group.broken() if not self.group.rank else ""
            self.group.leave(child.returncode)
        self.end(child)
        pump.join(2)
        return child.returncode, why

    def copy(self, pipe):
        """Logs what the server says, and hears it."""
        rest = b""
        while data := os.read(pipe.fileno(), 65536):
            with contextlib.suppress(OSError):  # of a full disk; a server that nobody reads would stand still
                self.files.log(data)
            *lines, rest = (rest[-LONGEST:] + data.replace(b"\r", b"\n")).split(b"\n")
            for line in lines:
                self.life.hear(line)

    def say(self, text):
        """A line of ours in the server's log."""
        with contextlib.suppress(OSError):
            self.files.log(f"raycluster: {text}\n".encode())

    def begin(self):
        # The server would share the port, and would seem to answer.
        if not self.group.rank and is_taken(self.spec["url"]):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        env = {**os.environ, **self.spec["env"], **KEPT, MARK: self.files.folder}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(self.spec["argv"], env=env, start_new_session=True, **pipes)

    def end(self, child):
        """Ends the server, in good order first, and whatever it has left."""
        if child.poll() is None:
            child.terminate()
        until = time.time() + END_SECONDS
        while child.poll() is None and time.time() < until:
            time.sleep(0.1)
        end_left(self.files)
        child.wait()


def is_taken(url):
    """Whether something listens there already."""
    there = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((there.hostname, there.port), timeout=2).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def end_left(files):
    """Ends what is left of a server, be it one whose supervisor was killed."""
    while left := marked(files):
        for pid in left:
            kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def marked(files):
    """The processes that carry the server's mark in their environment."""
    found, wanted = [], f"{MARK}={files.folder}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if wanted in file.read().split(b"\0"):
                found.append(int(pid))
    return found


def kill(pid, how):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def start(spec):
    spec = json.loads(spec)
    if refused := server.too_old(spec["needs"]):
        print(refused, file=sys.stderr)
        return 1
    files = server.Files(spec["name"])
    nameless = server.Files("").read("spec.json").get("model") == spec["model"]
    if stop(files.name) or (nameless and stop("")):
        return 1
    os.makedirs(files.folder, mode=0o700, exist_ok=True)
    files.forget("stopped.json", "state.json", server.LOG, server.LOG + ".1")
    this = f"{time.time_ns():x}"
    files.write("spec.json", {**spec, "python": sys.executable, "start": this})
    with open(files.at(server.LOG), "ab") as log:
        supervisor = begin(files, {"stdout": log, "stderr": log})
    while not files.read("state.json"):
        if supervisor.poll() is not None and not holder(files):
            print("the supervisor has ended:", *files.tail(5), sep="\n", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print(this)
    return 0


def begin(files, pipes):
    """Starts a server's supervisor as a process of its own."""
    words = [sys.executable, os.path.abspath(__file__), "run", files.name]
    return subprocess.Popen(words, start_new_session=True, stdin=subprocess.DEVNULL, **pipes)


def run(name=None):
    """On the Python that the server was started with first: a container that starts again has `python3` run this."""
    if name is None:
        for files in server.servers():
            begin(files, {})
        return
    files = server.Files(name)
    python = files.read("spec.json").get("python", sys.executable)
    if python != sys.executable and os.access(python, os.X_OK):
        os.execv(python, [python, *sys.argv])  # noqa: S606 - the same program
    lock = os.path.isdir(files.folder) and hold(files)
    spec, state = files.read("spec.json"), files.read("state.json")
    if not lock or not spec or (state.get("is") == "ended" and not state.get("answered")):
        return
    supervisor = Supervisor(files, spec)
    end_left(files)
    try:
        supervisor.run()
    finally:
        end_left(files)


def inspect(lines, seconds="0", *names):
    """Side by side: a server that hangs takes seconds to say nothing."""
    wanted = list(map(server.Files, names)) or server.servers()
    until, before = time.time() + float(seconds), doing(wanted)
    told = look(wanted, lines)
    if time.time() < until and all(each["trouble"] for each in told):
        wait_for_change(wanted, before, until)
        told = look(wanted, lines)
    for each in told:
        print(json.dumps(each))


def look(wanted, lines):
    told = {}

    def one(files):
        told[files.name] = server.inspect(files, lines, bool(holder(files)))

    looks = [threading.Thread(target=one, args=(files,)) for files in wanted]
    for each in looks:
        each.start()
    for each in looks:
        each.join()
    return [told[files.name] for files in wanted]


def wait_for_change(wanted, before, until):
    """Until one does something else or is given up, which whoever waits for all of them is told at once."""
    while time.time() < until and before == doing(wanted) and all(map(holder, wanted)):
        time.sleep(SOON)


def doing(wanted):
    return [files.read("state.json").get("is") for files in wanted]


def ask(name=""):
    """Asks the model for a token, and prints what came of it."""
    files = server.Files(name)
    spec = files.read("spec.json")
    answer = server.ask(spec)
    if server.is_answer(answer.status):
        print(json.dumps(server.told(spec, answer)))
        return 0
    print((not answer.status and why_gone(files)) or server.why_none(answer), file=sys.stderr)
    return 1


def why_gone(files):
    """Why the server is gone that answered a moment ago, by its supervisor, which takes another moment to say so."""
    until = time.time() + GONE_SECONDS
    while (state := files.read("state.json")).get("is") == "answering" and time.time() < until:
        time.sleep(0.1)
    return state.get("why", "")


def stop(name="", start=""):
    """Asks the supervisor to end, and waits for it: it holds the lock until nothing of its server is left."""
    files = server.Files(name)
    if spec := files.read("spec.json"):
        if start and spec.get("start") != start:
            print("another run has started it anew since, so it is left as it is", file=sys.stderr)
            return 1
        files.write("stopped.json", {"model": spec["model"], "group": spec.get("group"), "at": time.time()})
    files.forget("spec.json")
    until, asked = time.time() + END_SECONDS + 20, 0
    while pid := holder(files):
        if pid != asked:
            kill(pid, signal.SIGTERM)
            asked = pid
        if time.time() > until:
            print("these processes do not end:", *marked(files), file=sys.stderr)
            return 1
        time.sleep(0.1)
    end_left(files)
    return 0


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    sys.exit({"start": start, "run": run, "inspect": inspect, "ask": ask, "stop": stop}[what](*words))
