"""Shape of a model, as its configuration and the headers of its weights tell it; no weight is read.

A file of safetensors begins with 8 bytes, the length of its
header, and that, JSON: https://huggingface.co/docs/safetensors/index#format
"""

import os
import re
import subprocess

from cache import INDEX, entries, read_json, read_text, safetensors_header

LONGEST_LIST, LONGEST_TEXT, DEEPEST = 1000, 200, 4  # of what a configuration says: more is no shape
LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|layer|block)\.(\d{1,4})\.")
BESIDE = re.compile(r"vision|visual|audio|image|speech|projector")
"""What turns pictures and sounds into tokens has layers of its own."""
FIRST = re.compile(r"embed_tokens|tok_embeddings|word_embeddings|\bwte\b|embed_in")
LAST = re.compile(r"lm_head|embed_out|^output\.")
EXPERTS = re.compile(r"\.experts\.")
COPIED = re.compile(
    r"norm\.(?:weight|bias)$|\.(?:q_a_proj|kv_a_proj|kv_a_proj_with_mqa|gate|router|shared_expert_gate|indexer)\."
)
"""What each rank has whole: norms, routers, and of latent attention what brings numbers down."""
KEYS = re.compile(r"\.(?:k_proj|v_proj|wk|wv)\.")
"""Cut by the heads of the KV cache."""
LEFT_OUT = re.compile(r"(?:^|\.)(?:mtp\w*|talker|token2wav|code2wav)\.")
"""What vLLM does not load: layers for speculative decoding, and what turns text into sound."""
GPU_SECONDS = 10
ROW = re.compile(r"(.+), (\d+), (?!Enabled)\S+")
AMD, KFD = "/sys/class/drm", "/sys/class/kfd/kfd/topology/nodes"
SHARES = re.compile(r"^cpu_cores_count [1-9](?s:.*)^simd_count [1-9]", re.MULTILINE)
"""An accelerator that is one with the CPU: its memory is the host's, of which its driver tells a part."""
HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
MIB = 1 << 20
LONGEST_CONFIG, LARGEST = 4 * MIB, 1 << 50  # bytes of the file; and of anything that it counts


def shape_of(snapshot):
    """What a snapshot tells of its shape; None where it has no configuration."""
    config = snapshot.files.get("config.json")
    readable = config and config.state == "there" and config.size <= LONGEST_CONFIG
    said = read_json(config.real) if readable else None
    if not isinstance(said, dict):
        return None
    return {"config": pruned({**quantization_of(snapshot), **said}), "weights": weights_of(snapshot)}


def quantization_of(snapshot):
    """What ModelOpt has written beside the configuration of how it quantised, as vLLM takes it."""
    file = snapshot.files.get("hf_quant_config.json")
    said = read_json(file.real) if file and file.state == "there" and file.size <= LONGEST_CONFIG else None
    told = said.get("quantization") if isinstance(said, dict) else None
    return {"quantization_config": {**told, "quant_method": "modelopt"}} if isinstance(told, dict) else {}


def pruned(value, depth=0):
    """Without what is no shape: long lists, such as names of labels, and long texts."""
    if isinstance(value, dict):
        kept = {} if depth == DEEPEST else {key: pruned(each, depth + 1) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None and len(key) <= LONGEST_TEXT}
    if isinstance(value, list):
        kept = [pruned(each, depth + 1) for each in value] if len(value) <= LONGEST_LIST else []
        return kept if kept and None not in kept else None
    return None if isinstance(value, str) and len(value) > LONGEST_TEXT else value


def weights_of(snapshot):
    """Bytes of its weights by part and by type of number; in all, as its index has it; and of how many files.

    A file that was cut short has its header still.
    """
    good = {name for name, each in snapshot.files.items() if each.state == "there"}
    names = [each for each in snapshot.weights(good) if not each.endswith(".json")]
    files = [snapshot.files[each] for each in names if each in snapshot.files]
    parts, read = {}, 0
    for file in files:
        header = safetensors_header(file.real, file.size) if file.state in ("there", "short") else None
        if header and file.path.endswith(".safetensors"):
            add(parts, header[1])
            read += 1
    index = read_json(os.path.join(snapshot.top, INDEX), {})
    told = index.get("metadata") if isinstance(index, dict) else None
    total = told.get("total_size") if isinstance(told, dict) else None
    return {
        "parts": parts,
        "read": read,
        "of": len(names),
        "total": int(total) if isinstance(total, (int, float)) and 0 < total < LARGEST else 0,
        "bytes": sum(each.size for each in files if each.state == "there"),
    }


def add(parts, tensors):
    for name, each in tensors.items():
        offsets = each.get("data_offsets")
        begin, end = offsets[:2] if isinstance(offsets, list) and offsets[1:] else (None, None)
        wanted = isinstance(each.get("dtype"), str) and not LEFT_OUT.search(name)
        if isinstance(begin, int) and isinstance(end, int) and wanted:
            sizes = parts.setdefault(part_of(name), {})
            sizes[each["dtype"]] = sizes.get(each["dtype"], 0) + end - begin


def part_of(name):
    """`first` and `last` are at the model's ends, `rest` is all else.

    Between are, of layer 7, `experts 7`, `keys 7`, `copied 7`, and `layer 7` for what is cut evenly.
    """
    layer = LAYER.search(name)
    if BESIDE.search(name):
        return "rest"
    if layer:
        kinds = (("experts", EXPERTS), ("copied", COPIED), ("keys", KEYS), ("layer", LAYER))
        return f"{next(kind for kind, pattern in kinds if pattern.search(name))} {int(layer.group(1))}"
    return "first" if FIRST.search(name) else "last" if LAST.search(name) else "rest"


def gpus():
    """Name and bytes of each GPU that can be seen here, in order; none where nothing tells of them.

    One that is cut up (MIG) and one that has the host's memory tell nothing that a part of it has; nor do unlike ones,
    some of which are hidden.
    """
    found = nvidia() or amd()
    unlike = len({each["bytes"] for each in found}) > 1
    return [] if unlike and any(os.environ.get(each) for each in HIDING) else found


def nvidia():
    asked = "--query-gpu=name,memory.total,mig.mode.current", "--format=csv,noheader,nounits"
    try:
        # One that hangs does so past any signal: it is left alone then.
        running = subprocess.Popen(
            ["nvidia-smi", *asked],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        told = running.communicate(timeout=GPU_SECONDS)[0].decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [ROW.fullmatch(line.strip()) for line in told.splitlines()]
    if running.returncode or None in rows:
        return []
    return [{"name": row.group(1), "bytes": int(row.group(2)) * MIB} for row in rows]


def amd():
    cards = sorted(each for each in entries(AMD) if re.fullmatch(r"card\d+", each))
    cut = [read_text(os.path.join(AMD, each, "device/current_compute_partition")).strip() for each in cards]
    shares = [SHARES.search(read_text(os.path.join(KFD, each, "properties"))) for each in entries(KFD)]
    if set(cut) - {"", "SPX"} or any(shares):
        return []
    sizes = [read_text(os.path.join(AMD, each, "device/mem_info_vram_total")).strip() for each in cards]
    return [{"name": "AMD", "bytes": int(size)} for size in sizes if size.isdigit() and int(size) > MIB << 10]
