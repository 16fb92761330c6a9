"""Cache of models, read as it lies on disk: where it is, and the layouts of huggingface_hub 0.23 to 2.4.

It needs no huggingface_hub, whose own scan hides a model
with a single dangling link. https://huggingface.co/docs/huggingface_hub/guides/manage-cache has the layout; what it
does not say: from 1.22 on `trees/COMMIT.json` lists the files of a commit, and from 1.32 on blobs of a model may
themselves be links, into `blobs/` of the whole cache.
"""

import fnmatch
import json
import os
import re
import stat

NAME = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)?[A-Za-z0-9_][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA1, SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
UNFINISHED = re.compile(r"\.(incomplete|raycluster-part)$")
MARGIN = 64 << 20  # bytes to leave free on a disk
LISTS = ".raycluster"  # in a model's folder: what its commits consist of, as the hub said when it was pulled
HUB_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
HUB = "https://huggingface.co"
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
HEADER_BYTES = 100 << 20  # no header of safetensors is longer:
# https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs
INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
FURTHER_INDEXES = ("consolidated.safetensors.index.json", "pytorch_model.bin.index.json")
POINTER = b"version https://git-lfs.github.com/spec/"  # what git leaves of a file without its LFS
LONGEST_POINTER = 1000
OTHER_WEIGHTS = (
    *("*.bin", "*.pt", "*.pth", "*.h5", "*.msgpack", "*.onnx", "*.onnx_data", "*.gguf", "*.ot", "*.tflite"),
    *("original/*", "onnx/*", "openvino/*", "coreml/*"),
)
OF_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/run", "/usr", "/lib", "/lib64", "/bin", "/sbin")
UNREAD = (
    "*.md",
    ".git*",
    "*/.git*",
    "LICENSE*",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.webp",
    "*.svg",
    "*.pdf",
)
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt")
OTHER_TOKENIZERS = (
    "*.model",
    "*.tiktoken",
    "*vocab*.txt",
    "tokenizer.*json*",
)  # of code that comes with the model


MARK = "\x1e"


def tell(**told):
    """Tells the laptop something: no line without the mark is ours."""
    print(MARK + json.dumps(told), flush=True)


TROUBLES = {
    "modelscope": "{} is set: models come from ModelScope, which keeps them in a way of its own",
    "empty-variable": "{} is set, and empty: Hugging Face would take the working folder for its cache",
    "leads-out": "its cache is a link to what no container has: {}",
    "not-mounted": "Hugging Face looks in {}, where nothing is mounted: a model there would go with the container",
    "no-folder": "there is no {} yet",
    "bad-name": "{} is no name of a model",
    "is-link": "{} is a link to another folder, and is left to whoever made it",
    "locked": "{} is being downloaded at this moment",
    "served": "{} is served at this moment",
    "in-use": "it is open in {}",
    "no-room": "{}",
    "no-model": "has no {}",
    "not-there": "has no {}",
    "not-whole": "does not have all of it: {}",
    "folder-not-mounted": "{} is in no folder of the host that its containers have",
    "changed": "{} changed while it was read",
    "other-bytes": "other bytes came than the hash of {} says",
    "cut-short": "not all of {} has come",
    "no-stream": "what came for {} is no stream of files",
    "gap": "a part of {} is missing, before what was sent",
    "stalled": "nothing could be read there for {} s",
    "os-error": "{}",
}
"""By codes, which the laptop knows too."""


class Trouble(Exception):  # noqa: N818 - of a host, as elsewhere
    """Why a cache or a model cannot be told of, or not removed. `what`: a name or a path."""

    def __init__(self, code, what):
        super().__init__(TROUBLES[code].format(what))
        self.code = code


def hub_folder(environ):
    """Where this user's Hugging Face keeps models. A variable that is empty is a value to it: the working folder."""
    if environ.get("VLLM_USE_MODELSCOPE", "").lower() in ("1", "true"):
        raise Trouble("modelscope", "VLLM_USE_MODELSCOPE")
    decides = next((each for each in (*HUB_VARIABLES, "HF_HOME", "XDG_CACHE_HOME") if each in environ), "")
    given = environ.get(decides, "~/.cache")
    if not given:
        raise Trouble("empty-variable", decides)
    below = () if decides in HUB_VARIABLES else ("hub",) if decides == "HF_HOME" else ("huggingface", "hub")
    return os.path.expandvars(os.path.expanduser(os.path.join(given, *below)))


def checked_hub(hub, mounts, absent=""):
    """The folder itself, or why what is in it is not the host's. `mounts`: the mount points that are not `/`.

    `absent`: the host's folder that would be mounted if it were there.
    """
    real = os.path.realpath(hub)
    if not any(is_within(real, each) for each in mounts):
        if os.path.islink(hub) or os.path.islink(os.path.dirname(hub)):
            raise Trouble("leads-out", f"{hub} -> {real}")
        raise Trouble("no-folder", absent) if absent else Trouble("not-mounted", hub)
    return real


def mount_points():
    """Where the host's folders are in a container; outside of one, everywhere."""
    if os.environ.get("RAYCLUSTER_ON_LAPTOP"):
        return ["/"]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = [line.split()[4].replace("\\040", " ") for line in file]
    return [each for each in points if each != "/"]


def lent():
    """The folders of the host that a container has been given: what a link may lead to besides the cache."""
    return [
        each for each in mount_points() if each != "/" and not any(is_within(each, of) for of in OF_SYSTEM)
    ]


def is_within(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def folder_of(model):
    """The name of a model's folder in the cache."""
    if not NAME.fullmatch(model) or ".." in model or "--" in model:
        raise Trouble("bad-name", model)
    return "models--" + model.replace("/", "--")


def name_of(folder):
    return folder[len("models--") :].replace("--", "/")


def entries(folder):
    """Names in a folder, in order; none where it is not there."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_json(path, default=None):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError):
        return default


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1000)
    except OSError:
        return ""


def refs_of(folder):
    """The commit that each name of a revision stands for, with a newline if it has one: the library keeps it."""
    top = os.path.join(folder, "refs")
    found = {}
    for at, _, names in os.walk(top):
        for name in names:
            path = os.path.join(at, name)
            found[os.path.relpath(path, top)] = read_text(path)
    return found


class File:
    """A file of a snapshot. `state`: `there`, or what is wrong with it; `blob`: the name of what its link leads to."""

    def __init__(self, path, roots, expected=None):
        self.path, self.expected = path, expected
        self.state, self.size, self.blob, self.inode = "missing", 0, "", None
        try:
            if os.path.islink(path):
                self.blob = os.path.basename(os.readlink(path))
            self.real = os.path.realpath(path)
            if not any(is_within(self.real, root) for root in roots):
                self.state = "outside"
                return
            found = os.stat(self.real)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self.state = "unreadable"
            return
        self.size, self.inode = found.st_size, (found.st_dev, found.st_ino)
        if not stat.S_ISREG(found.st_mode):
            self.state = "outside"
        elif not os.access(self.real, os.R_OK):
            self.state = "unreadable"
        elif is_pointer(self.real, self.size):
            self.state = "pointer"
        elif (expected is not None and self.size != expected) or not is_covered(self.real, path, self.size):
            self.state = "short"
        else:
            self.state = "there" if is_understood(self.real, os.path.basename(path)) else "garbled"


def is_pointer(path, size):
    """Whether it is what a `git clone` without LFS has in place of a file."""
    if size > LONGEST_POINTER:
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(POINTER)) == POINTER
    except OSError:
        return False


def is_understood(path, name):
    """Whether a configuration is one, and an index names files."""
    if name == "config.json":
        return isinstance(read_json(path), dict)
    return name not in (INDEX, *FURTHER_INDEXES) or bool(shards_of(*os.path.split(path)))


def is_covered(real, path, size):
    """Whether a file of safetensors is as long as its own header says: 8 bytes, the header, the last offset."""
    if not path.endswith(".safetensors"):
        return True
    header = safetensors_header(real, size)
    if header is None:
        return False
    length, tensors = header
    try:
        ends = [each["data_offsets"][1] for name, each in tensors.items() if name != "__metadata__"]
        return size == 8 + length + max(ends, default=0)
    except (KeyError, IndexError, TypeError):
        return False


def safetensors_header(path, size):
    """How long the header is, and the header; None where it is none."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(size, HEADER_BYTES):
                return None
            tensors = json.loads(file.read(length).decode())
            return length, {name: each for name, each in tensors.items() if isinstance(each, dict)}
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def is_matched(path, patterns):
    return any(fnmatch.fnmatchcase(path, each) for each in patterns)


def chosen(names):
    """What of a repository is worth bringing: not the weights in further formats, where there are safetensors."""
    if not any(is_matched(each, (INDEX, SINGLE, "consolidated*.safetensors")) for each in names):
        return list(names)
    return [each for each in names if not is_matched(each, OTHER_WEIGHTS)]


def listed(folder, commit):
    """The files of a commit as the hub has listed them, `{path: (size, digest)}`; None where no list is there.

    Ours has what was asked for; the library's own has everything, of which what vLLM reads is wanted.
    """
    ours = listed_in(os.path.join(folder, LISTS, commit + ".json"))
    if ours:
        return ours
    tree = listed_in(os.path.join(folder, "trees", commit + ".json"))
    return tree and {name: tree[name] for name in chosen(list(tree)) if not is_matched(name, UNREAD)}


def listed_in(path):
    """A list of files in the form of the library's `trees/COMMIT.json`, which is ours too."""
    told = read_json(path)
    files = told.get("files") if isinstance(told, dict) else None
    if not isinstance(files, dict) or not all(isinstance(each, dict) for each in files.values()):
        return None
    return {name: told_in(each) for name, each in files.items()}


def told_in(entry):
    """Size and digest of a file that is listed; None and nothing where they are none."""
    size = entry.get("lfs_size") or entry.get("size")
    digest = entry.get("lfs_sha256") or entry.get("blob_id")
    return size if isinstance(size, int) else None, digest if isinstance(digest, str) else ""


def is_plain(path):
    """Whether it is a path below a folder and nothing else: lists come from elsewhere."""
    return (
        not os.path.isabs(path) and path == os.path.normpath(path) and path.split("/")[0] not in ("..", ".")
    )


def walked(top):
    """The paths of all files below a folder, relative to it; a link to a folder is one of them."""
    found = []
    for at, folders, names in os.walk(top):
        names += [each for each in folders if os.path.islink(os.path.join(at, each))]
        found += [os.path.relpath(os.path.join(at, each), top) for each in names]
    return sorted(found)


def shards_of(top, index):
    weights = read_json(os.path.join(top, index), {})
    named = weights.get("weight_map") if isinstance(weights, dict) else None
    shards = set(named.values()) if isinstance(named, dict) else set()
    return sorted(each for each in shards if isinstance(each, str) and is_plain(each))


def kind_of(name):
    """Which hash a blob is called by, if it is one."""
    return "sha256" if SHA256.fullmatch(name) else "sha1" if SHA1.fullmatch(name) else ""


def write(path, text):
    """Writes a small file, at once and whole."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def gb(count):
    return f"{count / 1e9:.1f} GB"


def size_of(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
