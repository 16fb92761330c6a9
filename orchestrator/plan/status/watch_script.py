"""The fixed shell program that tells of a host while it is watched; the rest are in `scripts`."""

from orchestrator.plan.scripts import for_docker

GPUS = r"""
command -v nvidia-smi >/dev/null || exit 3
ask() {
    echo "$BASHPID"
    timeout 10 nvidia-smi --format=csv,noheader,nounits \
        --query-gpu=index,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw 2>&1
    echo end
}
while :; do
    if [ "$line" = end ] || ! kill -0 "$asked" 2>/dev/null; then
        exec 3< <(ask </dev/null)
        read -r asked <&3
        while read -r -t 12 line <&3 && [ "$line" != end ]; do echo "gpu $line"; done
    fi
    [ "$1" = follow ] || { [ "$line" = end ]; exit; }
    [ "$line" = end ] || echo "gpu nvidia-smi does not answer"
    echo alive
    read -r -t 45 || exit 0
done
"""
"""A GPU that has failed can make nvidia-smi hang past any signal: it is told as such, and no second one is begun."""

WATCH = for_docker(r"""
cluster=$2 container=$3 since=$4 gpus=$5 mute=
events() {
    trap 'kill "$!" 2>/dev/null; exit' TERM
    while :; do
        until=$(($(date +%s) + 300))
        $docker events --since "$since" --until "$until" --filter "label=raycluster.cluster=$cluster" \
            --format '{{json .}}' </dev/null &
        wait "$!" || exit
        since=$until
    done
}
pulse() {
    kill -0 "$events" 2>/dev/null || { wait "$events"; exit; }
    echo alive
    read -r -t 45 || exit 0
}
events &
events=$!
trap 'kill "$events" 2>/dev/null' EXIT
while [ "$gpus" ]; do
    $docker exec --interactive "$container" bash -c "$gpus" gpus follow 2>/dev/null
    case $? in
        0) exit ;;
        3) for minute in 1 2 3 4 5 6 7 8 9 10 11 12; do pulse; done ;;
        *)
            [ "$mute" ] || { bash -c "$gpus" gpus once </dev/null; [ "$?" -ne 1 ] || mute=yes; }
            [ -z "$mute" ] || echo "gpu nvidia-smi does not answer"
            pulse
            ;;
    esac
done
while :; do pulse; done
""")
"""Tells what happens to the cluster's containers, and its GPUs' numbers for each line that it reads. Needs bash.

It ends with Docker's events, with standard input, or when nothing was read from that for 45 s. Docker is asked for
five minutes of events at a time: one that runs by way of sudo cannot be killed, and must not stay for long.
In the container, GPUS ends with it: one process there, rather than a new one for each look.
"""
