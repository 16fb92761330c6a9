"""How far vLLM is, from what it logs while it starts."""

import re
from collections.abc import Sequence

FOR_GPUS = "waits for GPUs to be free in Ray"
STAGES = (
    (r"Application startup complete|Starting vLLM API server", "starts its HTTP server"),
    (r"Capturing CUDA graphs?.*?(?P<much>\d+%)", "captures CUDA graphs"),
    (r"GPU KV cache size|# GPU blocks|Maximum concurrency", "has room for the KV cache"),
    (r"torch\.compile takes|Compiling a graph|Dynamo bytecode transform", "compiles the model"),
    (r"Loading weights took|Model loading took", "has loaded the weights"),
    (r"Loading (?:safetensors|pt|.*?) ?checkpoint shards:\s+(?P<much>\d+%.*?\d+/\d+)", "loads the weights"),
    (r"Starting to load model|Loading model from scratch", "loads the model"),
    (r"Time spent downloading weights|[Dd]ownload(?:ing)? .*?(?P<much>\d+%)", "downloads the model"),
    (r"Waiting for creating a placement group", FOR_GPUS),
    (r"init engine|Initializing a V1 LLM engine", "starts its engine"),
)
"""What vLLM 0.17 to 0.32 log, the latest stage first."""


def stage(lines: Sequence[str]) -> str:
    """The latest stage that the lines tell of, in a few words."""
    for line in reversed(lines):
        for pattern, words in STAGES:
            if found := re.search(pattern, line):
                much = (found.groupdict().get("much") or "").partition("|")
                return f"{words}{much[0] and ': ' + much[0].strip()}"
    return "starts"
