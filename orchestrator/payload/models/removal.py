"""Removal of models from the cache: of a folder, and of what it shares with no other."""

import contextlib
import fcntl
import os
import shutil

from cache import UNFINISHED, Trouble, entries, folder_of, read_json, size_of, tell
from snapshots import Model

SERVED = "/var/tmp/raycluster"  # where supervisors keep their files


def remove(hub, words):
    for word in words:
        model = Model(hub, folder_of(word))
        if not os.path.lexists(model.folder):
            tell(removed=word, there=False, bytes=0)
            continue
        if os.path.islink(model.folder):
            raise Trouble("is-link", model.folder)
        locks = os.path.join(hub, ".locks", os.path.basename(model.folder))
        if is_locked(locks):
            raise Trouble("locked", word)
        if is_served(model):
            raise Trouble("served", word)
        if user := user_of(model.folder):
            raise Trouble("in-use", user)
        tell(removed=word, there=True, bytes=remove_model(hub, model, locks))


def remove_model(hub, model, locks):
    """Removes a model's folder, by its name and never by its commits, which another may have too; the bytes freed.

    It vanishes at once, and then in peace.
    """
    before = {path for path, _ in unshared(hub)}
    freed = model.bytes(model.own) + sum(model.unfinished()) + sum(model.unused())
    shared = {os.path.realpath(os.path.join(model.folder, "blobs", each)) for each in
              entries(os.path.join(model.folder, "blobs"))}  # fmt: skip
    gone = os.path.join(hub, ".raycluster-removed-" + os.path.basename(model.folder))
    shutil.rmtree(gone, ignore_errors=True)
    os.rename(model.folder, gone)
    shutil.rmtree(gone)
    shutil.rmtree(locks, ignore_errors=True)
    kept = 0
    for path in shared:
        if path.startswith(os.path.join(hub, "blobs") + os.sep):
            left = dict(unshared(hub))
            if path in left and path not in before:
                remove_shared(path)
            else:
                kept += size_of(path)
    return freed - kept


def remove_shared(path):
    """Of the shared store, a blob and what the library keeps beside it, unless it is just being linked again."""
    with contextlib.suppress(FileNotFoundError), open(path + ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for each in (path, path + ".refs", path + ".lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(each)


def is_locked(folder):
    """Whether a download holds the lock of a file. Locks that are left lying hold nothing."""
    for name in entries(folder):
        try:
            with open(os.path.join(folder, name)) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            continue  # this file system has no locks
    return False


def is_served(model):
    """Whether a server of ours in this container serves it, or is to serve it again."""
    folders = [SERVED, *(os.path.join(SERVED, "served", each) for each in entries(SERVED + "/served"))]
    return any(serves(folder, model) for folder in folders)


def serves(folder, model):
    spec, state = read_json(folder + "/spec.json", {}), read_json(folder + "/state.json", {})
    over = not state or (state.get("is") == "ended" and not state.get("answered"))
    words = [spec.get("model"), *spec.get("args", ())]
    return not over and (model.name in words or any(str(each).startswith(model.folder) for each in words))


def user_of(folder):
    """Who has a file of the folder open, of the processes that we see."""
    for pid in filter(str.isdigit, entries("/proc")):
        if int(pid) == os.getpid():
            continue
        links = [os.path.join("/proc", pid, "fd", each) for each in quietly(entries, f"/proc/{pid}/fd")]
        if any(str(quietly(os.readlink, each)).startswith(folder + os.sep) for each in links):
            return f"{quietly(name_of_process, pid)} (process {pid})"
        if folder + os.sep in str(quietly(maps_of, pid)):
            return f"{quietly(name_of_process, pid)} (process {pid})"
    return ""


def name_of_process(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


def maps_of(pid):
    with open(f"/proc/{pid}/maps", errors="replace") as file:
        return file.read()


def quietly(ask, *words):
    """What is told of a process, which may be another user's or gone."""
    try:
        return ask(*words)
    except OSError:
        return ()


def unshared(hub):
    """Blobs that models shared and none has a link to any more: their paths and sizes."""
    store = os.path.join(hub, "blobs")
    blobs = [
        os.path.join(store, at, name) for at in entries(store) for name in entries(os.path.join(store, at))
    ]
    blobs = [each for each in blobs if not each.endswith((".lock", ".refs"))]
    used = set(links_to(hub, store)) if blobs else set()
    return [(each, size_of(each)) for each in blobs if each not in used and not UNFINISHED.search(each)]


def links_to(hub, store):
    """Where the blobs of all repositories lead that lead into the shared store."""
    for repository in entries(hub):
        blobs = os.path.join(hub, repository, "blobs")
        if "--" not in repository:
            continue
        for name in entries(blobs):
            path = os.path.join(blobs, name)
            if os.path.islink(path):
                real = os.path.realpath(path)
                if real.startswith(os.path.realpath(store) + os.sep):
                    yield os.path.join(store, os.path.relpath(real, os.path.realpath(store)))
