"""Two wires made one: what comes from either goes to the other, until both have said their last."""

import socket
from contextlib import suppress
from threading import Thread

from orchestrator.remote.transport import Wire

CHUNK = 1 << 16


def splice(client: Wire, wire: Wire, said: bytes) -> None:
    """Carries on what the client has `said` already and all that follows, both ways, to the end."""
    back = Thread(target=_pump, args=(wire, client), name="tunnel-back")
    back.start()
    _pump(client, wire, said)
    back.join()


def _pump(source: Wire, sink: Wire, said: bytes = b"") -> None:
    """Until the source says no more, which the sink is told. What breaks on one side ends both."""
    try:
        chunk = said or source.recv(CHUNK)
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
