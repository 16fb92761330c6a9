"""Files of the supervisor beside this one, and HTTP requests to the model's server."""

import http.client
import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
LOG = "vllm.log"
LOG_BYTES = 32 * 1024 * 1024  # and as much again of what was before
BEGINS = "raycluster: vLLM start no."
ENOUGH = 60  # lines to see how far it is, while it runs; why it has ended may stand far above
LINE_BYTES = 400  # a generous guess at the mean
GONE_SECONDS = 3
OK, FAILED = 200, 500
RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:\.post\d+|\+.*)*")
UNVERIFIED = ssl._create_unverified_context()  # noqa: S323, SLF001 - this machine asks itself
NO_ANSWER = (OSError, ValueError, OverflowError, http.client.HTTPException)
"""Errors of an address or a key that is none, and of a server that speaks no HTTP."""


def at(name):
    return os.path.join(HERE, name)


def read(name):
    try:
        with open(at(name), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write(name, value):
    with open(at(name + ".new"), "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(at(name + ".new"), at(name))


def forget(*names):
    for name in names:
        if os.path.exists(at(name)):
            os.remove(at(name))


def log(data):
    if os.path.exists(at(LOG)) and os.path.getsize(at(LOG)) > LOG_BYTES:
        os.replace(at(LOG), at(LOG + ".1"))
    with open(at(LOG), "ab") as file:
        file.write(data)


def tail(count):
    """The last lines logged since the server was started; what a progress bar has overwritten is a line, too."""
    if not count or not os.path.exists(at(LOG)):
        return []
    with open(at(LOG), "rb") as file:
        file.seek(max(0, os.path.getsize(at(LOG)) - LINE_BYTES * count))
        lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()[-count:]
    begun = [at for at, line in enumerate(lines) if line.startswith(BEGINS)]
    return lines[begun[-1] + 1 :] if begun else lines


def refused(spec):
    """Why the server is not to be started; empty where it is."""
    return (spec["needs"] and too_old(spec["needs"])) or ""


def too_old(needs):
    """What of that came with a later vLLM than there is; empty where nothing did, or nobody knows."""
    from importlib import metadata

    try:
        version = metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return ""
    release = RELEASE.fullmatch(version)  # what somebody built may have any version
    for option, since in needs.items():
        if release and tuple(map(int, release.groups())) < tuple(map(int, since.split("."))):
            return (
                f"the image's vLLM is {version}, and {option} came with {since}: set `image` to a newer one"
            )
    return ""


def call(spec, path, body=None, timeout=3):
    """The status of an answer, 0 for none, and its text."""
    key = spec.get("key") or os.environ.get("VLLM_API_KEY")
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        data = json.dumps(body).encode() if body else None
        with opened(urllib.request.Request(spec["url"] + path, data, headers), timeout) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except NO_ANSWER as problem:
        return 0, str(getattr(problem, "reason", problem))


def opened(request, timeout):
    handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=UNVERIFIED)
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=timeout)
    except urllib.error.HTTPError as answer:
        return answer


def health(spec):
    """Why the server is not healthy; empty where it is."""
    status, text = call(spec, "/health")
    return "" if status == OK else f"HTTP status {status}" if status else text


def ask():
    """Asks the model for a word. One that makes no text says so, with a status of four hundred and some."""
    spec, began = read("spec.json"), time.time()
    model = name(spec)
    status, text = call(spec, "/v1/completions", {"model": model, "prompt": "Hello", "max_tokens": 1}, 300)
    if OK <= status < FAILED:
        seconds = time.time() - began
        print(json.dumps({"url": spec["url"], "name": model, "status": status, "seconds": seconds}))
        return 0
    print(f"HTTP status {status}: {text[:1000]}" if status else why_gone() or text, file=sys.stderr)
    return 1


def why_gone():
    """Why the server is gone that answered a moment ago, by its supervisor, which takes another moment to say so."""
    until = time.time() + GONE_SECONDS
    while (state := read("state.json")).get("is") == "answering" and time.time() < until:
        time.sleep(0.1)
    return state.get("why", "")


def name(spec):
    """The name by which the model is asked for; empty where the server does not report it."""
    try:
        return json.loads(call(spec, "/v1/models")[1])["data"][0]["id"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def problem(spec, state):
    """Why the server is unhealthy; empty where it is not. Further ranks repeat what the first one reported."""
    known = state.get("is", "waiting")
    if known in ("waiting", "ended", "unresponsive") or (spec["group"] or {}).get("rank"):
        return "" if known == "answering" else state.get("why") or known
    return health(spec) or ("" if known == "answering" else "it has not answered yet")


def inspect(lines, supervised):
    spec, state = read("spec.json"), read("state.json")
    trouble = problem(spec, state) if spec and supervised else "nothing is served"
    report = {
        "spec": {key: spec.get(key, "") for key in ("model", "args", "url", "group")} if spec else None,
        "state": state,
        "supervised": supervised,
        "now": time.time(),
        "trouble": trouble,
        "name": "" if trouble or (spec["group"] or {}).get("rank") else name(spec),
        "lines": tail(min(int(lines), ENOUGH) if supervised else int(lines)) if trouble else [],
    }
    print(json.dumps(report))
