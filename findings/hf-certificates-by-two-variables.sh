#!/bin/bash
# huggingface_hub 0.36.2, 1.0.0 and 2.4.0, hf_xet 1.8.0: a company's certificate is read from other variables by each, and by two at once.
#
# Expected: behind a proxy that has a certificate of its own, what an image was told once is enough for its downloads, also after an upgrade.
# Seen: 0.36.2 reads REQUESTS_CA_BUNDLE, by requests, and not SSL_CERT_FILE; from 1.0.0 on it is the other way round, by httpx. hf_xet, which
#   brings the large files for all of them, reads SSL_CERT_FILE alone: so with REQUESTS_CA_BUNDLE and 0.36.2 small files come, and the weights do
#   not. It tries for three minutes then, and says no word of a certificate. hf_xet 1.1.10, tried by hand, reads the same.
# For raycluster: its line for such a proxy sets both (OUR_CERTIFICATES in orchestrator/plan/remedies.py), and where only the weights do not come,
#   it has them come the older way (OLDER_WAY there).
#
# Output of 2026-11-30:
#   0.36.2 with REQUESTS_CA_BUNDLE: the list yes, the weights no
#   0.36.2 with SSL_CERT_FILE: the list no, the weights no
#   0.36.2 with both: the list yes, the weights yes
#   1.0.0 with REQUESTS_CA_BUNDLE: the list no, the weights no
#   1.0.0 with SSL_CERT_FILE: the list yes, the weights yes
#   1.0.0 with both: the list yes, the weights yes
#   2.4.0 with REQUESTS_CA_BUNDLE: the list no, the weights no
#   2.4.0 with SSL_CERT_FILE: the list yes, the weights yes
#   2.4.0 with both: the list yes, the weights yes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
{
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=proxy \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
    openssl req -newkey rsa:2048 -nodes -keyout hub.key -out hub.csr -subj /CN=localhost
    printf '%s\n' subjectAltName=DNS:localhost basicConstraints=CA:FALSE extendedKeyUsage=serverAuth >hub.ext
    openssl x509 -req -in hub.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile hub.ext -out hub.pem
} 2>/dev/null
cat >hub.py <<'PYTHON'
"""A hub with one large file, which lies in a Xet store: a line for the list, and one for whoever asks the store."""
import json, ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHA, OID, XET, SIZE = "0" * 40, "1" * 64, "ab" * 32, 5_000_000

class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_HEAD(self): self.do_GET()
    def do_GET(self):
        here, body, headers, code = f"https://localhost:{server.server_address[1]}", b"", {}, 200
        if "/xet-read-token/" in self.path:
            body = json.dumps({"casUrl": f"{here}/store", "accessToken": "t", "exp": 9999999999}).encode()
            headers = {"X-Xet-Cas-Url": f"{here}/store", "X-Xet-Access-Token": "t", "X-Xet-Token-Expiration": "9999999999"}
        elif "/tree/" in self.path:
            large = {"oid": OID, "size": SIZE, "pointerSize": 100}
            body = json.dumps([{"type": "file", "path": "weights", "size": SIZE, "oid": SHA, "lfs": large, "xetHash": XET}]).encode()
        elif self.path.startswith("/api/"):
            print("the list", flush=True)
            body = json.dumps({"id": "org/tiny", "sha": SHA, "siblings": [{"rfilename": "weights"}], "tags": []}).encode()
        elif self.path.startswith("/store/"):
            print("the weights", flush=True)
            code = 404  # that it was asked is enough
        else:
            token = f'<{here}/api/models/org/tiny/xet-read-token/{SHA}>; rel="xet-auth"'
            headers = {"X-Repo-Commit": SHA, "X-Linked-Etag": f'"{OID}"', "X-Linked-Size": SIZE, "X-Xet-Hash": XET, "Link": token}
        self.send_response(code)
        for name, value in {"ETag": f'"{OID}"', **headers, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("hub.pem", "hub.key")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.handle_error = lambda *_: None
print(server.server_address[1], flush=True)
server.serve_forever()
PYTHON
python3 hub.py >asked &
hub=$!
trap 'kill $hub; rm -r "$folder"' EXIT
until [ -s asked ]; do sleep 0.1; done
unset SSL_CERT_DIR SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HF_HUB_DISABLE_XET HF_HUB_OFFLINE
export HF_ENDPOINT="https://localhost:$(head -1 asked)" HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1 NO_PROXY=localhost
download='from huggingface_hub import snapshot_download; snapshot_download("org/tiny")'
from=1
pulled() { # VERSION, NAME, VARIABLES
    rm -rf home
    # Where the store is not trusted, hf_xet tries again and again.
    env "${@:3}" HF_HOME="$folder/home" timeout 20 "$1/bin/python" -c "$download" >/dev/null 2>&1 || true
    sed "1,${from}d" asked >new
    from=$(wc -l <asked)
    told=
    for what in "the list" "the weights"; do
        told="$told, $what $(grep -qx "$what" new && echo yes || echo no)"
    done
    echo "$1 with $2: ${told#, }"
}
for version in 0.36.2 1.0.0 2.4.0; do
    python3 -m venv "$version"
    "$version/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$version" hf_xet==1.8.0
    pulled "$version" REQUESTS_CA_BUNDLE "REQUESTS_CA_BUNDLE=$folder/ca.pem"
    pulled "$version" SSL_CERT_FILE "SSL_CERT_FILE=$folder/ca.pem"
    pulled "$version" both "REQUESTS_CA_BUNDLE=$folder/ca.pem" "SSL_CERT_FILE=$folder/ca.pem"
done | tee seen
diff seen - <<'END'
0.36.2 with REQUESTS_CA_BUNDLE: the list yes, the weights no
0.36.2 with SSL_CERT_FILE: the list no, the weights no
0.36.2 with both: the list yes, the weights yes
1.0.0 with REQUESTS_CA_BUNDLE: the list no, the weights no
1.0.0 with SSL_CERT_FILE: the list yes, the weights yes
1.0.0 with both: the list yes, the weights yes
2.4.0 with REQUESTS_CA_BUNDLE: the list no, the weights no
2.4.0 with SSL_CERT_FILE: the list yes, the weights yes
2.4.0 with both: the list yes, the weights yes
END
