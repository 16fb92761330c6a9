#!/bin/bash
# huggingface_hub 1.20.1 and 2.4.0: a part of a repository that was downloaded on purpose cannot be used offline any more.
#
# Expected: `snapshot_download(…, allow_patterns=…)` brings a part; the same call without the network and without patterns gives the
#   folder that is there, as its documentation says of local_files_only ("return the path to the local cached file if it exists").
# Seen: so it is with 1.20.1. From 1.22 on the library keeps the hub's list of files in `trees/COMMIT.json`, and offline takes
#   whatever it lists and is not there for missing: IncompleteSnapshotError. Without that file the folder is found again.
# For raycluster: `model pull` leaves weights in further formats out, and removes the list then; `model copy` does not copy it; `serve`
#   sets HF_HUB_OFFLINE=1 only where nothing that is listed is missing.
#
# Output of 2026-11-30:
#   1.20.1 finds the part
#   2.4.0 raises IncompleteSnapshotError
#   2.4.0 without trees/ finds the part
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
cat >part.py <<'PYTHON'
import sys
from huggingface_hub import snapshot_download

version, home = sys.argv[1:]
snapshot_download("org/tiny", allow_patterns=["*.json"], cache_dir=home)
try:
    snapshot_download("org/tiny", local_files_only=True, cache_dir=home)
    print(version, "finds the part")
except Exception as error:
    print(version, "raises", type(error).__name__)
PYTHON
for version in 1.20.1 2.4.0; do
    with "$version"
    "$version/bin/python" part.py "$version" "cache-$version" 2>/dev/null
done | tee seen
rm -r cache-2.4.0/models--org--tiny/trees
2.4.0/bin/python - <<'PYTHON' | tee -a seen
from huggingface_hub import snapshot_download
snapshot_download("org/tiny", local_files_only=True, cache_dir="cache-2.4.0")
print("2.4.0 without trees/ finds the part")
PYTHON
grep -qx '1.20.1 finds the part' seen
grep -qx '2.4.0 raises IncompleteSnapshotError' seen
grep -qx '2.4.0 without trees/ finds the part' seen
