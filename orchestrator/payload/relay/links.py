"""Links of a chain: TLS both ways between a relay and the one behind it, which comes and says from where to go on."""

import contextlib
import json
import os
import queue
import random
import shutil
import socket
import ssl
import struct
import tempfile
import threading
import time

from common import family
from ends import MB, PIECE, RelayError, say, words_of
from history import Waker

FRAME = struct.Struct(">I")
ACK_EVERY, ACK_SECONDS = MB // 2, 0.1
CONNECT_SECONDS, AGAIN_SECONDS = 5.0, 0.3
HANDSHAKES = 64  # at once: who only connects takes one of them, for CONNECT_SECONDS
STRANGERS = 20  # that are told of
LONGEST = 1000  # of a first line


def context(config, server):
    """Both ends show a certificate of this run, and nobody else's counts."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if hasattr(made, "minimum_version"):
        made.minimum_version = ssl.TLSVersion.TLSv1_2
    else:
        made.options |= ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
    made.check_hostname = False  # the name of the relay counts, and is compared where it is connected
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=config["ca"])
    with as_file(config["cert"] + config["key"]) as path:
        made.load_cert_chain(path)
    return made


@contextlib.contextmanager
def as_file(text):
    """Of memory where the system has such files; else one that nobody else may open, and that is gone at once."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("relay"), "w") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    folder = tempfile.mkdtemp()  # its owner's alone
    try:
        path = os.path.join(folder, "key")
        with open(path, "w") as file:
            file.write(text)
        yield path
    finally:
        shutil.rmtree(folder)


def name_of_peer(wire):
    return dict(part for parts in wire.getpeercert()["subject"] for part in parts).get("commonName", "")


def prepare(wire):
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wire.settimeout(0)


def send_some(wire, rest):
    """What is left to send. A try that would wait has to be repeated with the same bytes."""
    while rest:
        try:
            rest = rest[wire.send(rest) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            break
    return rest


class GapError(Exception):
    """Nobody has the bytes any more that are missing here."""

    def __init__(self, facts):
        super().__init__(str(facts))
        self.facts = facts


class Upstream:
    """The connection to the relay before this one, which gives the stream."""

    def __init__(self, config, history, patience):
        self.context, self.history, self.waker = context(config, server=False), history, Waker()
        self.patience = patience
        self.orders = queue.Queue()
        history.wakers.append(self.waker)
        threading.Thread(target=self.run, daemon=True).start()

    def go_to(self, order):
        self.orders.put(order)
        self.waker.wake()

    def run(self):
        while True:
            order = self.orders.get()
            try:
                wire = self.link(order)
            except (OSError, ValueError, RelayError) as error:
                say("unreached", peer=order["peer"], ip=order["ip"], port=order["port"], why=words_of(error))
                continue
            except GapError as gap:
                say("gap", peer=order["peer"], **gap.facts)
                continue
            try:
                say("linked", side="upstream", peer=order["peer"])
                self.read(wire)
            except (OSError, RelayError) as error:
                say("cut", side="upstream", peer=order["peer"], why=words_of(error))
            finally:
                wire.close()

    def link(self, order):
        """Tries for a while: the other may not know yet that we are to come."""
        until = time.monotonic() + self.patience
        while True:
            try:
                return self.connect(order)
            except (OSError, ValueError, RelayError):
                if time.monotonic() > until or not self.orders.empty():
                    raise
            time.sleep(AGAIN_SECONDS)

    def connect(self, order):
        plain = socket.create_connection((order["ip"], order["port"]), CONNECT_SECONDS)
        try:
            plain.settimeout(CONNECT_SECONDS)
            wire = self.context.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        try:
            self.greet(wire, order["peer"])
        except BaseException:
            wire.close()
            raise
        prepare(wire)
        return wire

    def greet(self, wire, peer):
        if name_of_peer(wire) != peer:
            raise RelayError(f"another relay answers there: {name_of_peer(wire)}")
        with self.history.changed:
            hello = {"from": self.history.end, "behind": self.history.received()}
        wire.sendall((json.dumps(hello) + "\n").encode())
        answer = json.loads(first_line(wire))
        if answer:
            raise GapError(answer)

    def read(self, wire):
        frames, told, rest, then = Frames(), None, b"", 0.0
        while self.orders.empty():
            with self.history.changed:
                room, now = self.history.has_room() and not self.history.ended, self.history.received()
            if not rest and now != told and self.is_due(now, told, then):
                told, then, rest = now, time.monotonic(), memoryview((json.dumps(now) + "\n").encode())
            rest = send_some(wire, rest)
            piece = frames.read(wire) if room else None
            if piece:
                self.history.append(piece)
            elif piece == b"":
                self.history.finish()
            else:
                seconds = ACK_SECONDS if now != told else 1.0
                self.waker.wait([wire] if room else [], [wire] if rest else [], seconds)

    def is_due(self, now, told, then):
        far = told is None or now[0] - told[0] >= ACK_EVERY or len(now) != len(told)
        return far or self.history.ended or time.monotonic() - then >= ACK_SECONDS


class Frames:
    """Cuts what comes into pieces: each has its length before it, and an empty one is the end."""

    def __init__(self):
        self.head, self.body, self.have = bytearray(), None, 0

    def read(self, wire):
        """The next piece, as far as it is there; None: nothing is."""
        try:
            while self.body is None:
                got = wire.recv(FRAME.size - len(self.head))
                if not got:
                    raise RelayError("the connection ended before the stream did")
                self.head += got
                if len(self.head) == FRAME.size:
                    length = FRAME.unpack(bytes(self.head))[0]
                    if length > PIECE:
                        raise RelayError(f"a piece of {length} bytes")
                    self.head, self.body, self.have = bytearray(), bytearray(length), 0
            while self.have < len(self.body):
                got = wire.recv_into(memoryview(self.body)[self.have :])
                if not got:
                    raise RelayError("the connection ended before the stream did")
                self.have += got
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        piece, self.body = self.body, None
        return piece


class Downstream:
    """The place for the one relay behind this one: listens, lets nobody else in, and gives the stream."""

    def __init__(self, config, history):
        self.context, self.history, self.waker = context(config, server=True), history, Waker()
        self.peer, self.sent, self.moved, self.lock = None, 0, time.monotonic(), threading.Lock()
        self.wanted, self.strangers, self.places = 0, 0, threading.BoundedSemaphore(HANDSHAKES)
        self.server = listener(config["ip"], config["ports"])
        self.port = self.server.getsockname()[1]
        history.wakers.append(self.waker)
        threading.Thread(target=self.accept, daemon=True).start()

    def expect(self, peer):
        """The name of the relay that may come; None: there is to be none."""
        with self.lock:
            self.peer, self.wanted, self.moved = peer, self.wanted + 1, time.monotonic()
        with self.history.changed:
            if peer is None:
                self.history.behind = None
            elif self.history.behind is None:
                self.history.behind = [self.history.begin]
            self.history.trim()
            self.history.notify()

    def accept(self):
        while True:
            try:
                plain, address = self.server.accept()
            except OSError:
                time.sleep(0.1)  # too many files: others are to end first
                continue
            if not self.places.acquire(blocking=False):
                plain.close()
                continue
            threading.Thread(target=self.welcome, args=(plain, address[0]), daemon=True).start()

    def welcome(self, plain, ip):
        wire = None
        try:
            try:
                plain.settimeout(CONNECT_SECONDS)
                wire = self.context.wrap_socket(plain, server_side=True)
                name = name_of_peer(wire)
                if name != self.peer:  # one of this run, too early or too late
                    return
                hello = json.loads(first_line(wire))
            except (OSError, ValueError, RelayError) as error:
                self.tell_of_stranger(ip, error)
                return
            finally:
                self.places.release()
            try:
                self.serve(wire, name, hello)
            except (OSError, ValueError, RelayError) as error:
                say("cut", side="next", peer=name, why=words_of(error))
        finally:
            (wire or plain).close()

    def tell_of_stranger(self, ip, error):
        with self.lock:
            self.strangers += 1
            told = self.strangers <= STRANGERS
        if told:
            say("stranger", ip=ip, why=words_of(error))

    def serve(self, wire, name, hello):
        with self.lock:
            self.wanted += 1  # who was served before leaves
            turn, self.sent, self.moved = self.wanted, hello["from"], time.monotonic()
        with self.history.changed:
            have, wanted = self.history.begin, hello["from"]
            if wanted >= have:
                self.history.hear_behind(hello["behind"])
        answer = {"have": have, "wanted": wanted} if wanted < have else {}
        wire.sendall((json.dumps(answer) + "\n").encode())
        if answer:
            return
        prepare(wire)
        say("linked", side="next", peer=name)
        acks, rest, over = b"", b"", False
        while turn == self.wanted:
            acks = self.hear(wire, acks)
            if not rest and not over:
                with self.history.changed:
                    piece, over = self.history.piece(self.sent), self.history.ended
                over = over and not piece
                if piece or over:
                    piece = piece[:PIECE]
                    rest = memoryview(b"".join((FRAME.pack(len(piece)), piece)))
                    self.sent += len(piece)
            before = len(rest)
            rest = send_some(wire, rest)
            if len(rest) < before:
                self.moved = time.monotonic()
            if rest or over or self.sent >= self.history.end:
                self.waker.wait([wire], [wire] if rest else [], 1.0)

    def hear(self, wire, acks):
        try:
            while True:
                got = wire.recv(4096)
                if not got:
                    raise RelayError("it hung up")
                acks += got
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        *lines, acks = acks.split(b"\n")
        if lines:
            self.moved = time.monotonic()
            self.history.hear_behind(json.loads(lines[-1].decode()))
        return acks

    def stuck(self):
        """Seconds for which the relay behind has taken nothing of what there is for it."""
        behind = self.history.behind
        if self.peer is None or not behind or behind[0] >= self.history.end:
            self.moved = time.monotonic()
        return time.monotonic() - self.moved


def first_line(wire):
    line = b""
    while not line.endswith(b"\n"):
        got = wire.recv(1)
        if not got or len(line) > LONGEST:
            raise RelayError("it did not say what it wants")
        line += got
    return line.decode()


def listener(ip, ports):
    """At one of the ports that is free, a different one each time."""
    first, last = ports
    for port in random.sample(range(first, last + 1), last - first + 1):
        server = socket.socket(family(ip), socket.SOCK_STREAM)
        try:
            server.bind((ip, port))
            server.listen(64)
        except OSError as error:
            server.close()
            why = error
        else:
            return server
    raise RelayError(f"cannot listen on {ip}: {why.strerror}")
