"""Programs for containers, run there by the image's own Python, 3.8 or later.

They use the standard library (and torch or Ray where the image has it), and import nothing from here. Those of
`serving/` are sent as files; the others as text, an argument of `python3 -c`, with `common` before it and, for those
of `models/` and `relay/`, what they share. `plan` alone imports this package, for the text of the programs.
"""

import base64
import json
import re
import zlib
from functools import cache
from pathlib import Path
from typing import Literal

Name = Literal[
    "ray_nodes",
    "probe",
    "network_test",
    "tail_files",
    "models/manage",
    "models/pull",
    "models/stream",
    "vllm_options",
    "vllm_bench",
]

MODELS = ("models/cache.py", "models/snapshots.py")
BEFORE = {
    "models/manage": ("common.py", *MODELS, "models/hashes.py", "models/removal.py", "models/shape.py"),
    "models/pull": ("common.py", *MODELS, "models/hashes.py", "models/removal.py"),
    "models/stream": ("common.py", *MODELS, "models/copies.py"),
    "vllm_options": (),
}
"""What stands before a program's own text, where that is more than `common`."""

APART = 'import sys\nif sys.path[:1] == [""]:\n    del sys.path[0]\n'
"""`python3 -c` looks for modules in the working folder first, and an image's may have a `json.py`."""


@cache
def program(name: Name) -> str:
    """The text of a program, for `python3 -c`."""
    return APART + _joined((*BEFORE.get(name, ("common.py",)), f"{name}.py"))


@cache
def relay_program(*beside: str) -> str:
    """The text of a chain's relay, for `python3 -c`. `beside`: files with further sources and sinks, by their paths."""
    return f"{APART}{_joined(('common.py', *RELAY, *beside))}\nrun()\n"


def _joined(files: tuple[str, ...]) -> str:
    """The files as one text: none imports from another any more."""
    modules = "|".join(Path(file).stem for file in files)
    ours = re.compile(rf"^from ({modules}) import (\([^)]*\)|.*)\n", re.MULTILINE)
    return "".join(ours.sub("", _read(file)) for file in files)


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

RELAY = ("relay/ends.py", "relay/history.py", "relay/links.py", "relay/relay.py")

MODEL_RELAY = (*MODELS, "models/copies.py", "models/relay_ends.py")
"""What a relay is sent along with its own files, to pass on a model."""

SERVING = ("supervisor.py", "rank_group.py", "server.py", "life.py", "liveness.py", "movement.py")


def serving_files(spec: str) -> str:
    """The programs and what they are to supervise, as JSON for the container."""
    files = {"common.py": _read("common.py"), **{name: _read(f"serving/{name}") for name in SERVING}}
    return json.dumps({"files": files, "spec": spec})
