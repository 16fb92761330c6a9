#!/bin/bash
# huggingface_hub 0.36.2 and 2.4.0: a cache folder that is a link to nothing is made where the link leads.
#
# Expected: where HF_HOME/hub is a link to another disk that is not there, as in a container that was given HF_HOME alone, a download fails.
# Seen: so it is with 0.36.2 (FileNotFoundError). 2.4.0 makes the folder that the link names, and downloads into it: in a container, into its
#   own layer, which goes with it.
# For raycluster: `model …` looks where the cache really is, and refuses one that is on no folder of the host.
#
# Output of 2026-11-30:
#   0.36.2 raises FileNotFoundError
#   2.4.0 downloads
#   2.4.0 has made the folder
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
cat >hub.py <<'PYTHON'
import hashlib, json, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILES = {"config.json": b"{}", "notes.txt": b"more"}
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
for version in 0.36.2 2.4.0; do
    with "$version"
    mkdir "home-$version"
    ln -s "$folder/disk-$version" "home-$version/hub"
    HF_HOME="$folder/home-$version" "$version/bin/python" - "$version" 2>/dev/null <<'PYTHON' || true
import sys
from huggingface_hub import snapshot_download
try:
    snapshot_download("org/tiny")
    print(sys.argv[1], "downloads")
except Exception as error:
    print(sys.argv[1], "raises", type(error).__name__)
PYTHON
    [ ! -d "disk-$version/models--org--tiny/snapshots" ] || echo "$version has made the folder"
done | tee seen
grep -qx '0.36.2 raises FileNotFoundError' seen
grep -qx '2.4.0 downloads' seen
grep -qx '2.4.0 has made the folder' seen
