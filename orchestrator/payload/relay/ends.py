"""Ends of a chain's stream: the commands that give it and take it, and what is told of them on standard output.

SOURCES and SINKS have an entry for each kind; a program that is sent along adds its own. A source gives pieces of
bytes until the stream is whole. A sink's `write` takes one, `close` ends a stream that was whole, `abort` one that was
not, quickly and from any thread.
"""

import contextlib
import fcntl
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import threading

MB = 1 << 20
PIECE = 1 << 18
PIPE_SIZE = 1031  # F_SETPIPE_SZ
DOCKERS = (
    "dockerd",
    "containerd",
    "podman",
    "docker-untar",
    "exe",
    "unpigz",
)  # by names as the kernel has them
SESSION, CPU = 3, slice(11, 15)  # of /proc/PID/stat behind the name: user and system, children's too


class RelayError(Exception):
    """What went wrong, in words for people; the exit code, where it is a command that told it."""

    def __init__(self, words, code=None):
        super().__init__(words)
        self.code = code


_saying = threading.Lock()


def say(what, **facts):
    line = json.dumps({"what": what, **facts}) + "\n"
    with _saying, contextlib.suppress(OSError):
        sys.stdout.write(line)
        sys.stdout.flush()


def report(**facts):
    say("told", **facts)


def words_of(error):
    if isinstance(error, RelayError):
        return str(error)  # empty, of a command that said nothing
    if isinstance(error, socket.timeout):  # noqa: UP041 - another type, up to Python 3.9
        return "nothing came in time"
    reason = (getattr(error, "reason", None) or "").replace("_", " ").lower()  # of TLS
    return reason or getattr(error, "strerror", None) or str(error) or type(error).__name__


class CommandSource:
    """What a command prints, piece by piece. It is heard out: its exit code says whether that was all."""

    def __new__(cls, config, _report):
        return cls.read(config["command"])

    @staticmethod
    def read(argv):
        process, words = started(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            while True:
                piece = os.read(process.stdout.fileno(), PIECE)
                if not piece:
                    break
                yield piece
            judge(words, process.wait())
        finally:
            end(process)


class CommandSink:
    """A command that reads the stream."""

    def __init__(self, config, _report):
        self.process, self.words = started(config["command"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.said = Tail(self.process.stdout)

    def write(self, piece):
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(self.process.stdin.fileno(), rest) :]
        except BrokenPipeError:
            judge(self.words, self.process.wait())
            raise RelayError(f"{self.process.args[0]} ended before it had all") from None

    def close(self):
        self.process.stdin.close()
        judge(self.words, self.process.wait())
        return {"said": self.said.text()}

    def abort(self):
        end(self.process)

    def worked(self):
        """How much the command has done, and Docker for it, as a count of CPU ticks."""
        return sum(
            ticks(stat) for stat in stats() if stat[0] in DOCKERS or stat[1][SESSION] == str(self.process.pid)
        )


def stats():
    """Of the processes that can be seen, what each is called, and its numbers."""
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path, errors="replace") as file:
            name, _, numbers = file.read().partition("(")[2].rpartition(")")
            yield name, numbers.split()


def ticks(stat):
    return sum(map(int, stat[1][CPU]))


class Tail:
    """The last words that come from a pipe, read as they come."""

    def __init__(self, pipe):
        self.pipe, self.kept = pipe, b""
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError, ValueError):
            for line in self.pipe:
                self.kept = (self.kept + line)[-4096:]

    def text(self):
        self.thread.join(2)
        return self.kept.decode(errors="replace").strip()


CHILDREN = []


def started(argv, **streams):
    """In a session of its own, so that all of it can be ended at once; and what it says on standard error."""
    try:
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, start_new_session=True, bufsize=0, **streams)
    except OSError as error:
        raise RelayError(f"{argv[0]}: {error.strerror}") from None
    CHILDREN.append(process)
    for pipe in filter(None, (process.stdin, process.stdout)):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), PIPE_SIZE, MB)
    return process, Tail(process.stderr)


def judge(words, code):
    if code:
        raise RelayError(words.text(), code)


def end(process):
    """At once, with all that it has begun. What belongs to another user sees its input end instead."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


SOURCES = {"command": CommandSource}
SINKS = {"command": CommandSink}
