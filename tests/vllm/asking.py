"""Asking a model, from the laptop."""

import json
import sys
from typing import Any

from tests.lab.lab import Lab

PORT = 8000
ASK = """\
import sys, urllib.request
url, *body = sys.argv[1:]
headers = {"Content-Type": "application/json"}
request = urllib.request.Request(url, *(text.encode() for text in body), headers=headers)
try:
    with urllib.request.urlopen(request, timeout=60) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as answer:
    print(answer.code, answer.read().decode())
except OSError as problem:
    print(0, problem)
"""


def ask(
    lab: Lab, path: str, body: dict[str, Any] | None = None, host: str = "gpu1", port: int = PORT
) -> tuple[int, str]:
    """The status and the text of an HTTP answer; status 0 is none, its text the reason."""
    words = [] if body is None else [json.dumps(body)]
    url = f"http://{lab.hosts[host].address}:{port}{path}"
    code, _, text = lab.laptop([sys.executable, "-c", ASK, url, *words]).stdout.strip().partition(" ")
    return int(code), text


def completion(
    lab: Lab, prompt: str, model: str, tokens: int = 8, host: str = "gpu1", port: int = PORT
) -> str:
    """How the model goes on."""
    body = {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0}
    code, text = ask(lab, "/v1/completions", body, host, port)
    assert code == 200, text
    return str(json.loads(text)["choices"][0]["text"])


def chat(lab: Lab, words: str, model: str, tokens: int = 8, port: int = PORT) -> str:
    """What the model says to that."""
    messages = [{"role": "user", "content": words}]
    body = {"model": model, "messages": messages, "max_tokens": tokens, "temperature": 0}
    code, text = ask(lab, "/v1/chat/completions", body, port=port)
    assert code == 200, text
    return str(json.loads(text)["choices"][0]["message"]["content"])
