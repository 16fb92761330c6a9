"""The fixed shell programs that run on hosts. What varies reaches them as arguments, never as text."""

from functools import cache

from orchestrator import payload
from orchestrator.model.cluster import Node
from orchestrator.plan.command import Command, Script


def for_docker(text: str) -> str:
    """A program whose first argument is `docker.command`: unquoted, `$docker` is its words."""
    return f"\nset -f\ndocker=$1{text}"


HELD = for_docker(r"""
printf '\036'
timeout 20 $docker image inspect --format '{{json .}}' "$2" 2>/dev/null && exit
code=$?
[ "$code" -ne 124 ] || exit "$code"
timeout 20 $docker version --format . >/dev/null
""")
"""An image that is not there and a Docker that does not answer, or not in time, are two things."""

LAYERS = for_docker(r"""
ids=$(timeout 20 $docker image ls --all --quiet --no-trunc) || exit 0
printf '\036'
[ -z "$ids" ] || timeout 40 $docker image inspect --format '{{.Id}} {{.GraphDriver.Name}} {{json .RootFS.Layers}}' $ids
exit 0
""")
"""Where it does not tell, an image is sent with all of its layers."""

BUILD = for_docker(r"""
base=$2 name=$3 label=$4
id=$($docker image inspect --format '{{.Id}}' "$base") || exit
said=$($docker build --network host --label "$label=$id" --tag "$name" - 2>&1)
code=$?
colour=$(printf '\033')'\[[0-9;]*m'
noise='/^DEPRECATED: The legacy builder/,/^$/d; /^Sending build context/d; /^Step /d; /^ ---> /d'
again='/^The command .env PIP_/,/ returned a non-zero code/d'
printf '%s\n' "$said" | sed "s/$colour//g; $noise; $again" >&2
exit "$code"
""")
"""The name tells from what it was meant to be made, the label from what it was: a tag may be moved.

Docker tells on either stream what pip says, with colours; here all of it is told on the one for failures, and
what differs from host to host without meaning anything is not.
"""

LOAD = for_docker(r"""
silence=$2 name=$3 packed=$4
fed() {
    while said=$(timeout "$silence" dd bs=1M count=4 iflag=fullblock 2>&1 >&3); do
        case $said in 0+0*) return ;; esac
    done
}
case $packed in
zstd) loaded=$(fed 3>&1 | zstd --decompress --quiet --stdout | $docker load --quiet) || exit ;;
*) loaded=$(fed 3>&1 | $docker load --quiet) || exit ;;
esac
printf '%s\n' "$loaded"
case $loaded in *" localhost/$name"*) $docker tag "localhost/$name" "$name" ;; esac
""")
"""Docker would wait for a sender that is behind a cut cable until sshd finds out, with half an image on its disk.

Podman saves an image that has no registry in its name as `localhost/NAME`, and Docker takes that for its name.
"""


LOAD_RELAYED = for_docker(r"""
name=$2
loaded=$($docker load --quiet) || exit
printf '%s\n' "$loaded"
case $loaded in *" localhost/$name"*) $docker tag "localhost/$name" "$name" ;; esac
""")
"""The same where a relay gives the archive, which itself sees whether it stands still."""

RELAY = Script(
    "relay",
    """
command -v python3 >/dev/null || { echo "this host has no python3" >&2; exit 127; }
exec python3 -c "$1"
""",
)


def scripted(text: str, name: str, node: Node, *arguments: str, interpreter: str = "sh") -> Command:
    """A fixed script made by `for_docker`, and its further arguments."""
    return Script(name, text).command(" ".join(node.docker.command), *arguments, interpreter=interpreter)


@cache
def packed_program(name: payload.Name) -> Script:
    """The same for a long one, in fewer letters."""
    return Script(name, payload.packed(payload.program(name)))


@cache
def program(name: payload.Name) -> Script:
    """A program for the Python of a container."""
    return Script(name, payload.program(name))


REMOVE = for_docker(r"""
ids=$($docker ps --all --quiet --filter "label=raycluster.cluster=$2") || exit
[ -z "$ids" ] || { $docker stop $ids && $docker rm $ids; }
""")

REMOVE_ONE = for_docker(r"""
$docker stop "$2" && $docker rm "$2"
""")

DISCARD = for_docker(r"""
ids=$($docker ps --all --quiet --filter "label=raycluster.cluster=$2" ${3:+--filter "name=^$3\$"}) || exit
[ -z "$ids" ] || $docker rm --force $ids
""")

ABSENT = for_docker(r"""
left=$($docker ps --all --filter "label=raycluster.cluster=$2" --format '{{.Names}} ({{.Status}})') || exit
[ -z "$left" ] || { printf '%s\n' "$left" >&2; exit 1; }
""")

LISTENING = for_docker(r"""
timeout 2 bash -c '</dev/tcp/$0/$1' "$2" "$3" 2>/dev/null && exit
$docker container inspect --format '{"state":{{json .State}},"restarts":{{.RestartCount}}}' "$4"
exit 1
""")

BEGUN = for_docker(r"""
$docker exec "$2" /bin/sh -c '[ -e "$1" ]' begun "$3" 2>/dev/null && exit
$docker container inspect --format '{"state":{{json .State}},"restarts":{{.RestartCount}}}' "$2"
exit 1
""")

STARTED = for_docker(r"""
container=$2 begins=$3 words=$4
state=$($docker container inspect --format '"state":{{json .State}},"restarts":{{.RestartCount}}' "$container") || exit
said=$($docker logs "$container" 2>&1) || said=
case $said in
    *"$words"*) started=true ;;
    *"$begins"*) started=false ;;
    *) started=null ;;
esac
printf '{%s,"started":%s,"now":%s}\n' "$state" "$started" "$(date +%s)"
""")
"""Whether the words are in the container's log; null where not even those are with which it begins.

Its Docker keeps no logs, then, or the image's entrypoint sends elsewhere what comes after it.
"""

MODELS = for_docker(r"""
container=$2 hf_home=$3 target=$4 python=$5 program=$6 act=$7 told=$8
shift 8
image=$*
set -- "$@" python3 -c "$program" "$act" "$told"
state=$($docker container inspect --format '{{.State.Running}}' "$container" 2>/dev/null)
if [ "$state" = true ]; then
    exec $docker exec --interactive "$container" /bin/sh -c "$python" python3 -c "$program" "$act" "$told"
fi
[ "$image" ] || { echo "$container does not run" >&2; exit 1; }
case $hf_home in "~"*) hf_home=$HOME${hf_home#"~"} ;; esac
case $act in pull|receive|relay) brings=yes ;; *) brings= ;; esac
if [ -d "$hf_home" ] || [ "$brings" ]; then
    set -- --volume "$hf_home:$target" "$@"
else
    set -- --env "RAYCLUSTER_HF_HOME_ABSENT=$hf_home" "$@"
fi
exec $docker run --rm --interactive "$@"
""")
"""In the node's container, where it runs: it has what is mounted there. Else in one that is gone afterwards, where the
words for that come last.

For a download Docker makes the folder where there is none, as it would for the node's own container.
"""

LAPTOP_MODELS = r"""
exec env RAYCLUSTER_ON_LAPTOP=1 "$@"
"""

HAS = r"""
command -v "$1" >/dev/null
"""

STAY = r"""
exec cat >/dev/null
"""

LAST_WORDS = for_docker(r"""
container=$2 image=$3 python=$4 probe=$5
shift 5
said=$($docker logs --tail 20 "$container" 2>&1)
code=$?
printf '%s\n' "$said"
case $said in *" ray: not found"*)
    set -- --rm --network none "$@" --entrypoint /bin/bash "$image" -c "$python" python3 -c "$probe" where ray
    timeout 20 $docker run "$@" 2>/dev/null
    ;;
esac
exit "$code"
""")
"""A `ray` that is not on the PATH may be elsewhere in the image, whose container has ended."""

REACH = r"""
bash -c '</dev/tcp/$0/$1' "$1" "$2"
"""

KEEP_TOKEN = r"""
folder=$HOME/.raycluster/$1
umask 077
mkdir -p "$folder" && chmod 700 "$folder" && cat >"$folder/$2.token" && chmod 644 "$folder/$2.token"
"""
"""The container's user, who need not be root, reads the file, which alone is mounted there; on the host nobody but
its owner comes into the folder."""

FORGET_TOKEN = r"""
rm -f "$HOME/.raycluster/$1/$2.token"
rmdir "$HOME/.raycluster/$1" "$HOME/.raycluster" 2>/dev/null || true
"""

TRIAL = for_docker(r"""
name=$2
shift 2
old=$($docker ps --all --quiet --filter "label=raycluster.trial" --filter "name=^$name\$")
[ -z "$old" ] || $docker rm --force $old >/dev/null
exec $docker run --name "$name" "$@"
""")
"""What a trial that was cut short has left makes room first."""

END_TRIAL = for_docker(r"""
$docker rm --force "$2" >/dev/null 2>&1 || true
""")

TRY_ENTRYPOINT = for_docker(r"""
name=$2
shift 2
$docker rm --force "$name" >/dev/null 2>&1
timeout -s KILL 15 $docker run --name "$name" "$@" </dev/null
code=$?
$docker rm --force "$name" >/dev/null 2>&1
exit "$code"
""")
"""Docker's client would hand TERM on to the first process, which may not listen to it, and wait."""

RUN_MARKED = 'export "$1"; shift; (exec "$@"); exit "$?"'
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

END_IN_CONTAINER = for_docker(r"""
container=$2 end_marked=$3 grace=$4
read -r mark
clients() { set +f && printf %s "$mark" | grep -lsF -f - /proc/[0-9]*/cmdline; }
for try in 1 2 3; do
    printf '%s\n' "$mark" | $docker exec --interactive "$container" /bin/sh -c "$end_marked" end-exec "$grace" || exit
    [ "$(clients)" ] || exit 0
done
exit 1
""")
"""Docker's client lasts for as long as its command, so one that is still there has one, or is about to begin it."""

SHELL = for_docker(r"""
cluster=$2 container=$3 up=$5
runs=$($docker ps --quiet --filter "label=raycluster.cluster=$cluster" --filter "name=^$container\$") || exit 125
[ "$runs" ] || {
    printf '%s\n' "no container of cluster $cluster runs here; to start one: $up" >&2
    exit 125
}
exec $docker exec --interactive --tty --env "TERM=$TERM" "$container" /bin/sh -c "$4" shell
""")
"""125: Docker's own code for what it could not begin."""
