"""A tunnel through a real OpenSSH server, to a web server behind it."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from orchestrator.model.secret import Secret
from orchestrator.remote.ssh.transport import SshTransport
from orchestrator.remote.transport import Failure, FailureKind
from orchestrator.remote.tunnel.token_login import LoginLink
from orchestrator.remote.tunnel.tunnel import Tunnel, listen
from tests.remote.conftest import Start
from tests.remote.fakes import SOON
from tests.remote.sshd import Laptop, Sshd, free_port

pytestmark = pytest.mark.sshd

TOKEN = Secret("ray-token", "c0ffee")
PAGE = b"0123456789abcdef" * (1 << 18)  # more than any window or buffer holds


class Page(BaseHTTPRequestHandler):
    """Tells what it was sent, and, asked for /page, a long one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(
            PAGE if self.path == "/page" else f"{self.path} {self.headers['Cookie'] or 'none'}".encode()
        )

    def do_POST(self) -> None:
        self._say(self.rfile.read(int(self.headers["Content-Length"])))

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[int]:
    """The port of a web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def gpu1(server: Sshd, laptop: Laptop) -> SshTransport:  # noqa: ARG001 - it is there
    return laptop.dial("gpu1")


@contextmanager
def tunnel(
    to: SshTransport,
    port: int,
    door: LoginLink | None = None,
    *,
    connections: int = 64,
    first_words: float = SOON,
) -> Iterator[str]:
    """A tunnel's address, as a browser has it."""

    def connect(cancel: Event) -> object:
        return to.connect("127.0.0.1", port, cancel=cancel)

    limits = {"connections": connections, "first_words": first_words}
    with listen(0) as listener, Tunnel(listener, connect, door or LoginLink(None), **limits):  # type: ignore[arg-type]
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def get(link: str, cookie: str = "") -> str:
    with urllib.request.urlopen(urllib.request.Request(link, headers={"Cookie": cookie})) as answer:
        return str(answer.read().decode())


def port_of(link: str) -> int:
    return int(link.rpartition(":")[2])


def said(link: str, *pieces: str) -> str:
    """All that comes back for these very words."""
    with socket.create_connection(("127.0.0.1", port_of(link)), timeout=20) as caller:
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            caller.sendall(piece.encode())
        with caller.makefile("rb") as answer:
            return answer.read().decode()


def test_long_pages_come_whole_side_by_side(gpu1: SshTransport, page: int) -> None:
    with tunnel(gpu1, page) as link, ThreadPoolExecutor(6) as pool:
        assert set(pool.map(get, [f"{link}/page"] * 6)) == {PAGE.decode()}


def test_a_long_request_goes_up_whole(gpu1: SshTransport, page: int) -> None:
    with tunnel(gpu1, page) as link, urllib.request.urlopen(f"{link}/", data=PAGE) as answer:
        assert answer.read() == PAGE


def test_who_says_nothing_takes_nobodys_place_for_long(gpu1: SshTransport, page: int) -> None:
    with (
        tunnel(gpu1, page, connections=1, first_words=0.2) as link,
        socket.create_connection(("127.0.0.1", port_of(link))) as silent,
    ):
        assert get(f"{link}/it") == "/it none"
        assert silent.recv(1) == b""


def test_who_has_said_all_still_hears_the_answer(gpu1: SshTransport) -> None:
    """As half of a TCP connection may end: a server that answers only at the end of what it is sent."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as far,
        tunnel(gpu1, far.getsockname()[1]) as link,
        socket.create_connection(("127.0.0.1", port_of(link)), timeout=20) as near,
    ):
        near.sendall(b"all of it")
        near.shutdown(socket.SHUT_WR)
        with far.accept()[0] as there, there.makefile("rb") as heard:
            assert heard.read() == b"all of it"
            there.sendall(b"thank you")
        assert near.recv(99) == b"thank you"
        assert near.recv(99) == b""


def test_the_link_lets_in_one_browser_and_then_leads_to_the_page(gpu1: SshTransport, page: int) -> None:
    door = LoginLink(TOKEN)
    request = f"GET {door.path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with tunnel(gpu1, page, door) as link:
        first, second = said(link, request), said(link, request)
        assert get(link, "some=cookie") == "/ some=cookie"
    assert "\r\nSet-Cookie: ray-authentication-token=c0ffee; Path=/; HttpOnly; SameSite=Strict\r\n" in first
    for answer in (first, second):
        assert answer.startswith("HTTP/1.1 303 See Other\r\nLocation: /\r\n")
    assert "c0ffee" not in second


@pytest.mark.parametrize("almost", ["/", "/x", "{path}x", "/?{path}", "{path}?x"])
def test_no_other_request_is_given_the_token(gpu1: SshTransport, page: int, almost: str) -> None:
    door = LoginLink(TOKEN)
    path = almost.format(path=door.path)
    with tunnel(gpu1, page, door) as link:
        assert get(f"{link}{path}") == f"{path} none"


def test_a_request_to_the_door_may_come_in_pieces(gpu1: SshTransport, page: int) -> None:
    door = LoginLink(TOKEN)
    with tunnel(gpu1, page, door) as link:
        assert "c0ffee" in said(link, "GET ", door.path, " HTTP/1.1\r\n", "Host: localhost\r\n\r\n")


def test_where_nothing_listens_the_browser_is_told(gpu1: SshTransport) -> None:
    port = free_port("127.0.0.1")
    with tunnel(gpu1, port) as link, pytest.raises(urllib.error.HTTPError) as refused:
        get(link)
    assert refused.value.code == 502
    assert f"nothing answers at 127.0.0.1:{port} on 127.0.0.2:" in refused.value.read().decode()


def test_a_server_that_forbids_tunnels_is_told_apart(start: Start, laptop: Laptop, page: int) -> None:
    server = start("127.0.0.3", "AllowTcpForwarding no")
    laptop.host("gpu2", server)
    laptop.knows(server)
    refused = laptop.dial("gpu2").connect("127.0.0.1", page, cancel=Event())
    assert isinstance(refused, Failure)
    assert "forbids tunnels" in refused.message
    assert "AllowTcpForwarding" in refused.fix


def test_after_a_connection_was_lost_the_next_request_has_a_new_one(
    server: Sshd, gpu1: SshTransport, page: int
) -> None:
    with tunnel(gpu1, page) as link:
        assert get(f"{link}/one") == "/one none"
        server.drop()
        assert get(f"{link}/two") == "/two none"
    assert server.log().count("Accepted publickey") == 2


def test_a_lost_connection_ends_what_went_through_it(server: Sshd, gpu1: SshTransport) -> None:
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as far,
        tunnel(gpu1, far.getsockname()[1]) as link,
        socket.create_connection(("127.0.0.1", port_of(link)), timeout=20) as near,
    ):
        near.sendall(b"hello")
        with far.accept()[0] as there:
            assert there.recv(99) == b"hello"
            server.drop()
            assert near.recv(99) == b""


def test_its_end_leaves_neither_threads_nor_connections(gpu1: SshTransport) -> None:
    """Whatever is going on: a browser that says nothing, one that has begun, one that waits for an answer."""
    gpu1.connect("127.0.0.1", 1, cancel=Event())  # opens the connection, whose own thread lives on
    before = set(threading.enumerate())
    with closing(socket.create_server(("127.0.0.1", 0))) as far:
        with tunnel(gpu1, far.getsockname()[1], LoginLink(TOKEN)) as link:
            port = port_of(link)
            callers = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(3)]
            callers[1].sendall(b"GET /")
            callers[2].sendall(b"POST / HTTP/1.1\r\n\r\n")
            there, _ = far.accept()
            assert there.recv(99)
        assert set(threading.enumerate()) == before
        for each in (*callers, there):
            with each:
                assert each.recv(99) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_closed_transport_makes_no_connections(gpu1: SshTransport, page: int) -> None:
    gpu1.close()
    refused = gpu1.connect("127.0.0.1", page, cancel=Event())
    assert isinstance(refused, Failure)
    assert refused.kind is FailureKind.CANCELLED
