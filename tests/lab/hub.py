"""A small hub of models, for tests: answers what huggingface_hub 0.23 to 2.4 asks for.

python3 hub.py ADDRESS PORT STORE FILE    serves what FILE, JSON, has, until it is killed

What it answers, and in which headers, was read off the library's requests; the codes of refusals are the hub's own as
far as they are known. Large files lie elsewhere, as there: a redirect leads to them, at another port.
"""

import hashlib
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".pth")
PIECE = 1 << 16


@dataclass
class Repository:
    """A model at one commit. `gated`, `private`: who may have it, by `tokens`; `cut`: after so many bytes, once."""

    files: Mapping[str, bytes]
    gated: bool = False
    private: bool = False
    cut: dict[str, int] = field(default_factory=dict)
    rate: float = 0.0
    lies: dict[str, bytes] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    def listed(self) -> list[dict[str, Any]]:
        return [self._listed(path, data) for path, data in sorted(self.files.items())]

    def _listed(self, path: str, data: bytes) -> dict[str, Any]:
        told: dict[str, Any] = {"path": path, "size": len(data), "oid": git_sha1(data)}
        if path.endswith(LARGE):
            told["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
        return told


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """Serves repositories by their names, large files at the next port. `asked` has the requests.

    `tokens`: the names that each may have; `store`: another name of this machine, for the library follows a redirect
    to the same name by itself.
    """

    def __init__(self, address: str, port: int, store: str) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, tuple[str, ...]] = {}
        self.asked: list[str] = []
        places = (address, port), (store, port + 1 if port else 0)
        self._servers = [Server(place, self) for place in places]
        ports = [each.server_address[1] for each in self._servers]
        self.url, self.store = f"http://{address}:{ports[0]}", f"http://{store}:{ports[1]}"

    def start(self) -> None:
        for each in self._servers:
            Thread(target=each.serve_forever, daemon=True).start()

    def stop(self) -> None:
        for each in self._servers:
            each.shutdown()
            each.server_close()


class Server(ThreadingHTTPServer):
    """Listens for the hub."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], hub: Hub) -> None:
        self.hub = hub
        super().__init__(address, Handler)

    def handle_error(self, *_: Any) -> None:
        """Who asks may hang up."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.hub.asked.append(f"{self.command} {path}")
        for pattern, answer in ROUTES:
            if found := re.fullmatch(pattern, path):
                answer(self, **found.groupdict())
                return
        self._refuse(404, "EntryNotFound", "Entry not found")

    def info(self, name: str, revision: str = "main") -> None:
        if (repository := self._found(name)) and self._is_there(repository, revision):
            siblings = [_sibling(each) for each in repository.listed()]
            told = {
                "id": name,
                "modelId": name,
                "sha": repository.commit,
                "siblings": siblings,
                "tags": [],
                "downloads": 0,
                "likes": 0,
            }
            self._json(
                {**told, "private": repository.private, "gated": "manual" if repository.gated else False}
            )

    def refs(self, name: str) -> None:
        if repository := self._found(name):
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.commit}
            self._json({"branches": [main], "tags": [], "converts": []})

    def tree(self, name: str, revision: str) -> None:
        if (repository := self._found(name)) and self._is_there(repository, revision):
            self._json([{"type": "file", **each} for each in repository.listed()])

    def resolve(self, name: str, revision: str, path: str) -> None:
        repository = self._found(name)
        if repository is None or not self._is_there(repository, revision):
            return
        if repository.gated and name not in self.server.hub.tokens.get(self._token, ()):
            self._refuse(403 if self._token else 401, "GatedRepo", f"Access to model {name} is restricted.")
            return
        if path not in repository.files:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        data = repository.files[path]
        if not path.endswith(LARGE):
            self._bytes(repository, path, {"ETag": f'"{git_sha1(data)}"', "X-Repo-Commit": repository.commit})
            return
        self.send_response(302)
        there = f"{self.server.hub.store}/large/{name}/{path}"
        for header, value in {
            "Location": there,
            "X-Repo-Commit": repository.commit,
            "X-Linked-Size": len(data),
            "X-Linked-Etag": f'"{sha256(data)}"',
            "Content-Length": 0,
        }.items():
            self.send_header(header, str(value))
        self.end_headers()

    def large(self, name: str, path: str) -> None:
        """What a redirect leads to; it asks for no token."""
        known = self.server.hub.repositories
        owner = next(each for each in known if f"{name}/{path}".startswith(f"{each}/"))
        path = f"{name}/{path}".removeprefix(f"{owner}/")
        repository = known[owner]
        self._bytes(repository, path, {"ETag": f'"{sha256(repository.files[path])}"'})

    @property
    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _found(self, name: str) -> Repository | None:
        if self._token and self._token not in self.server.hub.tokens:
            self._refuse(401, "", "Invalid username or password.")
            return None
        repository = self.server.hub.repositories.get(name)
        if repository is None or (
            repository.private and name not in self.server.hub.tokens.get(self._token, ())
        ):
            self._refuse(404 if self._token else 401, "RepoNotFound", "Repository not found")
            return None
        return repository

    def _is_there(self, repository: Repository, revision: str) -> bool:
        if revision in ("main", repository.commit):
            return True
        self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return False

    def _refuse(self, code: int, name: str, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        self.send_response(code)
        if name:
            self.send_header("X-Error-Code", name)
        self.send_header("X-Error-Message", message)
        self._body(body)

    def _json(self, told: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self._body(json.dumps(told).encode())

    def _body(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _bytes(self, repository: Repository, path: str, headers: Mapping[str, str]) -> None:
        data = repository.lies.get(path, repository.files[path])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        for name, value in {**headers, "Accept-Ranges": "bytes", "Content-Length": len(data) - begin}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = repository.cut.pop(path, len(data))
        for at in range(begin, min(len(data), begin + cut), PIECE):
            self.wfile.write(data[at : min(at + PIECE, begin + cut)])
            if repository.rate:
                time.sleep(PIECE / repository.rate)
        if begin + cut < len(data):
            self.close_connection = True


def _sibling(each: Mapping[str, Any]) -> dict[str, Any]:
    told = {"rfilename": each["path"], "size": each["size"], "blobId": each["oid"]}
    if lfs := each.get("lfs"):
        told["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": 130}
    return told


NAME = r"(?P<name>(?:[^/]+/)?[^/]+)"
ROUTES = (
    (rf"/api/models/{NAME}/refs", Handler.refs),
    (rf"/api/models/{NAME}", Handler.info),
    (rf"/api/models/{NAME}/revision/(?P<revision>[^/]+)", Handler.info),
    (rf"/api/models/{NAME}/tree/(?P<revision>[^/]+)", Handler.tree),
    (rf"/large/{NAME}/(?P<path>.+)", Handler.large),
    (rf"/{NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Handler.resolve),
)


def main(address: str, port: str, store: str, file: str) -> None:
    hub = Hub(address, int(port), store)
    with open(file) as told:  # noqa: PTH123
        said = json.load(told)
    hub.tokens = {token: tuple(names) for token, names in said["tokens"].items()}
    for name, each in said["repositories"].items():
        files = {path: _content(content) for path, content in each.pop("files").items()}
        hub.repositories[name] = Repository(files, **each)
    hub.start()
    Event().wait()


def _content(told: str | int) -> bytes:
    """A text, or so many bytes."""
    return (
        told.encode()
        if isinstance(told, str)
        else (sha256(str(told).encode()).encode() * (told // 64 + 1))[:told]
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
