"""Snapshots of models: the files that are there, those that should be, and those that vLLM needs."""

import fnmatch
import os

from cache import (
    FURTHER_INDEXES,
    INDEX,
    OTHER_TOKENIZERS,
    SINGLE,
    TOKENIZERS,
    UNFINISHED,
    File,
    entries,
    is_matched,
    is_plain,
    is_within,
    lent,
    listed,
    listed_in,
    name_of,
    read_json,
    refs_of,
    shards_of,
    size_of,
    walked,
)

PARTS = ("text_model_id", "audio_model_id")  # of Ultravox: each a model of its own
FORMATS = {
    ".safetensors": INDEX,
    "consolidated.safetensors": FURTHER_INDEXES[0],
    ".bin": FURTHER_INDEXES[1],
    ".pt": "",
}
"""With their indexes, in the order in which vLLM looks for files: `_prepare_weights` of `default_loader.py`."""
OF_TRAINING = ("training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt")
WITHOUT_MERGES = (*TOKENIZERS[:3], "merges.txt", "*.model")
BESIDE_WEIGHTS = ("*.json", "*.jinja", "*.py", "*.model", "*.tiktoken", "merges.txt", "vocab*.txt")
SENSES = ("vision_config", "audio_config", "vision_tower", "thinker_config")
WRONG = {
    "short": "has another length",
    "outside": "leads out of the cache",
    "unreadable": "cannot be read",
    "pointer": "is what git leaves of it without LFS",
    "garbled": "cannot be understood",
}
PROCESSORS = ("preprocessor_config.json", "processor_config.json")


class Snapshot:
    """A folder of a model's files, those that are there and those that it should have.

    `listed`: whether anybody has told what it consists of; without that, an index of weights does as far as it goes.
    """

    def __init__(self, top, roots, wanted=None):
        self.top, self.listed = top, wanted is not None
        there = [each for each in walked(top) if not UNFINISHED.search(each)]
        indexed = [shard for each in there if each.endswith(".index.json") for shard in shards_of(top, each)]
        if wanted is None:
            wanted = dict.fromkeys((*there, *self.fitting(indexed, there)), (None, ""))
        self.files = {}
        for name in sorted({*there, *wanted}):
            size = wanted.get(name, (None,))[0]
            if is_plain(name):
                self.files[name] = File(os.path.join(top, name), roots, size)
        self.wanted = [name for name in self.files if name in wanted]
        self.digests = {name: each[1] for name, each in wanted.items()}

    @staticmethod
    def fitting(indexed, there):
        """The shards of the formats that are there at all: an index of another says nothing of this one."""
        formats = {format_of(each) for each in there} - {""}
        return [each for each in indexed if format_of(each) in formats] if formats else indexed

    @property
    def bad(self):
        return [name for name in self.wanted if self.files[name].state != "there"]

    def wrong(self, name):
        """What is wrong with a file, in words."""
        return f"{name} {WRONG.get(self.files[name].state, 'is missing')}"

    @property
    def is_known(self):
        """Whether it can be told that it is whole: by a list, or by its weights and configuration."""
        weights = INDEX in self.files or SINGLE in self.files
        return self.listed or ("config.json" in self.files and weights)

    @property
    def state(self):
        return "partial" if self.bad else "whole" if self.is_known else "unknown"

    def lacks(self):
        """What vLLM needs and is not there, read as vLLM reads a folder."""
        good = {name for name, each in self.files.items() if each.state == "there"}
        top = [each for each in self.files if "/" not in each]
        needed = ["config.json", *self.weights(good)]
        there = [each for each in top if is_matched(each, (*TOKENIZERS, *OTHER_TOKENIZERS))]
        if not good.intersection(there) and (there or not self.listed):  # one that is listed may have none
            needed.append(min(there, key=lambda each: each not in TOKENIZERS) if there else TOKENIZERS[0])
        if "vocab.json" in good and not any(is_matched(each, WITHOUT_MERGES) for each in good):
            needed.append("merges.txt")
        config = read_json(os.path.join(self.top, "config.json"), {})
        code = config.get("auto_map") if isinstance(config, dict) else None
        modules = [each for each in code.values() if isinstance(each, str)] if isinstance(code, dict) else []
        needed += [
            each.split(".")[0] + ".py" for each in modules if "--" not in each
        ]  # no other repository's
        if "params.json" in good and "config.json" not in self.files:  # Mistral's own format
            needed.remove("config.json")
        needed += [each for each in self.bad if each in top and is_matched(each, BESIDE_WEIGHTS)]
        return [each for each in dict.fromkeys(needed) if each not in good]

    def adapter(self):
        """Of what model, and of which rank, where it is no model but a LoRA adapter as PEFT writes it; else None."""
        config = read_json(os.path.join(self.top, "adapter_config.json"), None)
        if "config.json" in self.files or not isinstance(config, dict):
            return None
        base, rank = config.get("base_model_name_or_path"), config.get("r")
        return {"of": base if isinstance(base, str) else "", "rank": rank if type(rank) is int else 0}

    def is_fit_offline(self, folder, commit):
        """Whether vLLM, told not to ask the hub, finds all that it would have found with it.

        Not so where it chooses between formats by the hub's listing, where code or weights are another repository's,
        and, from huggingface_hub 1.22 on, where the library has a list of files that were not all downloaded. Of
        pictures and sounds one without a word of how to prepare them may not be all there.
        """
        good = {name for name, each in self.files.items() if each.state == "there"}
        config = read_json(os.path.join(self.top, "config.json"), {})
        config = config if isinstance(config, dict) else {}
        code = config.get("auto_map")
        elsewhere = isinstance(code, dict) and any("--" in str(each) for each in code.values())
        elsewhere = elsewhere or any(config.get(each) for each in PARTS)
        mixed = any(fnmatch.fnmatch(name, "consolidated*.safetensors") for name in good)
        mixed = mixed or (any(config.get(each) for each in SENSES) and not good.intersection(PROCESSORS))
        tree = listed_in(os.path.join(folder, "trees", commit + ".json")) or {}
        weights = INDEX in good or SINGLE in good
        return weights and not (self.lacks() or elsewhere or mixed or set(tree) - good)

    def weights(self, good):
        """The weights that vLLM reads, with their index: of the first format of which a file is there, if any is."""
        top = [each for each in self.files if "/" not in each]
        found = []
        for kind, index in FORMATS.items():
            named = [each for each in top if format_of(each) == kind]
            named = [SINGLE] if SINGLE in named else named
            shards = shards_of(self.top, index) if index in good else []
            names = [index, *shards] if shards else named
            if any(self.files[each].state != "missing" for each in {*named, *shards} if each in self.files):
                return names
            found = found or names
        return found or [SINGLE]


def format_of(name):
    """Which of vLLM's formats a file of weights is in; empty where it is none."""
    base, ending = os.path.splitext(os.path.basename(name))
    if ending not in (".safetensors", ".bin", ".pt") or base + ending in OF_TRAINING:
        return ""
    return f"{'consolidated' * base.startswith('consolidated')}{ending}"


class Closed(Snapshot):
    """Snapshots of a folder that this user may not read."""

    def __init__(self, top):
        self.top, self.listed, self.digests, self.wanted = top, False, {}, ["snapshots"]
        self.files = {"snapshots": File(top, ())}
        self.files["snapshots"].state = "unreadable"

    def lacks(self):
        return ["snapshots"]


def readable(folder):
    """Names in a folder; none where this user may not read it."""
    try:
        return entries(folder)
    except PermissionError:
        return []


class Model:
    """A model's folder in the cache, with its revisions."""

    def __init__(self, hub, folder):
        self.folder, self.name = os.path.join(hub, folder), name_of(folder)
        self.own = (os.path.realpath(hub), os.path.realpath(self.folder))
        self.roots = (*self.own, *lent())
        self.refs = refs_of(self.folder)
        top = os.path.join(self.folder, "snapshots")
        try:
            commits = [each for each in entries(top) if os.path.isdir(os.path.join(top, each))]
            self.snapshots = {commit: self.snapshot(commit) for commit in commits}
        except PermissionError:
            self.snapshots = {"": Closed(top)}

    def snapshot(self, commit):
        return Snapshot(
            os.path.join(self.folder, "snapshots", commit), self.roots, listed(self.folder, commit)
        )

    def names_of(self, commit):
        return sorted(name for name, each in self.refs.items() if each == commit)

    def unfinished(self):
        """The sizes of what downloads and copies have begun here and not ended."""
        blobs = os.path.join(self.folder, "blobs")
        return [size_of(os.path.join(blobs, each)) for each in readable(blobs) if UNFINISHED.search(each)]

    def unused(self):
        """The sizes of what no revision has a link to."""
        blobs = os.path.join(self.folder, "blobs")
        used = {each.blob for one in self.snapshots.values() for each in one.files.values()}
        there = [each for each in readable(blobs) if each not in used and not UNFINISHED.search(each)]
        return [size_of(os.path.join(blobs, each)) for each in there]

    def bytes(self, folders=("/",)):
        """Of all its files, or of those that lie in these folders."""
        files = [each for one in self.snapshots.values() for each in one.files.values() if each.inode]
        here = [each for each in files if any(is_within(each.real, folder) for folder in folders)]
        return sum({each.inode: each.size for each in here}.values())


def models_in(hub):
    """The models of a cache; a folder that has no snapshots is what a refused download has left."""
    there = [each for each in entries(hub) if each.startswith("models--")]
    found = [Model(hub, each) for each in there if os.path.isdir(os.path.join(hub, each))]
    return [each for each in found if each.snapshots]


class Folder:
    """A folder of files that is in no cache, told of as a model with one revision."""

    def __init__(self, path):
        self.name, self.folder, self.refs = path, path, {}
        there, real = os.path.isdir(path), os.path.realpath(path)
        above, within = os.path.split(os.path.dirname(real))
        self.own = (real,)
        hub = (
            (os.path.dirname(above),) if within == "snapshots" else ()
        )  # a snapshot, whose files are links to blobs
        self.snapshots = {"": Snapshot(path, (real, *hub, *lent()))} if there else {}

    def names_of(self, _commit):
        return []

    def unfinished(self):
        paths = [os.path.join(at, each) for at, _, names in os.walk(self.folder) for each in names]
        return [size_of(each) for each in paths if UNFINISHED.search(each)]

    def unused(self):
        return []

    def bytes(self):
        return sum(each.size for one in self.snapshots.values() for each in one.files.values())
