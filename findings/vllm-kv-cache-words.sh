#!/bin/bash
# vLLM 0.20.2 and 0.22.0: the words of its commonest failure changed by one letter.
#
# Expected: an error that programs look for is worded the same in all versions, or has a name of its own.
# Seen: where the KV cache has no room for one request, vLLM raises a bare ValueError. Up to 0.20.2 it begins "To serve
# at least one request with the models's max seq len", from 0.22.0 on "... with the model's max seq len".
# For raycluster: `serve` tells the cause by these words, and has to know both (tests/plan/serving/words.py).
#
# Output of 2026-11-29:
#   vllm 0.20.2: models's max seq len
#   vllm 0.22.0: model's max seq len
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
python3 -m venv venv
words() { # VERSION
    venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest . "vllm==$1"
    venv/bin/python - "$1" <<'READ'
import re, sys, zipfile
from pathlib import Path

(wheel,) = Path().glob("vllm-*.whl")
text = zipfile.ZipFile(wheel).read("vllm/v1/core/kv_cache_utils.py").decode()
wheel.unlink()
print(f"vllm {sys.argv[1]}:", *sorted(set(re.findall(r"model'?s'?s? max seq len", text))))
READ
}
{ words 0.20.2 && words 0.22.0; } | tee seen
[ "$(cat seen)" = "vllm 0.20.2: models's max seq len
vllm 0.22.0: model's max seq len" ]
