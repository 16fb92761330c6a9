# The floor: a Ray cluster brought up and taken down by hand, as lean as ssh allows.
#   floor.sh up IMAGE GPUS HEAD WORKER...   done when Ray on the head lists all of them
#   floor.sh down HEAD WORKER...            done when Docker on each shows no container any more
# One connection for each host, opened side by side. Nothing is looked at before, nothing explained after.
set -euo pipefail

sockets=$(mktemp -d)
on() { ssh -o BatchMode=yes -o ControlMaster=auto -o ControlPath="$sockets/%h" -o ControlPersist=60 "$@"; }
leave() {
    for socket in "$sockets"/*; do on -O exit "${socket##*/}" 2>/dev/null & done
    wait
    rm -r "$sockets"
}
trap leave EXIT

watch='
import sys, time
from ray._raylet import GcsClient
gcs, wanted, end = GcsClient(address=sys.argv[1]), set(sys.argv[2:]), time.time() + 120
while not wanted <= {node.node_manager_address for node in gcs.get_all_node_info().values() if node.state == 0}:
    if time.time() > end:
        sys.exit(1)
    time.sleep(0.1)
'

start() { # IP RAY-FLAGS...
    local ip=$1
    shift
    echo "docker run -d --name floor --entrypoint /bin/bash --network host --shm-size 1g -e VLLM_HOST_IP=$ip $image" \
        "-c 'exec ray start --block --node-ip-address=$ip --num-gpus=$gpus $*' >/dev/null"
}

up() {
    image=$1 gpus=$2 head=$3
    shift 3
    for worker; do on "$worker" true & done # its connection is there once the head is
    on "$head" "$(start "$head" --head --port=6379); until (</dev/tcp/$head/6379) 2>/dev/null; do sleep 0.05; done"
    wait
    for worker; do on "$worker" "$(start "$worker" "--address=$head:6379")" & done
    on "$head" docker exec -i floor python3 - "$head:6379" "$head" "$@" <<<"$watch"
    wait
}

down() {
    local head=$1 stop='docker stop floor && docker rm floor' each
    shift
    on "$head" true &
    for worker; do on "$worker" "$stop" & done
    wait
    on "$head" "$stop"
    for each in "$head" "$@"; do on "$each" 'test -z "$(docker ps -aq)"' & ends+=($!); done
    for each in "${ends[@]}"; do wait "$each"; done
}

ends=()
"$@"
