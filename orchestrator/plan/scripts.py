"""The fixed shell programs that run on hosts. What varies reaches them as arguments, never as text.

`$docker` stands unquoted: it is `docker.command`, words split at blanks, with globbing off. Records
are set apart by the ASCII separators 30 and 31, which no answer of Docker's contains.
"""

from orchestrator.plan.serving import inside

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
docker=$1 cluster=$2 node=$3 container=$4 image=$5 hf_home=$6 gcs=$7 nodes=$8 keeper=$9 base=${10} mute=
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
ray() {
    printf '\036ray\n'
    { complaint=$(timeout 30 $docker exec "$container" python3 -c "$nodes" "$gcs" 2>&1 >&3) && code=0 || code=$?; } 3>&1
    printf '\037%s\n\036complaint\n%s\0370\n' "$code" "$complaint"
}
rest() {
    section image ask image inspect --format '{{.Id}}' "$image"
    if [ "$base" ]; then
        section derived ask image inspect --format '{{json .}}' "$image"
        section base ask image inspect --format '{{json .}}' "$base"
    fi
    section processes processes
    section token cat "$HOME/.raycluster/$cluster/$node.token"
    if [ "$keeper" ] && [ -z "$mute" ]; then
        section served ask exec "$container" sh -c '"""
    + inside.LOOK
    + r"""' "$keeper" 200
    fi
}
section host host
section addresses ip -json address
if [ "$hf_home" ]; then
    section machine machine
    section listeners ss -Hltnp
fi
section containers containers || mute=yes
if [ "$gcs" ] && [ -z "$mute" ]; then
    ray | { rest </dev/null; cat; }
else
    rest
fi
"""
)
"""A Docker that does not tell of its containers is asked no more: one that hangs would hang each time.

Ray takes the longest to answer, so all the rest is looked at meanwhile; what it says waits in the pipe.
"""

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

STAY = r"""
exec cat >/dev/null
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

RUN_MARKED = r"""
export "$1"
shift
(exec "$@")
exit "$?"
"""
"""Stays for as long as the command does, its mark to be seen even where the command becomes another user, by sudo."""

END_MARKED = r"""
grace=$1 tenth=0 quiet=0 told=' '
read -r mark
marked() { printf %s "$mark" | grep -lsF -f - "$@" | tr -dc '0-9\n'; }
while [ "$quiet" -lt 5 ]; do
    [ "$tenth" -lt $((grace + 30)) ] || exit 1
    for pid in $(marked /proc/[0-9]*/environ); do
        case $told in
            *" $pid "*) [ "$tenth" -lt "$grace" ] || kill -KILL "$pid" ;;
            *) told="$told$pid " && kill -TERM "$pid" ;;
        esac
    done 2>/dev/null
    [ "$(marked /proc/[0-9]*/environ /proc/[0-9]*/cmdline)" ] && quiet=0 || quiet=$((quiet + 1))
    tenth=$((tenth + 1))
    sleep 0.1
done
"""
"""TERM, once, for each process that has the mark in its environment, KILL after `$1` tenths of a second. Those
with the mark among their words have begun one, or are about to: they are waited for. Done when none of either
was seen for half a second. The mark comes on standard input, so that nothing here carries it."""

END_IN_CONTAINER = r"""
set -f
docker=$1 container=$2 end_marked=$3 grace=$4
read -r mark
clients() { set +f && printf %s "$mark" | grep -lsF -f - /proc/[0-9]*/cmdline; }
for try in 1 2 3; do
    printf '%s\n' "$mark" | $docker exec --interactive "$container" sh -c "$end_marked" end-exec "$grace" || exit
    [ "$(clients)" ] || exit 0
done
exit 1
"""
"""Docker's client lasts for as long as its command, so one that is still there has one, or is about to begin it."""

SHELL = r"""
set -f
docker=$1 cluster=$2 container=$3
runs=$($docker ps --quiet --filter "label=raycluster.cluster=$cluster" --filter "name=^$container\$") || exit 125
[ "$runs" ] || {
    echo "no container of cluster $cluster runs here; see: raycluster status" >&2
    exit 125
}
exec $docker exec --interactive --tty --env "TERM=$TERM" "$container" \
    sh -c 'command -v bash >/dev/null && exec bash; exec sh'
"""
"""125: Docker's own code for what it could not begin."""
