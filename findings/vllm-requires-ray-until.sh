#!/bin/bash
# vLLM 0.17.1 and 0.18.0: Ray is no more a requirement of vLLM.
#
# Expected: an engine that vLLM's documentation names for several hosts comes with its package.
# Seen: 0.17.1 requires ray[cgraph]; 0.18.0 requires no Ray on any platform, and its images have none.
# For raycluster: with `engine: ray`, an image of 0.18.0 or later needs `ray.install`; `check` and `up` say so.
#
# Output of 2026-11-29:
#   vllm 0.17.1: ray[cgraph]>=2.48.0
#   vllm 0.18.0: no Ray
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
python3 -m venv venv
requires() { # VERSION
    venv/bin/pip install --quiet --disable-pip-version-check --dry-run --no-deps --only-binary :all: --report report \
        "vllm==$1"
    venv/bin/python - "$1" <<'READ'
import json, sys

wants = json.load(open("report"))["install"][0]["metadata"].get("requires_dist", [])
rays = [each for each in wants if each.startswith("ray") and "extra ==" not in each]
print(f"vllm {sys.argv[1]}:", *(rays or ["no Ray"]))
READ
}
{ requires 0.17.1 && requires 0.18.0; } | tee seen
grep -q '^vllm 0.17.1: ray\[cgraph\]' seen
grep -qx 'vllm 0.18.0: no Ray' seen
