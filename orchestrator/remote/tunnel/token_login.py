"""Answers of the tunnel itself: a link that logs one browser in, and an error page."""

import secrets
from threading import Lock

from orchestrator.model.secret import Secret
from orchestrator.remote.transport import Failure

COOKIE = "ray-authentication-token"
"""Ray's, from ray/_private/authentication/authentication_constants.py; set here as Ray's own login sets it."""

LONGEST = 1 << 16  # bytes of a request
ITS_END = b"\r\n\r\n"


class LoginLink:
    """Answers a request for `path`, a random word, and leaves every other alone. Without a token it has none.

    The token stands in no link and in no argument list. The link does, where others on this machine may read
    it; so it lets in only who comes first, and after that leads to the page and no further. As with Ray's own
    login, the cookie is one for all ports of 127.0.0.1: of two clusters, a browser is let in to the last.
    """

    def __init__(self, token: Secret | None) -> None:
        self._token, self._lock = token, Lock()
        self.path = f"/{secrets.token_urlsafe(16)}" if token else "/"
        self._request = f"GET {self.path} HTTP/".encode() if token else b""

    def wants_more(self, received: bytes) -> bool:
        """Whether a request, so far, may be for us and is not whole."""
        if received.startswith(self._request):
            return bool(self._request) and ITS_END not in received and len(received) < LONGEST
        return self._request.startswith(received) and bool(received)

    def answer(self, received: bytes) -> bytes:
        """The way to the page, the first time with the token; nothing to what is not for us."""
        if not (self._request and received.startswith(self._request)):
            return b""
        with self._lock:
            token, self._token = self._token, None
        cookie = (f"Set-Cookie: {COOKIE}={token.value}; Path=/; HttpOnly; SameSite=Strict",) if token else ()
        return _response("303 See Other", "", "Location: /", "Referrer-Policy: no-referrer", *cookie)


def error_page(failure: Failure) -> bytes:
    """A page that says why there is none."""
    text = "\n".join(filter(None, (f"raycluster: {failure.message}", failure.detail, failure.fix)))
    return _response("502 Bad Gateway", f"{text}\n", "Content-Type: text/plain; charset=utf-8")


def _response(status: str, body: str, *headers: str) -> bytes:
    size = len(body.encode())
    always = ("Cache-Control: no-store", f"Content-Length: {size}", "Connection: close")
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, *always, "", body)).encode()
