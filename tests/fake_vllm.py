#!/usr/bin/python3
"""Stands in for `vllm serve`: rank 0 answers at its port, any other stays; a model called `broken-N` ends rank N.

It needs nothing but Python, for it also runs in the lab's containers.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


def value(name: str, default: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


MODEL, RANK = sys.argv[2], value("--node-rank", "0")


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._tell({"data": [{"id": MODEL}]})

    def do_POST(self) -> None:
        self._tell({"choices": [{"text": " there"}]})

    def _tell(self, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


print(f"rank {RANK} of {MODEL}: {' '.join(sys.argv[1:])}", flush=True)
if f"broken-{RANK}" == MODEL:
    print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", flush=True)
    sys.exit(1)
if "--headless" in sys.argv or MODEL.startswith("broken-"):
    time.sleep(3600)
HTTPServer((value("--host", "0.0.0.0"), int(value("--port", "8000"))), Api).serve_forever()
