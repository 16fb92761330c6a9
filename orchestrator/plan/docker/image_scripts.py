"""The fixed shell programs about images; as all of them, they are told what varies as arguments."""

HELD = r"""
set -f
docker=$1
if told=$(timeout 20 $docker image inspect --format '{{json .}}' "$2" 2>&1); then
    printf '%s\n' "$told"
else
    timeout 20 $docker version --format . >/dev/null
fi
"""
"""An image that is not there and a Docker that does not answer are two things."""

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
