"""Lets one browser in to a dashboard that asks for a token: by a link that works once, as a cookie."""

import secrets
from threading import Lock

from orchestrator.model.secret import Secret

COOKIE = "ray-authentication-token"
"""Ray's, from ray/_private/authentication/authentication_constants.py; set here as Ray itself sets it."""

TO_THE_PAGE = (
    "HTTP/1.1 303 See Other",
    "Location: /",
    "Cache-Control: no-store",
    "Referrer-Policy: no-referrer",
    "Content-Length: 0",
    "Connection: close",
)


class Door:
    """Answers `GET /<a random word>` itself; no other request is its own.

    The token is in no link and in no argument list. A link can be seen there, on a shared machine, so it lets
    in only who comes first; after that it leads to the page and nothing more.
    """

    def __init__(self, token: Secret) -> None:
        self._token: Secret | None = token
        self._lock = Lock()
        self.path = f"/{secrets.token_urlsafe(16)}"
        self.knock = f"GET {self.path} ".encode()

    def answer(self) -> bytes:
        """The way to the page; the first time with the token."""
        with self._lock:
            token, self._token = self._token, None
        cookie = (f"Set-Cookie: {COOKIE}={token.value}; Path=/; HttpOnly; SameSite=Strict",) if token else ()
        return "\r\n".join((*TO_THE_PAGE, *cookie, "", "")).encode()
