"""Hashes of a model's files, compared with what they are called and with what the hub has listed.

A blob is called by its hash: sha256 in 64 digits, or in 40 git's sha1 of a length and the bytes. Neither the library
nor vLLM ever looks whether that is so.
"""

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from cache import TROUBLES, is_within, kind_of, tell
from snapshots import Folder

PIECE = 1 << 20
READERS = 4
PACE = 1.0  # seconds between two words of progress
STALL = 120  # seconds without a byte: a share of the network whose server is gone


class Progress:
    """How much was read, told at a pace."""

    def __init__(self, total, note=""):
        self.note, self.total = note, total
        self.began = time.monotonic()
        self.done, self.next = 0, self.began + PACE
        self.lock = threading.Lock()

    def add(self, count):
        with self.lock:
            self.done += count
            if time.monotonic() > self.next:
                self.next = time.monotonic() + PACE
                rate = self.done / (time.monotonic() - self.began)
                tell(done=self.done, of=self.total, rate=rate, note=self.note)


def watch(progress, over):
    """Ends the program where a disk gives nothing more: what waits for it can be ended in no other way."""
    done = -1
    while not over.wait(STALL):
        if progress.done == done:
            tell(trouble="stalled", words=TROUBLES["stalled"].format(STALL))
            os._exit(1)
        done = progress.done


def digest(path, kind, progress):
    """The hash of a file: of its bytes, or as git has it, of its length and its bytes."""
    made = hashlib.sha256() if kind == "sha256" else hashlib.sha1()  # noqa: S324 - git's
    with open(path, "rb") as file:
        if kind != "sha256":
            made.update(b"blob %d\0" % os.fstat(file.fileno()).st_size)
        while True:
            piece = file.read(PIECE)
            if not piece:
                return made.hexdigest()
            made.update(piece)
            progress.add(len(piece))


def judged(file, listed, progress):
    """What is wrong with a file; empty where it is what its name or the list says, or `unknown`."""
    if file.state not in ("there", "garbled"):  # what its hash says is good is as it was made
        return file.state
    names = [each for each in dict.fromkeys((file.blob, listed)) if kind_of(each)]
    if not names:
        return "unknown"
    try:
        same = [digest(file.real, kind_of(each), progress) == each for each in names[:1]]
    except OSError:
        return "unreadable"
    # A name that the list has otherwise is another file's.
    other = len(names) > 1 and kind_of(names[0]) == kind_of(names[1])
    return "" if all(same) and not other else "differs"


def judge(models, dropping):
    """Reads all files of these models, and says what is wrong with each revision. `dropping`: and removes that."""
    all_of = [(model, commit, one) for model in models for commit, one in sorted(model.snapshots.items())]
    sizes = {each.inode: each.size for _, _, one in all_of for each in one.files.values() if each.inode}
    progress = Progress(sum(sizes.values()))
    tell(done=0, of=progress.total)
    over = threading.Event()
    threading.Thread(target=watch, args=(progress, over), daemon=True).start()
    known = {}

    def wrong(file, listed):
        """A file that several revisions have is read once."""
        key = (file.inode, file.blob, listed, file.state)
        if key not in known or file.inode is None:
            known[key] = judged(file, listed, progress)
        return known[key]

    results = []
    with ThreadPoolExecutor(READERS) as pool:
        for model, commit, one in all_of:
            names = sorted(
                {*one.wanted, *(name for name, each in one.files.items() if each.state == "there")}
            )
            judgements = pool.map(
                lambda name, one=one: wrong(one.files[name], one.digests.get(name, "")), names
            )
            bad = {name: what for name, what in zip(names, judgements) if what}
            unknown = [name for name, what in bad.items() if what == "unknown"]
            damage = {name: what for name, what in bad.items() if what != "unknown"}
            dropped = [name for name in damage if dropping and drop_file(model, one.files[name])]
            results.append(
                {
                    "name": model.name,
                    "commit": commit,
                    "names": model.names_of(commit),
                    "files": len(names),
                    "bytes": sum(one.files[name].size for name in names),
                    "damage": damage,
                    "unknown": len(unknown),
                    "known": one.is_known,
                    "dropped": len(dropped),
                }
            )
    over.set()
    tell(verified=results)


def drop_file(model, file):
    """Removes a damaged file with what its link leads to, so that it is brought anew; False where nothing is there."""
    if file.state == "outside" or isinstance(model, Folder):
        return False
    real = getattr(file, "real", "")
    real = real if any(is_within(real, each) for each in model.own) else ""
    blob = os.path.join(model.folder, "blobs", file.blob) if file.blob else ""
    gone = False
    for path in dict.fromkeys((file.path, blob, real)):
        if path and os.path.lexists(path) and not os.path.isdir(path):
            os.unlink(path)
            gone = True
    return gone
