"""Files of a model's server, in a folder of its own, and HTTP requests to it.

    served/NAME/spec.json       what is to be served; gone once it was stopped
    served/NAME/stopped.json    what of it is remembered then
    served/NAME/state.json      how it fares, as its supervisor writes it
    served/NAME/vllm.log        what it says, with a line of ours before each life; vllm.log.1: what was before that
    served/NAME/lock            held by the supervisor for as long as it lives

All of it is beside the programs. Before there were names, the one server had its files beside them: its name is empty.
"""

import json
import os
import re
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
SERVED = os.path.join(HERE, "served")
LOG = "vllm.log"
LOG_BYTES = 32 * 1024 * 1024  # and as much again of what was before
BEGINS = "raycluster: vLLM start no."
ENOUGH = 60  # lines to see how far it is, while it runs; why it has ended may stand far above
LINE_BYTES = 400  # a generous guess at the mean
OK, FAILED, CANNOT = 200, 500, 501
QUESTIONS = (
    ("/v1/completions", {"prompt": "Hello", "max_tokens": 1}),
    ("/v1/embeddings", {"input": "Hello"}),
    ("/pooling", {"input": "Hello"}),
    ("/classify", {"input": "Hello"}),
    ("/score", {"text_1": "Hello", "text_2": "Hello"}),
)
"""The first that the model takes. One that takes none says so, and is not said to answer (one that hears, say)."""
FIRST_SECONDS = 300  # for the first token, before which kernels may be compiled
WORDS = 500  # letters of an error's
TOLD = ("model", "args", "url", "group", "asked", "words", "share", "offline")
"""What of the specification is told to whoever asks."""
RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:\.post\d+|\+.*)*")


class Files:
    """The folder of the server of that name."""

    def __init__(self, name):
        self.name, self.folder = name, os.path.join(SERVED, name) if name else HERE

    def at(self, file):
        return os.path.join(self.folder, file)

    def read(self, file):
        try:
            with open(self.at(file), encoding="utf-8") as found:
                return json.load(found)
        except (OSError, ValueError):
            return {}

    def write(self, file, value):
        with open(self.at(file + ".new"), "w", encoding="utf-8") as new:
            json.dump(value, new)
        os.replace(self.at(file + ".new"), self.at(file))

    def forget(self, *files):
        for file in files:
            if os.path.exists(self.at(file)):
                os.remove(self.at(file))

    def log(self, data):
        if os.path.exists(self.at(LOG)) and os.path.getsize(self.at(LOG)) > LOG_BYTES:
            os.replace(self.at(LOG), self.at(LOG + ".1"))
        with open(self.at(LOG), "ab") as file:
            file.write(data)

    def tail(self, count):
        """The last lines logged since the server was started; what a progress bar has overwritten is a line, too."""
        if not count or not os.path.exists(self.at(LOG)):
            return []
        with open(self.at(LOG), "rb") as file:
            file.seek(max(0, os.path.getsize(self.at(LOG)) - LINE_BYTES * count))
            lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()[-count:]
        begun = [at for at, line in enumerate(lines) if line.startswith(BEGINS)]
        return lines[begun[-1] + 1 :] if begun else lines


def servers():
    """The files of all that is served here, or was."""
    names = sorted(os.listdir(SERVED)) if os.path.isdir(SERVED) else []
    return [*([Files("")] if os.path.exists(os.path.join(HERE, "spec.json")) else []), *map(Files, names)]


def too_old(needs):
    """What of that came with a later vLLM than there is; empty where nothing did, or nobody knows."""
    if not needs:
        return ""
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


def call(spec, path, body=None, timeout=3, more=None):
    """The status of an answer, 0 for none, and its text. `more`: headers."""
    import http.client  # slow to import: whoever starts vLLM does so before
    import urllib.request

    key = spec.get("key") or os.environ.get("VLLM_API_KEY")
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    headers.update(more or {})
    try:
        data = json.dumps(body).encode() if body else None
        with opened(urllib.request.Request(spec["url"] + path, data, headers), timeout) as answer:
            return answer.status, answer.read().decode(errors="replace")
    # An address or a key that is none, and a server that speaks no HTTP.
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as problem:
        return 0, str(getattr(problem, "reason", problem))


def opened(request, timeout):
    import ssl
    import urllib.error
    import urllib.request

    handlers = [urllib.request.ProxyHandler({})]
    if request.type == "https":
        unverified = ssl._create_unverified_context()  # noqa: S323, SLF001 - this machine asks itself
        handlers.append(urllib.request.HTTPSHandler(context=unverified))
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=timeout)
    except urllib.error.HTTPError as answer:
        return answer


def is_answer(status):
    """Whether a question was answered, be it that it was refused."""
    return OK <= status < FAILED or status == CANNOT


def health(spec):
    """Why the server is not healthy; empty where it is."""
    status, text = call(spec, "/health")
    return "" if status == OK else f"HTTP status {status}" if status else text


Answer = namedtuple("Answer", "question name status text seconds")  # noqa: PYI024 - `typing` is slow to import
"""What came of a question to the model of that name: HTTP's status, 0 for none, the text, and how long it took."""


def ask(spec, questions=QUESTIONS, timeout=FIRST_SECONDS, engine=""):
    """Asks the model for a token, by the first of these questions that it takes.

    `engine`: which of several is to answer, where vLLM knows the header (0.18): else any does.
    """
    began, name = time.monotonic(), called(spec)
    more = {"X-data-parallel-rank": engine} if engine else None
    for path, body in questions:
        status, text = call(spec, path, {"model": name, **body}, timeout, more)
        if status == OK or not is_answer(status):
            break
    return Answer((path, body), name, status, text, time.monotonic() - began)


def told(spec, answer):
    """An answer for programs."""
    path, _ = answer.question
    told = {"name": answer.name, "path": path, "status": answer.status, "seconds": answer.seconds}
    return {"url": spec["url"], **told}


def why_none(answer):
    """What came instead of an answer."""
    return (
        f"HTTP status {answer.status}: {answer.text[:WORDS]}" if answer.status else answer.text or "no answer"
    )


def called(spec):
    """The name by which the model is asked for; empty where the server does not report it."""
    try:
        return json.loads(call(spec, "/v1/models")[1])["data"][0]["id"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def problem(spec, state):
    """Why the server is unhealthy; empty where it is not. Further ranks repeat what the first one reported."""
    known = state.get("is", "waiting")
    if known != "answering":
        return state.get("why") or ("it has not answered yet" if known == "starting" else known)
    return "" if (spec["group"] or {}).get("rank") else health(spec)


def inspect(files, lines, supervised):
    """What is to be known of a server, and of one that was stopped that it has a log."""
    spec, state = files.read("spec.json"), files.read("state.json")
    trouble = problem(spec, state) if spec and supervised else "nothing is served"
    return {
        "server": files.name,
        "spec": {key: spec[key] for key in TOLD if key in spec} if spec else None,
        "stopped": None if spec else files.read("stopped.json"),
        "state": state,
        "supervised": supervised,
        "now": time.time(),
        "trouble": trouble,
        "name": "" if trouble or (spec["group"] or {}).get("rank") else called(spec),
        "lines": files.tail(min(int(lines), ENOUGH) if supervised else int(lines)) if trouble else [],
    }
