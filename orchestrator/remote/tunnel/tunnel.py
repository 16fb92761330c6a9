"""A port of this machine whose connections a host carries on, byte for byte."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Self

from orchestrator.remote.timeouts import DEFAULT
from orchestrator.remote.transport import Failure, Wire
from orchestrator.remote.tunnel.token_login import LoginLink, error_page

CHUNK = 1 << 16


def relay(client: Wire, wire: Wire, received: bytes) -> None:
    """Carries what was `received` from the client and all that follows, both ways, to the end."""
    back = Thread(target=_pump, args=(wire, client), name="tunnel-back")
    back.start()
    _pump(client, wire, received)
    back.join()


def _pump(source: Wire, sink: Wire, received: bytes = b"") -> None:
    """Until the source says no more, which the sink is told. What breaks on one side ends both."""
    try:
        chunk = received or source.recv(CHUNK)
        while chunk:
            sink.sendall(chunk)
            chunk = source.recv(CHUNK)
        sink.shutdown(socket.SHUT_WR)
    except (OSError, EOFError):
        end(source)
        end(sink)


def end(wire: Wire) -> None:
    """Wakes whoever waits for it, too: a socket does that by its shutdown, a channel by its close."""
    with suppress(OSError, EOFError):
        wire.shutdown(socket.SHUT_RDWR)
    with suppress(OSError, EOFError):
        wire.close()


CONNECTIONS = 64  # at once; a browser has six for a site, and some that it keeps in reserve

Listener = socket.socket
Connect = Callable[[Event], Wire | Failure]


def listen(port: int) -> Listener:
    """A listener on 127.0.0.1, on any free port for 0; OSError where it cannot be had."""
    listener = socket.create_server(("127.0.0.1", port), backlog=CONNECTIONS)
    listener.settimeout(DEFAULT.poll)
    return listener


class Tunnel:
    """Each connection to `listener` goes on by a wire of its own, which `connect` makes; `login` answers a few.

    A context, at whose end neither a connection nor a thread of it is left; the listener is its owner's.
    It carries HTTP: the one who connects speaks first.
    """

    def __init__(
        self,
        listener: Listener,
        connect: Connect,
        login: LoginLink,
        *,
        connections: int = CONNECTIONS,
        first_words: float = DEFAULT.tunnel_first_words,
    ) -> None:
        self._listener, self._connect, self._login = listener, connect, login
        self._first_words = first_words
        self._open: set[Wire] = set()
        self._lock, self._stop = Lock(), Event()
        self._pool = ThreadPoolExecutor(connections, "tunnel")
        self._accepting = Thread(target=self._accept, name="tunnel-accept")

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._accepting.join()
        with self._lock:
            for wire in self._open:
                end(wire)
        self._pool.shutdown()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError, ConnectionError):
                client, _ = self._listener.accept()
                client.settimeout(self._first_words)
                self._pool.submit(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with self._kept(client), suppress(OSError):
            received = client.recv(CHUNK)
            while self._login.wants_more(received) and (more := client.recv(CHUNK)):
                received += more
            if answer := self._login.answer(received):
                client.sendall(answer)
            elif received:
                self._carry_on(client, received)

    def _carry_on(self, client: socket.socket, received: bytes) -> None:
        client.settimeout(None)
        wire = self._connect(self._stop)
        if isinstance(wire, Failure):
            client.sendall(error_page(wire))
            return
        with self._kept(wire):
            relay(client, wire, received)

    @contextmanager
    def _kept(self, wire: Wire) -> Iterator[None]:
        """Ended with the tunnel, if not before."""
        with self._lock:
            self._open.add(wire)
        if self._stop.is_set():
            end(wire)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(wire)
            end(wire)
