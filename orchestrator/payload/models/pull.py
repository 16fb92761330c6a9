"""Download of a model by the library of the image, sent as text: into the cache, with a list of what it consists of.

python3 -c TEXT pull SPEC    SPEC, JSON: `model`, `revision`, and whether `all` files are wanted. The first line of
                             standard input is a token, or empty; when no more comes, it ends. A line of JSON each
                             second, and one at the end.

The library's own program is not used: it has other words in each version, and may not even start.
"""

import errno
import glob
import json
import os
import re
import sys
import threading
import time

from cache import (
    HUB,
    LISTS,
    MARGIN,
    OFFLINE,
    TROUBLES,
    Trouble,
    checked_hub,
    chosen,
    entries,
    folder_of,
    gb,
    hub_folder,
    is_plain,
    kind_of,
    listed_in,
    mount_points,
    size_of,
    tell,
    write,
)
from common import end_with_input, words_of_os
from hashes import PACE, Progress, digest
from removal import is_locked

TROUBLES.update(
    {
        "no-library": "the image has no huggingface_hub to download {}",
        "not-found": "the hub has no model {}, or it is private and this token may not see it",
        "not-found-without-token": "the hub has no model {}, or it is private, and no token was given",
        "no-revision": "the hub has no such revision: {}",
        "gated": "{} is gated, and no token was given",
        "no-access": "{} is gated, and this token has no access to it",
        "wrong-token": "the hub does not know this token: {}",
        "no-hub": "the hub cannot be reached: {}",
        "damaged": "the hub has sent other bytes than it has listed: {}",
        "quiet": "nothing has come for {} s",
        "library": "{}",
    }
)
TRIES = 5
PAUSE = 3.0  # seconds before another try
MOST_REFS = 12
QUIET = 120  # seconds in which nothing came
ABANDONED = re.compile(r"\.[0-9a-f]{8}\.incomplete$")
"""From 1.18 on the library goes on with none of these, whoever has begun it."""

SETTINGS = {
    "HF_HUB_DISABLE_SHARED_BLOBS": "1",  # from 1.32 on: each model whole in its own folder
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "critical",  # what it tries again, it does not call an error in the end
}


def main(_act, text):
    spec = json.loads(text)
    token = first_line()
    end_with_input()
    try:
        pull(spec["model"], spec["revision"], spec["all"], token)
    except Trouble as trouble:
        fail(trouble.code, str(trouble))
    except OSError as error:
        fail("os-error", words_of_os(error))


def fail(code, words):
    """Ends at once: the library's threads would go on until their files are whole."""
    tell(trouble=code, words=words)
    print(words, file=sys.stderr, flush=True)
    os._exit(1)


def first_line():
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            break
        line += piece
    return line.decode().strip()


def pull(model, revision, everything, token):
    library = imported(model)
    hub = checked_hub(hub_folder(os.environ), mount_points())
    folder = os.path.join(hub, folder_of(model))
    os.makedirs(hub, exist_ok=True)
    token = token or library.get_token() or None
    commit, files = asked(library, model, revision, token)
    names = [each for each in files if is_plain(each)]
    wanted = {each: files[each] for each in (names if everything else chosen(names))}
    keep_list(folder, commit, model, wanted)
    download = Download(library, model, commit, token, hub, folder, wanted)
    came = download.run()
    if revision != commit:
        refer(folder, revision, commit)
    tidy(folder, commit, whole=len(wanted) == len(files))
    tell(
        pulled={
            "commit": commit,
            "revision": revision,
            "files": len(wanted),
            "bytes": download.total,
            "came": came,
        }
    )


def imported(model):
    """The library, which reads its settings when it is imported."""
    os.environ.update(SETTINGS)
    for name in OFFLINE:
        os.environ.pop(name, None)
    try:
        import huggingface_hub
        import huggingface_hub.utils
    except ImportError as error:
        raise Trouble("no-library", f"{model}: {error}") from None
    return huggingface_hub


def asked(library, model, revision, token):
    """The commit that a revision stands for, and its files as the hub lists them."""
    try:
        info = library.HfApi(token=token).model_info(
            model, revision=revision, files_metadata=True, timeout=30
        )
        files = {each.rfilename: told_of(each) for each in info.siblings or ()}
        if getattr(info, "gated", False) and files:
            url = library.hf_hub_url(model, min(files), revision=info.sha)
            library.get_hf_file_metadata(url, token=token)
    except Exception as error:
        raise explained(library, error, model, revision, token) from error
    return info.sha, files


def told_of(sibling):
    lfs = sibling.lfs
    digest_of = lfs and (lfs.get("sha256") if isinstance(lfs, dict) else lfs.sha256)
    return {"size": sibling.size or 0, "blob_id": sibling.blob_id or "", "lfs_sha256": digest_of}


def explained(library, error, model, revision, token):
    """A trouble that the library tells of. That of a gated model is one of those of a model that is not there."""
    kinds = library.utils
    status = getattr(getattr(error, "response", None), "status_code", None)
    said = str(error).strip()
    if isinstance(error, kinds.GatedRepoError):
        return Trouble("no-access" if token else "gated", model)
    if isinstance(error, kinds.RevisionNotFoundError):
        return Trouble("no-revision", f"{model} {revision}{refs_there(library, model, token)}")
    if status == UNAUTHORIZED and token and "username or password" in said:
        return Trouble("wrong-token", "Invalid username or password")
    if isinstance(error, kinds.RepositoryNotFoundError):
        return Trouble("not-found" if token else "not-found-without-token", model)
    if is_disconnected(error):
        return Trouble("no-hub", f"{os.environ.get('HF_ENDPOINT', HUB)}: {root_of(error)}")
    return Trouble("library", f"{type(error).__name__}: {said.splitlines()[0] if said else ''}")


def refs_there(library, model, token):
    """The branches and tags that there are, where the hub tells."""
    try:
        refs = library.HfApi(token=token).list_repo_refs(model)
        names = [each.name for each in (*refs.branches, *refs.tags)]
    except Exception:
        return ""
    more = ", …" if len(names) > MOST_REFS else ""
    return f"; it has {', '.join(names[:MOST_REFS])}{more}" if names else ""


def root_of(error):
    """What the first of the errors behind one says: it knows the reason."""
    words = ""
    while error is not None:
        words = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0] or words
        error = error.__cause__ or error.__context__
    return words


def is_disconnected(error):
    """Whether a connection failed, or the hub itself: both may pass."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            return status >= SERVERS_FAULT or status == TOO_OFTEN
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            return error.errno in UNREACHED
        if isinstance(error, ConnectionError) or type(error).__module__.split(".")[0] in HTTP:
            return True
        error = error.__cause__ or error.__context__
    return False


UNAUTHORIZED, TOO_OFTEN, SERVERS_FAULT = 401, 429, 500
UNREACHED = (errno.ENETUNREACH, errno.ECONNRESET, errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EHOSTUNREACH)
HTTP = ("requests", "urllib3", "httpx", "httpx2", "httpcore", "hf_xet")


def keep_list(folder, commit, model, wanted):
    """Keeps what a commit consists of beside it, for whoever looks later; what was wanted before is wanted still."""
    path = os.path.join(folder, LISTS, commit + ".json")
    before = {
        name: {"size": size, "blob_id": known, "lfs_sha256": known if kind_of(known) == "sha256" else None}
        for name, (size, known) in (listed_in(path) or {}).items()
    }
    told = {"format_version": 1, "model": model, "commit": commit, "files": {**before, **wanted}}
    write(path, json.dumps(told, indent=1))


def refer(folder, revision, commit):
    """What a revision is called; the library takes a newline for a part of it."""
    top = os.path.join(folder, "refs")
    if is_plain(revision):
        write(os.path.join(top, revision), commit)


def tidy(folder, commit, whole):
    """Removes what would stand in the way later: from 1.22 on, the library calls a part of what it has listed none."""
    tree = os.path.join(folder, "trees", commit + ".json")
    if not whole and os.path.exists(tree):
        os.unlink(tree)
    blobs = os.path.join(folder, "blobs")
    for name in entries(blobs):
        if name.endswith(".incomplete") and os.path.exists(os.path.join(blobs, name.split(".")[0])):
            os.unlink(os.path.join(blobs, name))


class Download:
    """The download of a commit's files: as often as it takes, as long as something comes."""

    def __init__(self, library, model, commit, token, hub, folder, wanted):
        self.library, self.model, self.commit, self.token = library, model, commit, token
        self.hub, self.folder, self.wanted = hub, folder, wanted
        self.blobs = os.path.join(folder, "blobs")
        self.sizes = {each["lfs_sha256"] or each["blob_id"]: each["size"] for each in wanted.values()}
        self.total = sum(self.sizes.values())

    def run(self):
        """How many bytes have come."""
        self.clear()
        before = {each for each, size in self.sizes.items() if self.has(each)}
        need = sum(size for each, size in self.sizes.items() if each not in before)
        disk = os.statvfs(self.hub)
        free = disk.f_bavail * disk.f_frsize
        if need and need + MARGIN > free:
            raise Trouble("no-room", f"{gb(need)} are to come, and {self.hub} has {gb(free)} free")
        for last in (False, True):
            self.fetch()
            damaged = self.damaged([each for each in self.sizes if each not in before])
            if not damaged:
                return need
            if last:
                raise Trouble("damaged", ", ".join(damaged))
        return need

    def clear(self):
        """Removes what nobody goes on with, and what is not as long as it should be, which no download mends."""
        locks = os.path.join(self.hub, ".locks", os.path.basename(self.folder))
        if is_locked(locks):
            tell(note="another download of it is under way, and is waited for")
            return
        for name in entries(self.blobs):
            if ABANDONED.search(name):
                os.unlink(os.path.join(self.blobs, name))
        for name, each in self.wanted.items():
            link = os.path.join(self.folder, "snapshots", self.commit, name)
            if os.path.exists(link) and size_of(link) != each["size"]:
                self.drop(each["lfs_sha256"] or each["blob_id"])

    def drop(self, known):
        """Removes a blob, and with it the links that would be taken for it."""
        path = os.path.join(self.blobs, known)
        links = [name for name, each in self.wanted.items() if known in (each["lfs_sha256"], each["blob_id"])]
        for each in (path, *(os.path.join(self.folder, "snapshots", self.commit, name) for name in links)):
            if os.path.lexists(each):
                os.unlink(each)

    def has(self, known):
        path = os.path.join(self.blobs, known)
        return os.path.exists(path) and size_of(path) == self.sizes[known]

    def fetch(self):
        tries = 0
        while True:
            began = self.there()
            error = self.once()
            if error is None:
                return
            trouble = explained(self.library, error, self.model, self.commit, self.token)
            tries = 1 if self.there() > began else tries + 1
            if trouble.code != "no-hub" or tries >= TRIES:
                raise trouble
            tell(done=self.there(), of=self.total, note=f"{trouble}; tried again")
            time.sleep(PAUSE)

    def once(self):
        """One call of the library, told of each second; what it raised, if anything."""
        raised = []
        worker = threading.Thread(target=self.call, args=(raised,), daemon=True)
        worker.start()
        last, moved = -1, time.monotonic()
        first, began = self.there(), moved
        while worker.is_alive():
            worker.join(PACE)
            there = self.there()
            if there != last:
                last, moved = there, time.monotonic()
            elif time.monotonic() > moved + QUIET:
                raise Trouble("quiet", QUIET)
            rate = max(0, there - first) / max(time.monotonic() - began, PACE)
            tell(done=there, of=self.total, rate=rate)
        return raised[0] if raised else None

    def call(self, raised):
        try:
            self.library.snapshot_download(
                self.model,
                revision=self.commit,
                allow_patterns=[glob.escape(each) for each in self.wanted],
                token=self.token,
                cache_dir=self.hub,
            )
        except BaseException as error:
            raised.append(error)

    def there(self):
        """Bytes that have come: of each file what is whole, or the longest that was begun."""
        lengths = {}
        for name in entries(self.blobs):
            known = name.split(".")[0]
            if known in self.sizes:
                length = min(size_of(os.path.join(self.blobs, name)), self.sizes[known])
                lengths[known] = max(length, lengths.get(known, 0))
        return sum(lengths.values())

    def damaged(self, blobs):
        """Files of which the hub has sent other bytes than it said; they are removed, to be sent again."""
        checked = [each for each in blobs if kind_of(each)]
        progress = Progress(sum(self.sizes[each] for each in checked), note="comparing hashes")
        wrong = [each for each in checked if self.differs(each, progress)]
        names = [
            name for name, each in self.wanted.items() if {each["lfs_sha256"], each["blob_id"]} & set(wrong)
        ]
        for each in wrong:
            self.drop(each)
        return names

    def differs(self, known, progress):
        path = os.path.join(self.blobs, known)
        if not os.path.exists(path):
            return False  # links are not made on every file system
        return digest(path, kind_of(known), progress) != known


if __name__ == "__main__":
    main(*sys.argv[1:])
