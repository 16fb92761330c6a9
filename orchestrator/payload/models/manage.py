"""Models in the cache of a container's user, sent as text: told of, verified by their hashes, removed.

python3 -c TEXT look MODELS      a line of JSON: the cache, and all models in it or those that are named
python3 -c TEXT fit MODELS       the same, with the shapes of these models, and the GPUs that can be seen
python3 -c TEXT verify MODELS    reads every byte, with a line of JSON each second and one at the end; ends with
                                 standard input
python3 -c TEXT drop MODELS      the same, and removes what is damaged, to be brought anew
python3 -c TEXT remove MODELS    removes them, with what nobody else has a link to
python3 -c TEXT hub []           whether the hub answers whoever downloads a model from here

MODELS: a list as JSON; one with a slash in front is a folder of any kind. Why it cannot be is on standard error, too.
"""

import json
import os
import sys

from cache import HUB, OFFLINE, Trouble, checked_hub, folder_of, hub_folder, mount_points, tell
from common import end_with_input, words_of_os
from hashes import judge
from removal import remove, unshared
from shape import gpus, shape_of
from snapshots import Folder, Model, models_in

MOST = 20  # names of files that are told
TRUE = ("1", "TRUE", "YES", "ON")  # to huggingface_hub
BY_SOCKS = ("ALL_PROXY", "all_proxy")  # which the standard library does not know
TRIES, HUB_SECONDS = 2, 10


def main(act, words):
    models = json.loads(words)
    if act in ("verify", "drop"):
        end_with_input()
    try:
        if act in ("look", "fit"):
            look(models, fitting=act == "fit")
        elif act == "hub":
            tell(hub=unreached())
        elif act == "remove":
            remove(cache(), models)
        else:
            judge(found(models), dropping=act == "drop")
    except Trouble as trouble:
        fail(trouble.code, str(trouble))
    except OSError as error:
        fail("os-error", words_of_os(error))


def fail(code, words):
    tell(trouble=code, words=words)
    sys.exit(words)


def cache():
    """The folder of this user's models, which the host has."""
    absent = os.environ.get("RAYCLUSTER_HF_HOME_ABSENT", "")
    return checked_hub(hub_folder(os.environ), mount_points(), absent)


def found(words):
    """The models of these names, or all; of a name that is not there, nothing."""
    folders = [Folder(each) for each in words if each.startswith("/")]
    if words and len(folders) == len(words):
        return [each for each in folders if each.snapshots]
    hub = cache()
    if not words:
        return models_in(hub)
    named = [Model(hub, folder_of(each)) for each in words if not each.startswith("/")]
    return [each for each in (*folders, *named) if each.snapshots]


def look(words, fitting=False):
    models = found(words)
    place = next((each for each in words if each.startswith("/")), "") or cache()
    disk = os.statvfs(place if os.path.exists(place) else "/")
    tell(
        hub=place,
        user=os.getuid(),
        free=disk.f_bavail * disk.f_frsize,
        models=[told(each, fitting) for each in models],
        gpus=gpus() if fitting else [],
        unused=sum(size for _, size in unshared(place)) if not words else 0,
    )


def unreached():
    """Why the hub does not answer; empty where it does, or nobody can say.

    Whatever answers is taken for the hub, and a certificate that only the library knows for a good one.
    """
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    for name in OFFLINE:
        if os.environ.get(name, "").upper() in TRUE:
            return f"{name} is set"
    if any(os.environ.get(name) for name in BY_SOCKS):
        return ""
    url, why = os.environ.get("HF_ENDPOINT") or HUB, ""
    for _ in range(TRIES):
        try:
            asking = urllib.request.Request(url, method="HEAD")
            urllib.request.urlopen(asking, timeout=HUB_SECONDS).close()
        except (urllib.error.HTTPError, http.client.HTTPException, ValueError):
            return ""
        except OSError as error:
            cause = getattr(error, "reason", error)
            if isinstance(cause, ssl.SSLError):
                return ""
            why = getattr(cause, "strerror", None) or str(cause)
        else:
            return ""
    return f"{url}: {why}"


def told(model, fitting):
    revisions = [told_of(model, commit, each, fitting) for commit, each in sorted(model.snapshots.items())]
    astray = [name for name, commit in model.refs.items() if commit not in model.snapshots]
    return {
        "name": model.name,
        "bytes": model.bytes(),
        "unfinished": sum(model.unfinished()),
        "unused": sum(model.unused()),
        "astray": sorted(astray)[:MOST],  # names whose text is no commit that is there
        "revisions": revisions,
    }


def told_of(model, commit, snapshot, fitting):
    files = snapshot.files
    expected = [files[name].expected or 0 for name in snapshot.bad]
    return {
        "commit": commit,
        "names": model.names_of(commit),
        "state": snapshot.state,
        "files": len(snapshot.wanted) - len(snapshot.bad),
        "of": len(snapshot.wanted),
        "bytes": sum({each.inode: each.size for each in files.values() if each.inode}.values()),
        "missing": sum(expected),
        "bad": {name: files[name].state for name in snapshot.bad[:MOST]},
        "lacks": snapshot.lacks(),
        "adapter": snapshot.adapter(),
        "offline": snapshot.is_fit_offline(model.folder, commit),
        "shape": shape_of(snapshot) if fitting else None,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
