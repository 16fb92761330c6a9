"""A model from one host to others, beside one copy; and one that is there already, on 200 hosts, beside `status`.

Every cable of the lab carries 100 Mb/s, as where images are measured.
"""

import hashlib
import json
import os
import random
from pathlib import Path
from time import monotonic

from orchestrator.plan.facts.sections import RECORD
from tests.lab import lifecycle, network
from tests.lab.lab import Lab

from .farm import Farm, farm
from .fleet import MANY, STATUS, ratio, raycluster, says
from .measure import BenchError, side_by_side
from .row import Row
from .transfer import HOSTS, MEMORY, ONE_COPY, RATE, Say, memory, note

MODEL, FOLDER = "org/moved", "models--org--moved"
FILES = 10
SIZE = int(os.environ.get("RAYCLUSTER_BENCH_MB", "300")) * 1_000_000
"""Of all of them, in bytes; a smaller one is for trying the bench out."""
COMMIT = "0" * 40
THERE, LOOKS = 1.15, 7
CACHE = "root/.cache/huggingface/hub"


def rows(say: Say) -> list[Row]:
    """Needs root, and ten minutes."""
    return [*_from_host_to_host(say), *_there_already(say)]


def _from_host_to_host(say: Say) -> list[Row]:
    with lifecycle.in_order(HOSTS, say) as lab:
        _make(lab.hosts["gpu1"].folder / CACHE / FOLDER)
        targets = [name for name in lab.hosts if name != "gpu1"]
        with network.limited(RATE, *lab.hosts, "laptop"):
            say(f"a model of {FILES} files to one host and to {len(targets)}")
            one = _copied(lab, ["gpu2"])
            with memory(lab) as peak:
                seven = _copied(lab, targets)
        _forget(lab)
    return [
        Row(
            f"a model of {FILES} files to {len(targets)} hosts",
            "to 1 host",
            seven / one,
            limit=ONE_COPY,
            note=note(seven, one),
        ),
        Row("memory of a relay with a model", "", peak[0] / 1e3, "MB", MEMORY),
    ]


def _make(top: Path) -> None:
    """The model in a host's cache, as the library leaves it."""
    chance = random.Random(1)
    for folder in ("blobs", "refs", f"snapshots/{COMMIT}"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    for number in range(FILES):
        data = chance.randbytes(SIZE // FILES)
        blob = hashlib.sha256(data).hexdigest()
        (top / "blobs" / blob).write_bytes(data)
        (top / "snapshots" / COMMIT / f"part-{number:02}.bin").symlink_to(f"../../blobs/{blob}")
    (top / "refs/main").write_text(COMMIT)


def _copied(lab: Lab, targets: list[str]) -> float:
    """The seconds of a whole command, which has to succeed."""
    for name in targets:
        lab.hosts[name].run("rm", "-rf", f"/{CACHE}")
    began = monotonic()
    hosts = ",".join(("gpu1", *targets))
    done = lab.raycluster("model", "copy", MODEL, "-i", lab.inventory(), "-l", hosts, timeout=600)
    if done.returncode or "through this machine" in done.stderr:
        raise BenchError(done.stderr)
    return monotonic() - began


def _forget(lab: Lab) -> None:
    for host in lab.hosts.values():
        host.run("rm", "-rf", f"/{CACHE}")


def _there_already(say: Say) -> list[Row]:
    with farm() as made:
        say(f"a model that {MANY} hosts have, and status")
        _tell(made)
        inventory, what = made.cluster(MANY), "model copy, nothing to do"
        copy = raycluster("model", "copy", MODEL, "-i", inventory)
        ways = {
            what: says(made, copy, f"all {MANY} hosts have {MODEL} main "),
            STATUS: says(made, raycluster(STATUS, inventory), f"lists {MANY} of {MANY} hosts"),
        }
        runs = side_by_side(ways, LOOKS)
    return [ratio(what, STATUS, MANY, runs, THERE)]


def _tell(made: Farm) -> None:
    """What the hosts' programs say of the model."""
    size = SIZE // FILES
    files = [
        {"path": f"part-{n:02}.bin", "size": size, "digest": f"{n:064}", "time": 1} for n in range(FILES)
    ]
    listed = {"model": MODEL, "commit": COMMIT, "names": ["main"], "files": files, "identity": "1:1"}
    has = {"has": [size] * FILES, "ready": True, "free": 10**12, "identity": "2:2"}
    for act, told in (("list", {"copy": listed}), ("holding", {"holding": has})):
        (made.told / f"model.{act}").write_text(f"{RECORD}{json.dumps(told)}\n")
