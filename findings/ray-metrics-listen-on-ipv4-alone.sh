#!/bin/bash
# Ray 2.60.0: the metrics of a node with an IPv6 address are exported at IPv4 addresses alone.
#
# Expected: a node that was told `--node-ip-address=::1` exports its metrics there, as it is what Ray tells.
# Seen: at the port that Ray tells with that address nobody listens; at 127.0.0.1 somebody does.
# For raycluster: `metrics` says so and names no such target (orchestrator/plan/status/services.py).
#
# Output of 2026-11-29:
#   somebody listens at ::1: no, at 127.0.0.1: yes
set -euo pipefail
folder=$(mktemp -d)
head=
trap '[ -z "$head" ] || { kill "$head" && wait "$head"; } 2>/dev/null || true; rm -r "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "ray[default]==2.60.0"
venv/bin/ray start --head --block --node-ip-address=::1 --port=26879 --metrics-export-port=26885 --num-cpus=1 \
    --include-dashboard=false --object-store-memory=100000000 --temp-dir="$folder/ray" >log 2>&1 &
head=$!
listens() { (exec 3<>"/dev/tcp/$1/26885") 2>/dev/null && echo yes || echo no; }
for _ in {1..120}; do [ "$(listens 127.0.0.1)" = no ] || break; sleep 1; done
seen="at ::1: $(listens ::1), at 127.0.0.1: $(listens 127.0.0.1)"
echo "somebody listens $seen"
[ "$seen" = "at ::1: no, at 127.0.0.1: yes" ]
