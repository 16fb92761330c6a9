"""Programs for containers, run there by the image's own Python, 3.8 or later.

They use the standard library (and torch or Ray where the image has it), and import nothing from here. Those of
`serving/` are sent as files; the others as text, an argument of `python3 -c`, with `common` before it. `plan` alone
imports this package, for the text of the programs.
"""

import base64
import json
import re
import zlib
from functools import cache
from pathlib import Path
from typing import Literal

Name = Literal[
    "ray_nodes", "probe", "network_test", "tail_files", "models", "model_pull", "model_stream", "vllm_options"
]

MODELS = ("model_cache.py", "model_snapshots.py")
BEFORE = {
    "models": ("common.py", *MODELS, "model_hashes.py", "model_removal.py", "model_shape.py"),
    "model_stream": ("common.py", *MODELS, "model_copy.py"),
    "model_pull": ("common.py", *MODELS, "model_hashes.py", "model_removal.py"),
    "vllm_options": (),
}
"""What stands before a program's own text, where that is more than `common`."""
BESIDE = re.compile(r"^from (common|model_\w+) import (\([^)]*\)|.*)\n", re.MULTILINE)

APART = 'import sys\nif sys.path[:1] == [""]:\n    del sys.path[0]\n'
"""`python3 -c` looks for modules in the working folder first, and an image's may have a `json.py`."""


@cache
def program(name: Name) -> str:
    """The text of a program, for `python3 -c`."""
    texts = map(_read, (*BEFORE.get(name, ("common.py",)), f"{name}.py"))
    return BESIDE.sub("", "".join((APART, *texts)))


@cache
def relay_program(*beside: str) -> str:
    """The text of a chain's relay, for `python3 -c`. `beside`: files with further sources and sinks, by their paths."""
    files = ("common.py", *(f"relay/{name}.py" for name in RELAY), *beside)
    modules = "|".join(Path(file).stem for file in files)
    ours = re.compile(rf"^from ({modules}) import (\([^)]*\)|.*)\n", re.MULTILINE)
    return "".join((APART, *(ours.sub("", _read(file)) for file in files), "\nrun()\n"))


def packed(text: str) -> str:
    """A program of the same effect in a quarter of the letters, for what many hosts are sent."""
    letters = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return f'import base64,zlib;exec(zlib.decompress(base64.b64decode("{letters}")))'


def _read(file: str) -> str:
    return (Path(__file__).parent / file).read_text(encoding="utf-8")


FOLDER = "/var/tmp/raycluster"  # noqa: S108 - the one place that every image lets everybody write to
SUPERVISOR = f"{FOLDER}/supervisor.py"
SERVED = f"{FOLDER}/served"
"""Has a folder for each server, by its name."""
IF_SERVED = '[ -e "$1" ] || exit 0\n'
"""For a shell in a container, before what runs SUPERVISOR there: silent where nothing was ever served."""

RESUME = f"[ ! -e {SUPERVISOR} ] || python3 {SUPERVISOR} run &"
"""For the shell that a container begins with: what it served before, it serves again."""

TRIAL_HF_HOME = "/run/raycluster/hf_home"
"""Where a trial has the host's folder for Hugging Face a second time: its user may not enter the first place."""

RELAY = ("ends", "history", "links", "relay")

MODEL_RELAY = (*MODELS, "model_copy.py", "model_relay.py")
"""What a relay is sent along with its own files, to pass on a model."""

SERVING = ("supervisor.py", "rank_group.py", "server.py", "life.py", "liveness.py", "movement.py")


def serving_files(spec: str) -> str:
    """The programs and what they are to supervise, as JSON for the container."""
    files = {"common.py": _read("common.py"), **{name: _read(f"serving/{name}") for name in SERVING}}
    return json.dumps({"files": files, "spec": spec})
