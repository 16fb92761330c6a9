"""A port of this machine whose connections a host carries on, byte for byte."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Self

from orchestrator.remote.door import Door
from orchestrator.remote.transport import Failure, Wire

CONNECTIONS = 64  # at once; a browser has six for a site, and some that it keeps in reserve
LOOK = 0.5  # seconds after which it is looked whether to stop
CHUNK = 1 << 16
LONGEST = 1 << 16  # bytes of a request to the door

Connect = Callable[[Event], Wire | Failure]


def listen(port: int) -> socket.socket:
    """A listener on 127.0.0.1, on any free port for 0; OSError where it is taken."""
    listener = socket.create_server(("127.0.0.1", port), backlog=CONNECTIONS)
    listener.settimeout(LOOK)
    return listener


class Tunnel:
    """What comes to `listener` goes on by a wire of its own, made by `connect`; some is for the `door`.

    A context, at whose end no connection and no thread of it is left. The listener's owner closes that.
    """

    def __init__(self, listener: socket.socket, connect: Connect, door: Door | None) -> None:
        self._listener, self._connect, self._door = listener, connect, door
        self._open: set[Wire] = set()
        self._lock, self._stop = Lock(), Event()
        self._pool = ThreadPoolExecutor(CONNECTIONS, "tunnel")
        self._accepting = Thread(target=self._accept, name="tunnel-accept")

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._accepting.join()
        with self._lock:
            for wire in self._open:
                _end(wire)
        self._pool.shutdown()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                client.settimeout(None)
                self._pool.submit(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), self._kept(client):
            said = self._heard(client)
            if self._door and said.startswith(self._door.knock):
                client.sendall(self._door.answer())
            elif said:
                self._carry_on(client, said)

    def _heard(self, client: socket.socket) -> bytes:
        """The first that is said: of a request to the door, its whole head; of any other, enough to tell it."""
        knock, said = self._door.knock if self._door else b"", b""
        while not said or knock.startswith(said) or (said.startswith(knock) and _unfinished(said, knock)):
            heard = client.recv(CHUNK)
            said += heard
            if not heard:
                break
        return said
