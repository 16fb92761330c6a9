"""Many requests from the laptop: how each was answered."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.lab import Lab

from .asking import PORT

LOAD = """\
import sys, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
url, body, count, at_once = sys.argv[1:]
def ask(_):
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()
            print(answer.status, flush=True)
    except urllib.error.HTTPError as answer:
        print(answer.code, flush=True)
    except OSError:
        print(0, flush=True)
with ThreadPoolExecutor(int(at_once)) as pool:
    list(pool.map(ask, range(int(count))))
"""
STREAM = """\
import sys, urllib.request
url, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=120) as answer:
    for line in answer:
        if line.startswith(b"data: "):
            print(line[6:].decode().strip(), flush=True)
"""


SILENCE = """\
import sys, time, urllib.request
url, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
while True:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            print(answer.status, flush=True)
    except OSError as problem:
        print(problem, flush=True)
    time.sleep(0.2)
"""
ENOUGH = 5


def _words(
    lab: Lab, program: str, *more: str, host: str = "gpu1", port: int = PORT, **asked: object
) -> list[str]:
    body = {"model": "alphabet", "prompt": "abc", "max_tokens": 8, "temperature": 0, **asked}
    url = f"http://{lab.hosts[host].address}:{port}/v1/completions"
    return [sys.executable, "-c", program, url, json.dumps(body), *more]


def streamed(lab: Lab) -> list[str]:
    """The pieces of a completion, as they came."""
    told = lab.laptop(_words(lab, STREAM, stream=True)).stdout.split("\n")[:-1]
    assert told[-1] == "[DONE]"
    return [json.loads(piece)["choices"][0]["text"] for piece in told[:-1]]


def answers(lab: Lab, count: int, at_once: int, host: str = "gpu1", port: int = PORT) -> Counter[str]:
    """How many requests had which HTTP status; 0 is none."""
    words = _words(lab, LOAD, str(count), str(at_once), host=host, port=port)
    return Counter(lab.laptop(words, timeout=400).stdout.split())


@contextmanager
def never_silent(lab: Lab, host: str = "gpu1", port: int = PORT) -> Iterator[None]:
    """Asks again and again meanwhile: every request has to be answered."""
    asking = lab.laptop_popen(_words(lab, SILENCE, host=host, port=port, max_tokens=1))
    try:
        yield
    finally:
        asking.kill()
        said, _ = asking.communicate()
    answered = said.splitlines()
    assert set(answered) == {"200"}, Counter(answered)
    assert len(answered) > ENOUGH


@contextmanager
def under_load(lab: Lab, at_once: int) -> Iterator[subprocess.Popen[str]]:
    """Requests without pause, of which some have been answered already."""
    load = lab.laptop_popen(_words(lab, LOAD, "100000", str(at_once), max_tokens=64))
    try:
        assert load.stdout
        assert load.stdout.readline() == "200\n"
        yield load
    finally:
        load.kill()
        load.communicate()
