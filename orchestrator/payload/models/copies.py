"""Files of a model as one stream of bytes, for hosts that pass it on among themselves, and its way back to files.

A line of JSON stands before the bytes of a file (`n`, its number in the list; `at`, from which byte; `size`), after
them (`n`; `sum`, its hash), and at the end (`end`). All get the same stream: who has more of a file than others passes
over it. What has come is seen by nobody before all of the file is there and its hash is right; then the snapshot is
made, and the name of the revision last.
"""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import stat
import zlib

from cache import (
    LISTS,
    MARGIN,
    Trouble,
    checked_hub,
    folder_of,
    gb,
    hub_folder,
    is_plain,
    is_within,
    kind_of,
    mount_points,
    size_of,
    write,
)
from snapshots import Folder, Model

PART = ".raycluster-part"
LUMP = 1 << 18
PUBLIC, FOLDERS = 0o644, 0o755


def unpacked(text):
    """What the laptop has packed, for it does not fit into a line otherwise."""
    return json.loads(zlib.decompress(base64.b64decode(text)).decode())


def made_of(model, revision):
    """The files of a model's revision, or of a folder by its path, as a list to copy from."""
    if model.startswith("/"):
        top, commit, held = model, "", Folder(model)
        if not held.snapshots:
            raise Trouble("not-there", model)
    else:
        hub = own_hub()
        held = Model(hub, folder_of(model))
        commit = commit_of(held, revision)
        top = os.path.join(held.folder, "snapshots", commit)
    snapshot = held.snapshots[commit]
    if bad := snapshot.bad:
        raise Trouble("not-whole", f"{model}: {snapshot.wrong(bad[0])}")
    files = [listed_file(name, each, snapshot.digests.get(name, "")) for name, each in snapshot.files.items()
             if each.state == "there"]  # fmt: skip
    names = held.names_of(commit)
    return {"model": model, "commit": commit, "names": names, "files": files, "identity": identity(top)}


def commit_of(held, revision):
    """The commit that a name stands for, a whole commit, or the only one that is there."""
    commit = held.refs.get(revision, revision)
    if commit in held.snapshots:
        return commit
    if revision == "main" and len(held.snapshots) == 1:
        return next(iter(held.snapshots))
    raise Trouble("no-model", f"{held.name} {revision}" if held.snapshots else held.name)


def listed_file(name, file, digest):
    known = file.blob if kind_of(file.blob) else digest if kind_of(digest) else ""
    return {"path": name, "size": file.size, "digest": known, "time": int(os.stat(file.real).st_mtime)}


def identity(path):
    """Tells one folder from any other, on whatever hosts it is seen: its number, and when it was last changed."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    found = os.stat(path)
    return f"{found.st_ino}:{found.st_ctime_ns}"


def own_hub():
    absent = os.environ.get("RAYCLUSTER_HF_HOME_ABSENT", "")
    return checked_hub(hub_folder(os.environ), mount_points(), absent)


class Place:
    """Where a list's files belong on this host, and what of them is there."""

    def __init__(self, told):
        self.told, self.files = told, told["files"]
        for each in self.files:
            if not is_plain(each["path"]) or not isinstance(each["size"], int) or "/" in each["digest"]:
                raise Trouble("bad-name", each["path"])
        self.is_folder = told["model"].startswith("/")
        if self.is_folder:
            self.top = checked_folder(told["model"])
        else:
            self.hub = own_hub()
            self.folder = os.path.join(self.hub, folder_of(told["model"]))
            if not is_within(os.path.realpath(self.folder), self.hub):
                raise Trouble("is-link", self.folder)
            self.top = os.path.join(self.folder, "snapshots", told["commit"])

    def at(self, file):
        """Where a file's bytes are to lie."""
        if self.is_folder or not file["digest"]:
            return os.path.join(self.top, file["path"])
        return os.path.join(self.folder, "blobs", file["digest"])

    def has(self, file):
        """How many bytes of it are there; all, where it is whole."""
        path = self.at(file)
        with contextlib.suppress(OSError):
            found = os.stat(path)
            same = self.by_name(file) or int(found.st_mtime) == file["time"]
            if stat.S_ISREG(found.st_mode) and found.st_size == file["size"] and same:
                return file["size"]
        return min(size_of(path + PART), max(0, file["size"] - 1))

    def by_name(self, file):
        return bool(file["digest"]) and not self.is_folder

    def is_shown(self, file):
        """Whether it can be found where a reader looks."""
        path = os.path.join(self.top, file["path"])
        return os.path.exists(path) and os.path.realpath(path) == os.path.realpath(self.at(file))


def checked_folder(path):
    """A folder of a person's own, which has to be on the host's disk."""
    if os.path.normpath(path) != path or not any(
        is_within(os.path.realpath(path), each) for each in mount_points()
    ):
        raise Trouble("folder-not-mounted", path)
    return path


def holding(told):
    """What this host has of a list, and the room that it has."""
    place = Place(told)
    base = place.top if place.is_folder else place.hub
    there = base
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    disk = os.statvfs(there)
    has = [place.has(each) for each in place.files]
    shown = all(map(place.is_shown, place.files)) and is_named(
        place
    )  # an empty file is all there, or not at all
    return {
        "has": has,
        "ready": shown and has == [each["size"] for each in place.files],
        "free": disk.f_bavail * disk.f_frsize,
        "identity": identity(base if place.is_folder else place.top),
    }


def is_named(place):
    told = place.told
    refs = [] if place.is_folder else [os.path.join(place.folder, "refs", each) for each in told["names"]]
    return all(read_ref(each) == told["commit"] for each in refs)


def read_ref(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(100)
    except OSError:
        return ""


def framed(**head):
    return json.dumps(head).encode() + b"\n"


def pieces_of(told, begin):
    """The stream: of each file what is wanted of it. `begin`: from which byte on, by its number; of others nothing."""
    place = Place(told)
    for number, start in sorted((int(number), start) for number, start in begin.items()):
        file = place.files[number]
        path = os.path.join(place.top, file["path"])
        made = None if file["digest"] else hashlib.sha256()
        with open(path, "rb") as source:
            before = os.fstat(source.fileno())
            if before.st_size != file["size"]:
                raise Trouble("changed", file["path"])
            while made and source.tell() < start:
                made.update(source.read(min(LUMP, start - source.tell())))
            source.seek(start)
            yield framed(n=number, at=start, size=file["size"] - start)
            left = file["size"] - start
            while left:
                piece = source.read(min(LUMP, left))
                if not piece:
                    raise Trouble("changed", file["path"])
                left -= len(piece)
                if made:
                    made.update(piece)
                yield piece
            after = os.fstat(source.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise Trouble("changed", file["path"])
        yield framed(n=number, sum=made.hexdigest() if made else file["digest"])
    yield framed(end=True)


class Receiver:
    """Makes files of a stream. `close` shows them; what was cut short stays as a part, for another time."""

    def __init__(self, told, _report=None):
        self.place, self.told = Place(told), told
        self.rest, self.left, self.over, self.came = b"", 0, False, 0
        self.file = self.open = self.hash = None
        self.skip = 0
        self.locks, self.unread = [], []
        has = holding(told)
        wanted = {
            self.place.at(each): each["size"] - part for each, part in zip(self.place.files, has["has"])
        }
        need = sum(wanted.values())
        if need and need + MARGIN > has["free"]:
            raise Trouble(
                "no-room", f"{gb(need)} are to come, and {self.place.top} has {gb(has['free'])} free"
            )
        self.lock({os.path.basename(path) for path, size in wanted.items() if size})

    def lock(self, blobs):
        """Keeps downloads of the same blobs away, which take the same locks."""
        if self.place.is_folder:
            return
        folder = os.path.join(self.place.hub, ".locks", os.path.basename(self.place.folder))
        os.makedirs(folder, exist_ok=True)
        for blob in filter(kind_of, sorted(blobs)):
            with contextlib.suppress(PermissionError):
                lock = open(os.path.join(folder, blob + ".lock"), "a")  # noqa: SIM115 - held
                self.locks.append(lock)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Trouble("locked", self.told["model"]) from None
                except OSError:
                    continue  # this file system has none

    def write(self, piece):
        view = memoryview(piece)
        while view:
            if self.left:
                view = self.take(view)
                continue
            line, newline, rest = bytes(view).partition(b"\n")
            self.rest += line
            if not newline and len(self.rest) <= LUMP:
                return
            try:
                head = json.loads(self.rest.decode())
            except ValueError:
                raise Trouble("no-stream", self.told["model"]) from None
            self.rest, view = b"", memoryview(rest)
            self.begin(head)

    def begin(self, head):
        if head.get("end"):
            self.over = True
        elif "sum" in head:
            self.end(head["sum"])
        else:
            self.start(self.place.files[head["n"]], head["at"], head["size"])

    def start(self, file, at, size):
        self.file, self.left, self.open, self.hash = file, size, None, None
        path, there = self.place.at(file), self.place.has(file)
        self.skip = size if there == file["size"] else max(0, there - at)
        if self.skip >= size and there == file["size"]:
            return
        if there < at:
            raise Trouble("gap", file["path"])
        make_folders(os.path.dirname(path))
        self.open = open(path + PART, "r+b" if there else "wb")  # noqa: SIM115 - until its end
        self.open.truncate(there)
        self.open.seek(there)
        self.hash = None if there else maker(file)

    def take(self, view):
        piece, rest = view[: self.left], view[self.left :]
        self.left -= len(piece)
        wanted = piece[self.skip :]
        self.skip = max(0, self.skip - len(piece))
        if self.open and wanted:
            self.open.write(wanted)
            self.came += len(wanted)
            if self.hash:
                self.hash.update(wanted)
        return rest

    def end(self, known):
        """A file is whole: its hash decides whether it is one."""
        if self.open is None:
            return
        file, path = self.file, self.place.at(self.file)
        self.open.flush()
        os.fsync(self.open.fileno())
        self.open.close()
        self.open = None
        if self.hash:
            self.accept(file, path, self.hash.hexdigest() == known)
        else:
            self.unread.append((file, path, known))

    def accept(self, file, path, is_right):
        if not is_right:
            os.unlink(path + PART)
            raise Trouble("other-bytes", file["path"])
        os.chmod(path + PART, PUBLIC)
        os.utime(path + PART, (file["time"], file["time"]))
        os.replace(path + PART, path)

    def close(self):
        if not self.over:
            raise Trouble("cut-short", self.told["model"])
        for file, path, known in self.unread:  # what a part began, which takes long
            self.accept(file, path, read_again(path + PART, file).hexdigest() == known)
        for each in self.place.files:
            path = self.place.at(each)
            if not each["size"] and not os.path.isfile(path):
                make_folders(os.path.dirname(path))
                write(path, "")
                os.chmod(path, PUBLIC)
                os.utime(path, (each["time"], each["time"]))
            if self.place.has(each) < each["size"]:
                raise Trouble("cut-short", each["path"])
        if not self.place.is_folder:
            self.show()
        self.release()
        return {"said": json.dumps({"came": self.came, "files": len(self.place.files)})}

    def show(self):
        """Links to the blobs, the list of what belongs to it, and last what the revision is called."""
        place, told = self.place, self.told
        for file in place.files:
            path = os.path.join(place.top, file["path"])
            if file["digest"] and not place.is_shown(file):
                make_folders(os.path.dirname(path))
                target = os.path.relpath(place.at(file), os.path.dirname(path))
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path + PART)
                os.symlink(target, path + PART)
                os.replace(path + PART, path)
        listed = {each["path"]: entry(each) for each in place.files}
        about = {"format_version": 1, "model": told["model"], "commit": told["commit"], "files": listed}
        write(os.path.join(place.folder, LISTS, told["commit"] + ".json"), json.dumps(about, indent=1))
        for name in told["names"]:
            if is_plain(name):
                write(os.path.join(place.folder, "refs", name), told["commit"])

    def release(self):
        for lock in self.locks:
            lock.close()

    def abort(self):
        """What has come of a file stays as a part."""
        if self.open:
            with contextlib.suppress(OSError, ValueError):
                self.open.close()


def entry(file):
    sha256 = kind_of(file["digest"]) == "sha256"
    return {"size": file["size"], "blob_id": "" if sha256 else file["digest"],
            "lfs_sha256": file["digest"] if sha256 else None}  # fmt: skip


def maker(file):
    """The hash that a file's name is, or sha256, begun."""
    if kind_of(file["digest"]) == "sha1":
        return hashlib.sha1(b"blob %d\0" % file["size"])  # noqa: S324 - git's
    return hashlib.sha256()


def read_again(path, file):
    made = maker(file)
    with open(path, "rb") as source:
        for piece in iter(lambda: source.read(LUMP), b""):
            made.update(piece)
    return made


def make_folders(path):
    """With the modes of the library's, whatever the image's umask is."""
    if not os.path.isdir(path):
        make_folders(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
            os.chmod(path, FOLDERS)
