#!/bin/bash
# Ray 2.48.0, as `pip install ray` has it, without [default]: a node tells a port that exports its metrics.
#
# Expected: a Ray without the agent that exports metrics tells no port for them, as 2.60.0 does.
# Seen: 2.48.0 tells one, and nobody listens there.
# For raycluster: `metrics` and `dashboard` try who listens before they believe it (orchestrator/payload/ray_nodes.py).
#
# Output of 2026-11-29:
#   Ray 2.48.0: tells a port: True, somebody listens there: False
#   Ray 2.60.0: tells a port: False, somebody listens there: False
set -euo pipefail
folder=$(mktemp -d)
head=
end() {
    [ -z "$head" ] || { kill "$head" && wait "$head"; } 2>/dev/null || true
    head=
}
trap 'end; rm -r "$folder"' EXIT
cd "$folder"
cat >told.py <<'END'
import socket, ray
from ray._raylet import GcsClient
(node,) = GcsClient(address="127.0.0.1:26779").get_all_node_info().values()
told = max(node.metrics_export_port, 0)
with socket.socket() as there:
    listens = bool(told) and not there.connect_ex((node.node_manager_address, told))
print(f"Ray {ray.__version__}: tells a port: {bool(told)}, somebody listens there: {listens}")
END
for version in 2.48.0 2.60.0; do
    python3 -m venv $version
    $version/bin/pip install --quiet --disable-pip-version-check "ray==$version"
    $version/bin/ray start --head --block --node-ip-address=127.0.0.1 --port=26779 --num-cpus=1 \
        --object-store-memory=100000000 --temp-dir="$folder/$version-ray" >$version.log 2>&1 &
    head=$!
    for _ in {1..120}; do ! grep -q "Ray runtime started" $version.log || break; sleep 1; done
    sleep 5 # an agent would have begun by now
    $version/bin/python told.py | tee -a told
    end
done
diff told - <<'END'
Ray 2.48.0: tells a port: True, somebody listens there: False
Ray 2.60.0: tells a port: False, somebody listens there: False
END
