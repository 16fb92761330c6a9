#!/bin/bash
# huggingface_hub 2.4.0: `hf cache verify` says that all checksums match of a model of which a file is missing.
#
# Expected: a command that verifies a cached model fails where a file of it is not there, here a link that leads to nothing.
# Seen: it says that all checksums match, and its exit code is 0; that something is missing counts only with --fail-on-missing-files.
#   It asks the hub for the checksums, so that it does not work offline, although they are the names of the files in the cache.
# For raycluster: `model ls` and `model verify` read the cache by themselves, and ask nobody.
#
# Output of 2026-11-30:
#   All checksums match
#   exit code 0
#   offline: exit code 1
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
with 2.4.0
export HF_HOME="$folder/home"
2.4.0/bin/python -c 'from huggingface_hub import snapshot_download; snapshot_download("org/tiny")' 2>/dev/null
blob=$(readlink -f home/hub/models--org--tiny/snapshots/*/config.json)
rm "$blob"
code=0
2.4.0/bin/hf cache verify org/tiny >said 2>&1 || code=$?
{ grep -oiE 'all checksums match' said | head -1; echo "exit code $code"; } | tee seen
code=0
HF_HUB_OFFLINE=1 2.4.0/bin/hf cache verify org/tiny >/dev/null 2>&1 || code=$?
echo "offline: exit code $code" | tee -a seen
grep -qix 'all checksums match' seen
grep -qx 'exit code 0' seen
grep -qx 'offline: exit code 1' seen
