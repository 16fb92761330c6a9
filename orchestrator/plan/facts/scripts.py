"""The shell programs that look at a host, each probe in a section of its own; `sections` takes them apart.

As in `scripts`, what varies reaches them as arguments, and `$docker` stands unquoted. Records are set apart by the
ASCII separators 29 to 31, which no answer of Docker's contains.
"""

from orchestrator import payload

_SECTION = r"""
set -f
section() {
    printf '\036%s\n' "$1"
    shift
    { complaint=$("$@" 2>&1 >&3); } 3>&1
    set -- "$?"
    printf '\037%s\n%s\n' "$1" "$complaint"
    return "$1"
}
"""
"""Sets apart what each probe prints: its output, its exit code, its complaints. All of it on standard output, where
two probes at once are kept apart by a pipe.
"""

_ENGINE = r"""
engine() {
    told=$(ask info --format '{{json .}}') || return
    case $told in *'"ServerErrors":['*) return 1 ;; esac
    printf '%s\n' "$told" "${DOCKER_HOST:+DOCKER_HOST=$DOCKER_HOST}" "${DOCKER_CONTEXT:+DOCKER_CONTEXT=$DOCKER_CONTEXT}"
}
"""
"""What Docker tells of itself, and the variables that may have chosen this one, the stronger first.

A client before 28 (20.10 and 26.1 were tried) succeeds also where no daemon has answered it.
"""

_CLUSTER_OF = r"""
cluster_of='{{if eq (printf "%T" .Labels) "string"}}{{.Label "raycluster.cluster"}}'\
'{{else}}{{index .Labels "raycluster.cluster"}}{{end}}'
"""
"""The template of the cluster that a container is of, as `ps` prints it.

Docker's labels are one string, and `.Label` finds one in it; Podman's are a map, and Podman 4.3 has no `.Label`.
"""

OBSERVE = (
    _SECTION
    + _ENGINE
    + _CLUSTER_OF
    + r"""
docker=$1 cluster=$2 node=$3 container=$4 image=$5 hf_home=$6 gcs=$7 nodes=$8 supervisor=$9 base=${10} devices=${11}
python=${12}
mute=
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
    read -r kernel </proc/sys/kernel/osrelease
    echo "kernel $kernel"
    command -v bash >/dev/null || echo "lacks bash"
    echo "memory $(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)"
    case $hf_home in "~"*) hf_home=$HOME${hf_home#"~"} ;; esac
    printf 'path %s\n' "$hf_home"
    timeout 5 sh -c "$folder" folder "$hf_home" || echo exists unknown
    echo "missing" $(for file in $devices; do [ -e "$file" ] || echo "$file"; done)
}
folder='
    [ ! -d "$1" ] || echo exists yes
    while [ ! -e "$1" ]; do set -- "$(dirname "$1")"; done
    echo "free $(df -Pk "$1" | sed -n "2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p")"
' # in a shell of its own, that can be given up: a network share that is gone answers nobody
row='{{.ID}}\t'$cluster_of'\t{{.Names}}\t{{.Status}}\t{{.Command}}'
containers() {
    rows=$(ask ps --all --no-trunc --filter label=raycluster.cluster --format "$row") || return
    ids=
    while read -r id whose _; do
        [ "$whose" != "$cluster" ] || ids="$ids $id"
    done <<END
$rows
END
    told=$(ask container inspect "$container" $ids 2>/dev/null) || [ -z "$ids" ] ||
        told=$(ask container inspect $ids) || return
    printf '%s\n\035%s\n' "$told" "$rows"
}
config='"Env":{{json .Config.Env}},"Entrypoint":{{json .Config.Entrypoint}}'
told_of_images='{"Id":"{{.Id}}","RootFS":{{json .RootFS}},"Config":{'$config'}}'
image() { [ -z "$image" ] || ask image inspect --format "$told_of_images" "$image"; }
holder() { read -r pid <"$lock" && [ "/proc/$pid/fd/9" -ef "$lock" ] && cat "$lock"; }
processes() { [ -z "$image" ] || ask top "$container" -eo pid,comm 2>/dev/null; }
since() {
    read -r up _ </proc/uptime
    read -r first </proc/1/stat
    set -- ${first##*") "}
    echo "up $up"
    echo "first ${20}"
    [ ! -e /run/docker.pid ] || echo "engine $(date -r /run/docker.pid +%s.%N)"
}
ray() { ask exec "$container" /bin/sh -c "$python" python3 -c "$nodes" "$gcs"; }
rest() {
    section image image
    if [ "$base" ]; then
        section derived ask image inspect --format '{{json .}}' "$image"
        section base ask image inspect --format '{{json .}}' "$base"
    fi
    section processes processes || {
        section since since
        [ -z "$hf_home" ] || section engine engine
    }
    section token cat "$HOME/.raycluster/$cluster/$node.token"
    read -r name </proc/sys/kernel/hostname
    lock=$HOME/.raycluster/$cluster/$name.lock
    [ ! -s "$lock" ] || section lock holder
    if [ "$supervisor" ] && [ -z "$mute" ]; then
        section served ask exec "$container" /bin/sh -c '"""
    + payload.IF_SERVED
    + r"""'"$python" python3 "$supervisor" inspect 200
    fi
}
look() {
    section host host
    section addresses ip -json address
    if [ "$hf_home" ]; then
        section machine machine
        section listeners ss -Hltnp
    elif [ "$supervisor" ]; then
        section listeners ss -Hltn
    fi
    section containers containers || mute=yes
    rest
}
if [ "$gcs" ]; then
    told=$(section ray ray | { look </dev/null; cat; })
else
    told=$(look)
fi
printf '%s\n' "$told"
"""
)
"""Podman calls an image's ID `.ID`, and knows Docker's name for it as `{{.Id}}` alone.

Of other clusters' containers the list is all that is told: they may go while we look, which is no trouble of ours.

A Docker that does not tell of its containers is asked no more: one that hangs would hang each time. It tells of
itself before the first container of ours, and while one of them runs no more; so does the host, of when it was booted
and when Docker was started, which may be why.

Ray takes the longest to answer, so it is asked first, and all the rest is looked at meanwhile. All is sent at once, in
the end: each piece would be a packet, and a packet of paramiko's is 0.2 ms of the laptop's CPU.

Who has the cluster's lock is read without a try to take it, which could keep another from it (`plan.lock`).
"""

RAY = (
    _SECTION
    + r"""
docker=$1
section ray timeout 20 $docker exec "$2" /bin/sh -c "$5" python3 -c "$3" "$4" || true
"""
)
"""Succeeds also where nobody answers: to ask is no more than a try."""

INSPECT = (
    _SECTION
    + _ENGINE
    + _CLUSTER_OF
    + r"""
docker=$1 image=$2 ask_registry=$3
ask() { timeout 30 $docker "$@"; }
room() {
    root=$(ask info --format '{{.DockerRootDir}}' 2>/dev/null || ask info --format '{{.Store.GraphRoot}}') || return
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
    listed=$(timeout 20 nvidia-smi -L 2>&1)
    echo "nvidia_usable $(printf '%s\n' "$listed" | grep -c '^GPU')"
    echo "nvidia_trouble $(printf '%s\n' "$listed" | grep -v '^GPU\|^ ' | sed -n 1p)"
    echo "nvidia_toolkit $(toolkit)"
    echo "nvidia_hook $(command -v nvidia-container-runtime-hook)"
    echo "nvidia_cdi_hook $(command -v nvidia-cdi-hook)"
    echo "nvidia_cdi $(find /etc/cdi /var/run/cdi -type f -exec grep -ls nvidia.com/gpu {} + 2>/dev/null | sed -n 1p)"
    echo "amd $(find /sys/class/kfd/kfd/topology/nodes/ -name gpu_id -exec cat {} +  2>/dev/null | grep -vc '^0$')"
    echo "intel $(count /dev/dri 'renderD*')"
    echo "ascend $(count /dev 'davinci[0-9]*')"
    echo "gaudi $(count /sys/bus/pci/drivers/habanalabs '*:*')"
    echo "tpu $(($(count /dev 'accel[0-9]*') + $(count /dev/vfio '[0-9]*')))"
    echo "infiniband" $(ls /sys/class/infiniband 2>/dev/null)
}
neighbours() {
    ask ps --all --no-trunc \
        --format '{{.Names}}\t'"$cluster_of"'\t{{.State}}\t{{.Command}}'
}
place() {
    read -r boot </proc/sys/kernel/random/boot_id
    echo "boot $boot"
    echo "network $(readlink /proc/self/ns/net)"
}
restarter() {
    case $docker$(ask --version 2>/dev/null) in *podman*) ;; *) return ;; esac # or podman-docker's
    unit=podman-restart.service whose=
    case $docker in sudo*) ;; *) [ "$(id -u)" = 0 ] || whose=--user ;; esac
    echo "state $(systemctl $whose is-enabled $unit 2>/dev/null)"
    echo "starts $(systemctl $whose cat $unit 2>/dev/null | sed -n 's/^ExecStart=.* --filter[ =]\([^ ]*\).*/\1/p')"
    [ -z "$whose" ] || echo "lingers $(loginctl show-user "$(id -un)" --property=Linger --value 2>/dev/null)"
}
section engine engine || section sudo timeout 5 sudo -n docker version --format .
section room room
section restarter restarter
section place place
section hardware hardware
section neighbours neighbours
[ -z "$ask_registry" ] || section registry ask manifest inspect "$image"
"""
)
