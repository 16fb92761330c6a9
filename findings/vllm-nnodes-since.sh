#!/bin/bash
# vLLM 0.11.0 and 0.11.1: `vllm serve` on several hosts without Ray came with a patch release.
#
# Expected: new options come with a minor release, and all 0.11 take the same ones.
# Seen: 0.11.0 has no --nnodes, --node-rank and --master-addr, and ends with "unrecognized arguments"; 0.11.1 has them.
# For raycluster: `engine: mp` over several hosts needs an image with vLLM 0.11.1. An older one is told as such, by the
# argument that it does not know (tests/plan/serving/words.py).
#
# Output of 2026-11-29:
#   vllm 0.11.0:
#   vllm 0.11.1: --master-addr --nnodes --node-rank
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
python3 -m venv venv
options() { # VERSION
    venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest . "vllm==$1"
    venv/bin/python - "$1" <<'READ'
import re, sys, zipfile
from pathlib import Path

(wheel,) = Path().glob("vllm-*.whl")
text = zipfile.ZipFile(wheel).read("vllm/engine/arg_utils.py").decode()
wheel.unlink()
print(f"vllm {sys.argv[1]}:", *sorted(set(re.findall(r'"(--(?:nnodes|node-rank|master-addr))"', text))))
READ
}
{ options 0.11.0 && options 0.11.1; } | sed 's/ *$//' | tee seen
[ "$(cat seen)" = "vllm 0.11.0:
vllm 0.11.1: --master-addr --nnodes --node-rank" ]
