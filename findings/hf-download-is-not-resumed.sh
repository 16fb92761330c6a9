#!/bin/bash
# huggingface_hub 0.36.2 and 2.4.0: a download that was killed is begun from its first byte.
#
# Expected: what a killed process has downloaded of a large file is used by the next, as its .incomplete file lies in the cache.
# Seen: so it is with 0.36.2. From 1.18 on each process gives its file a random name (ETAG.0a1b2c3d.incomplete), and nobody goes on
#   with that of another, nor removes it.
# For raycluster: `model pull` says that only whole files are kept, and removes such parts before it begins, unless a lock tells
#   that somebody is at work; `model copy` has parts of its own, with which it does go on.
#
# Output of 2026-11-30:
#   0.36.2, the second time: asked from byte 20971520; left: 0
#   2.4.0, the second time: asked from byte 0; left: 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
cat >hub.py <<'PYTHON'
import hashlib, json, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILES = {"large.txt": b"x" * 40_000_000}
SHA = "0" * 40

class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_HEAD(self): self.do_GET()
    def do_GET(self):
        path, headers = self.path.partition("?")[0], {}
        oid = lambda data: hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if path.startswith("/api/models/org/tiny/tree/"):
            body = json.dumps([{"type": "file", "path": name, "size": len(data), "oid": oid(data)} for name, data in FILES.items()])
        elif path.startswith("/api/"):
            files = [{"rfilename": name} for name in FILES]
            body = json.dumps({"id": "org/tiny", "sha": SHA, "siblings": files, "tags": [], "downloads": 0, "likes": 0})
        else:
            body = FILES[path.rpartition("/")[2]]
            headers = {"ETag": '"%s"' % oid(body), "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        body = body.encode() if isinstance(body, str) else body
        asked = self.headers.get("Range")
        if len(body) > 1000 and self.command == "GET":
            print("asked from byte", asked[6:-1] if asked else 0, flush=True)
        begin = int(asked[6:-1]) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (begin, len(body) - 1, len(body)))
        for name, value in {**headers, "Content-Length": len(body) - begin}.items():
            self.send_header(name, str(value))
        self.end_headers()
        for at in range(begin, len(body) if self.command == "GET" else 0, 1 << 20):
            self.wfile.write(body[at : at + (1 << 20)])
            time.sleep(0.05 if len(body) > 1000 else 0)

server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
server.handle_error = lambda *_: None
print(server.server_address[1], flush=True)
server.serve_forever()
PYTHON
python3 hub.py >asked &
hub=$!
trap 'kill $hub; rm -r "$folder"' EXIT
until [ -s asked ]; do sleep 0.1; done
export HF_ENDPOINT="http://127.0.0.1:$(head -1 asked)" HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_XET=1
with() { # VERSION
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$1"
}
cat >download.py <<'PYTHON'
import sys
from huggingface_hub import hf_hub_download
hf_hub_download("org/tiny", "large.txt", cache_dir=sys.argv[1])
PYTHON
for version in 0.36.2 2.4.0; do
    with "$version"
    "$version/bin/python" download.py "cache-$version" 2>/dev/null &
    download=$!
    until [ "$(cat "cache-$version"/models--org--tiny/blobs/*.incomplete 2>/dev/null | wc -c)" -ge 20000000 ]; do sleep 0.1; done
    kill -9 "$download"
    wait "$download" 2>/dev/null || true
    "$version/bin/python" download.py "cache-$version" 2>/dev/null
    again=$(tail -1 asked)
    echo "$version, the second time: $again; left: $(ls "cache-$version"/models--org--tiny/blobs | grep -c incomplete || true)"
done | tee seen
grep -qE '^0.36.2, the second time: asked from byte [1-9][0-9]+; left: 0$' seen
grep -qx '2.4.0, the second time: asked from byte 0; left: 1' seen
