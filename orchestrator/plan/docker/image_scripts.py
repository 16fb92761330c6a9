"""The fixed shell programs about images; as all of them, they are told what varies as arguments."""

HELD = r"""
set -f
docker=$1
printf '\036'
timeout 20 $docker image inspect --format '{{json .}}' "$2" 2>/dev/null && exit
code=$?
[ "$code" -ne 124 ] || exit "$code"
timeout 20 $docker version --format . >/dev/null
"""
"""An image that is not there and a Docker that does not answer, or not in time, are two things."""

BUILD = r"""
set -f
docker=$1 base=$2 name=$3 label=$4
id=$($docker image inspect --format '{{.Id}}' "$base") || exit
said=$($docker build --network host --label "$label=$id" --tag "$name" - 2>&1)
code=$?
colour=$(printf '\033')'\[[0-9;]*m'
noise='/^DEPRECATED: The legacy builder/,/^$/d; /^Sending build context/d; /^Step /d; /^ ---> /d'
printf '%s\n' "$said" | sed "s/$colour//g; $noise" >&2
exit "$code"
"""
"""The name tells from what it was meant to be made, the label from what it was: a tag may be moved.

Docker tells on either stream what pip says, with colours; here all of it is told on the one for failures, and
what differs from host to host without meaning anything is not.
"""

LOAD = r"""
set -f
docker=$1 silence=$2
fed() {
    while said=$(timeout "$silence" dd bs=1M count=4 iflag=fullblock 2>&1 >&3); do
        case $said in 0+0*) return ;; esac
    done
}
fed 3>&1 | $docker load --quiet
"""
"""Docker would wait for a sender that is behind a cut cable until sshd finds out, with half an image on its disk."""
