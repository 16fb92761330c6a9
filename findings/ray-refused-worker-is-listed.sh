#!/bin/bash
# Ray 2.54.1: a worker whose Ray is another than the head's is listed as alive before it is refused.
#
# Expected: versions are compared before a node joins, so that a node that is listed is one that stays.
# Seen: `ray start` joins, is listed alive, compares then, says "Version mismatch", and ends.
# For raycluster: a listed worker counts as joined once `ray start` has said "Ray runtime started." as well, and hosts
# whose images may differ are compared before (orchestrator/plan/actions/conditions.py).
#
# Output of 2026-11-29:
#   nodes that were alive at once: 2; the worker's exit code: 1; it said: Version mismatch
set -euo pipefail
folder=$(mktemp -d)
head=
leave() {
    [ -z "$head" ] || { kill "$head" && wait "$head"; } || true
    rm -r "$folder"
}
trap leave EXIT
cd "$folder"
for version in 2.54.1 2.54.0; do
    python3 -m venv $version
    $version/bin/pip install --quiet --disable-pip-version-check "ray==$version"
done
2.54.1/bin/ray start --head --block --node-ip-address=127.0.0.1 --port=26679 --num-cpus=1 --include-dashboard=false \
    --object-store-memory=100000000 --temp-dir="$folder/head" >head.log 2>&1 &
head=$!
for _ in {1..120}; do ! grep -q "Ray runtime started" head.log || break; sleep 1; done
cat >count.py <<'END'
import sys, time
from ray._raylet import GcsClient
gcs, most, end = GcsClient(address="127.0.0.1:26679"), 0, time.monotonic() + 90
while time.monotonic() < end:
    alive = sum(node.state == 0 for node in gcs.get_all_node_info().values())
    most = max(most, alive)
    if most > 1: break
    time.sleep(0.02)
print(most)
END
2.54.1/bin/python count.py >most &
counting=$!
code=0
2.54.0/bin/ray start --block --address=127.0.0.1:26679 --node-ip-address=127.0.0.1 --num-cpus=1 \
    --object-store-memory=100000000 >worker.log 2>&1 || code=$?
wait $counting
echo "nodes that were alive at once: $(cat most); the worker's exit code: $code; it said: $(grep -o 'Version mismatch' worker.log | head -1)"
[ "$(cat most)" = 2 ]
[ $code != 0 ]
