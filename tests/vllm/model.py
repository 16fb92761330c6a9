"""A model that knows the alphabet: asked to go on from "abc" it says "def".

A Llama of four layers, made of numbers that anyone can check. A token is a byte; its embedding has a single one in it;
the last layer turns each into the byte that follows. Those two tables are cut in half for two GPUs, so that a right
answer needs both. The layers between only hum: small noise, too weak to change the answer.
"""

import json
import random
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

BYTES = 256
BEGIN, END = BYTES, BYTES + 1
HEAD = 64  # the smallest head that vLLM's attention on the CPU takes
HEADS = 2
INNER = 128
LAYERS = 4
NOISE = 0.002

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "dtype": "float32",
    "vocab_size": BYTES + 2,
    "hidden_size": BYTES,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "head_dim": HEAD,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "bos_token_id": BEGIN,
    "eos_token_id": END,
    "tie_word_embeddings": False,
}

Tensor = tuple[tuple[int, ...], "array[float]"]


def write(folder: Path) -> None:
    """Make the folder that `vllm serve` takes."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer()))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    _write_tensors(folder / "model.safetensors", dict(_tensors()))


def _tokenizer() -> dict[str, object]:
    """A token for each byte, and no merges: byte-level BPE, as the `tokenizers` library writes it."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [_special(BEGIN, "<s>"), _special(END, "</s>")],
        "pre_tokenizer": level,
        "decoder": level,
        "model": {"type": "BPE", "vocab": {letter: byte for byte, letter in _letters()}, "merges": []},
    }


def _special(token: int, content: str) -> dict[str, object]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token, "content": content, "special": True, **plain}


def _letters() -> Iterator[tuple[int, str]]:
    """Each byte as byte-level BPE writes it: what is visible in Latin-1 as itself, the rest from 256 up."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    for byte in range(BYTES):
        yield byte, chr(byte if byte in visible else next(others))


def _tensors() -> Iterator[tuple[str, Tensor]]:
    chance = random.Random(0)
    yield "model.embed_tokens.weight", _table(lambda byte: byte)
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj"):
            yield f"{name}.self_attn.{part}.weight", _noise(chance, HEADS * HEAD, BYTES)
        yield f"{name}.self_attn.o_proj.weight", _noise(chance, BYTES, HEADS * HEAD)
        for part in ("gate_proj", "up_proj"):
            yield f"{name}.mlp.{part}.weight", _noise(chance, INNER, BYTES)
        yield f"{name}.mlp.down_proj.weight", _noise(chance, BYTES, INNER)
        for part in ("input_layernorm", "post_attention_layernorm"):
            yield f"{name}.{part}.weight", _ones()
    yield "model.norm.weight", _ones()
    yield "lm_head.weight", _table(lambda byte: (byte - 1) % BYTES)


def _table(column: Callable[[int], int]) -> Tensor:
    """A row for each token, with a one in its column; the special tokens have none."""
    numbers = array("f", bytes(4 * (BYTES + 2) * BYTES))
    for byte in range(BYTES):
        numbers[byte * BYTES + column(byte)] = 1.0
    return (BYTES + 2, BYTES), numbers


def _noise(chance: random.Random, rows: int, columns: int) -> Tensor:
    return (rows, columns), array("f", (chance.uniform(-NOISE, NOISE) for _ in range(rows * columns)))


def _ones() -> Tensor:
    return (BYTES,), array("f", [1.0] * BYTES)


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """The safetensors format: the header's length, the header as JSON, the numbers, little-endian."""
    header: dict[str, object] = {}
    end = 0
    for name, (shape, numbers) in tensors.items():
        begin, end = end, end + 4 * len(numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(numbers.tobytes() for _, numbers in tensors.values())
