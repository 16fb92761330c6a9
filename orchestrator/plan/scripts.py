"""The fixed shell programs that run on hosts. What varies reaches them as arguments, never as text.

`$docker` stands unquoted: it is `docker.command`, words split at blanks, with globbing off. Records
are set apart by the ASCII separators 30 and 31, which no answer of Docker's contains.
"""

_SECTION = r"""
set -f
section() {
    printf '\036%s\n' "$1"
    printf '\036%s\n' "$1" >&2
    shift
    "$@"
    set -- "$?"
    printf '\037%s\n' "$1"
    return "$1"
}
"""
"""Sets apart what each probe prints, on both streams."""

OBSERVE = (
    _SECTION
    + r"""
docker=$1 cluster=$2 node=$3 container=$4 image=$5 hf_home=$6 gcs=$7 nodes=$8 mute=
ask() { [ -z "$mute" ] && timeout 20 $docker "$@"; }
host() {
    date +%s.%N
    printf '%s\n' "$HOME"
    ls -d /dev/infiniband 2>/dev/null || echo none
    ls /proc/driver/nvidia/gpus 2>/dev/null | wc -l
}
machine() {
    name=$(hostname)
    echo "hostname $name"
    echo "resolves_to $(timeout 2 getent ahosts "$name" | sed -n '1s/ .*//p')"
    echo "memory $(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)"
    case $hf_home in "~"*) hf_home=$HOME${hf_home#"~"} ;; esac
    printf 'path %s\n' "$hf_home"
    timeout 5 sh -c "$folder" folder "$hf_home" || echo exists unknown
}
folder='
    [ ! -d "$1" ] || echo exists yes
    while [ ! -e "$1" ]; do set -- "$(dirname "$1")"; done
    echo "free $(df -Pk "$1" | sed -n "2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p")"
' # in a shell of its own, that can be given up: a network share that is gone answers nobody
containers() {
    mine="label=raycluster.cluster=$cluster"
    ids=$(ask ps --all --quiet --no-trunc --filter "$mine") || return
    told=$(ask container inspect "$container" $ids 2>/dev/null) || [ -z "$ids" ] ||
        told=$(ask container inspect $ids) || return
    printf '%s\n' "$told"
}
processes() { ask top "$container" -eo pid,comm 2>/dev/null; }
section host host
section addresses ip -json address
section machine machine
section listeners ss -Hltnp
section containers containers || mute=yes
section image ask image inspect --format '{{.Id}}' "$image"
section processes processes
section token cat "$HOME/.raycluster/$cluster/$node.token"
if [ "$gcs" ] && [ -z "$mute" ]; then
    section ray timeout 30 $docker exec "$container" python3 -c "$nodes" "$gcs"
fi
"""
)
"""A Docker that does not tell of its containers is asked no more: one that hangs would hang each time."""

REMOVE = r"""
set -f
docker=$1
ids=$($docker ps --all --quiet --filter "label=raycluster.cluster=$2") || exit
[ -z "$ids" ] || { $docker stop $ids && $docker rm $ids; }
"""

REMOVE_ONE = r"""
set -f
docker=$1
$docker stop "$2" && $docker rm "$2"
"""

DISCARD = r"""
set -f
docker=$1
ids=$($docker ps --all --quiet --filter "label=raycluster.cluster=$2" ${3:+--filter "name=^$3\$"}) || exit
[ -z "$ids" ] || $docker rm --force $ids
"""

ABSENT = r"""
set -f
docker=$1
left=$($docker ps --all --filter "label=raycluster.cluster=$2" --format '{{.Names}} ({{.Status}})') || exit
[ -z "$left" ] || { printf '%s\n' "$left" >&2; exit 1; }
"""

LISTENING = r"""
set -f
docker=$1
timeout 2 bash -c '</dev/tcp/$0/$1' "$2" "$3" 2>/dev/null && exit
$docker container inspect --format '{"state":{{json .State}},"restarts":{{.RestartCount}}}' "$4"
exit 1
"""

LAST_WORDS = r"""
set -f
docker=$1
$docker logs --tail 20 "$2" 2>&1
"""

REACH = r"""
bash -c '</dev/tcp/$0/$1' "$1" "$2"
"""

KEEP_TOKEN = r"""
umask 077
mkdir -p "$HOME/.raycluster/$1" && cat >"$HOME/.raycluster/$1/$2.token"
"""

FORGET_TOKEN = r"""
rm -f "$HOME/.raycluster/$1/$2.token"
rmdir "$HOME/.raycluster/$1" "$HOME/.raycluster" 2>/dev/null || true
"""

INSPECT = (
    _SECTION
    + r"""
docker=$1 image=$2 ask_registry=$3
ask() { timeout 30 $docker "$@"; }
room() {
    root=$(ask info --format '{{.DockerRootDir}}' 2>/dev/null) || return
    timeout 5 df -Pk "$root" | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p'
}
nvidia_cards() {
    set +f
    for card in /sys/bus/pci/devices/*; do
        [ "$(cat "$card/vendor" 2>/dev/null)" = 0x10de ] || continue
        case $(cat "$card/class") in 0x0300* | 0x0302*) echo card ;; esac
    done | wc -l
    set -f
}
toolkit() {
    for name in nvidia-container-runtime-hook nvidia-container-runtime nvidia-container-cli nvidia-ctk; do
        command -v "$name" && return
    done
}
count() { find "$1" -maxdepth 1 -name "$2" 2>/dev/null | wc -l; }
hardware() {
    echo "nvidia_cards $(nvidia_cards)"
    echo "nvidia_driver $(sed -n '1s/.*Module[^.]* \([0-9][0-9.]*\).*/\1/p' /proc/driver/nvidia/version 2>/dev/null)"
    echo "nvidia_usable $(timeout 20 nvidia-smi -L 2>/dev/null | grep -c '^GPU')"
    echo "nvidia_toolkit $(toolkit)"
    echo "amd $(find /sys/class/kfd/kfd/topology/nodes/ -name gpu_id -exec cat {} +  2>/dev/null | grep -vc '^0$')"
    echo "intel $(count /dev/dri 'renderD*')"
    echo "ascend $(count /dev 'davinci[0-9]*')"
    echo "infiniband" $(ls /sys/class/infiniband 2>/dev/null)
}
neighbours() {
    ask ps --all --no-trunc \
        --format '{{.Names}}\t{{.Label "raycluster.cluster"}}\t{{.State}}\t{{.Command}}'
}
section engine ask info --format '{{json .}}' || section sudo timeout 5 sudo -n docker version --format .
section room room
section hardware hardware
section neighbours neighbours
[ -z "$ask_registry" ] || section registry ask manifest inspect "$image"
"""
)

TRIAL = r"""
set -f
docker=$1 name=$2
shift 2
old=$($docker ps --all --quiet --filter "label=raycluster.trial" --filter "name=^$name\$")
[ -z "$old" ] || $docker rm --force $old >/dev/null
exec $docker run --name "$name" "$@"
"""
"""What a trial that was cut short has left makes room first."""

GPUS = r"""
command -v nvidia-smi >/dev/null || exit 3
while :; do
    timeout 10 nvidia-smi --format=csv,noheader,nounits \
        --query-gpu=index,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw 2>&1 |
        sed 's/^/gpu /'
    [ "$1" = follow ] || exit 0
    echo alive
    read -r -t 45 || exit 0
done
"""

WATCH = r"""
set -f
docker=$1 cluster=$2 container=$3 since=$4 gpus=$5
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
        *) bash -c "$gpus" gpus once </dev/null; pulse ;;
    esac
done
while :; do pulse; done
"""
"""Tells what happens to the cluster's containers, and its GPUs' numbers for each line that it reads. Needs bash.

It ends with Docker's events, with standard input, or when nothing was read from that for 45 s. Docker is asked for
five minutes of events at a time: one that runs by way of sudo cannot be killed, and must not stay for long.
In the container, GPUS ends with it: one process there, rather than a new one for each look.
"""
