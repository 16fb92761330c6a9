"""Benchmark of a server by the image's own `vllm bench serve`, sent as text; ends with standard input.

python3 -c TEXT WORDS    WORDS: arguments of `vllm bench serve`, a list as JSON

Prints a line of JSON: what it has measured, in seconds and milliseconds, and the versions that did; or `said`, its last
words. The server's key it has from VLLM_API_KEY.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from importlib import metadata

from common import input_ended

MARK = "\x1e"
FIGURES = (
    *("duration", "completed", "failed", "request_throughput", "output_throughput"),
    *("p50_ttft_ms", "p99_ttft_ms", "p50_itl_ms", "p99_itl_ms"),
)
ASKED = ("--percentile-metrics", "ttft,itl", "--metric-percentiles", "50,99", "--disable-tqdm")
LAST = 30  # lines
PERCENT = re.compile(r"p(\d+)(?:\.0)?_")  # vLLM writes p50.0 for a percentile that was given as a fraction


def main(words):
    ended = input_ended()
    env = dict(os.environ)
    if key := env.get("VLLM_API_KEY"):
        env.setdefault("OPENAI_API_KEY", key)
    with tempfile.TemporaryDirectory() as folder:
        result = ("--save-result", "--result-dir", folder, "--result-filename", "result.json")
        argv = ["vllm", "bench", "serve", *json.loads(words), *ASKED, *result]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        child = subprocess.Popen(argv, env=env, start_new_session=True, **pipes)
        threading.Thread(target=lambda: ended.wait() and end(child), daemon=True).start()
        said = child.communicate()[0].decode(errors="replace")
        try:
            with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
                measured = json.load(file)
        except (OSError, ValueError):
            measured = {}
    found = {PERCENT.sub(r"p\1_", name): value for name, value in measured.items()}
    figures = {name: found[name] for name in FIGURES if found.get(name) is not None}
    versions = {name: version(name) for name in ("vllm", "ray")}
    lines = [] if figures else said.replace("\r", "\n").splitlines()[-LAST:]
    print(MARK + json.dumps({"figures": figures, "versions": versions, "said": lines}), flush=True)


def end(child):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
