# The recipe of another system: a small Debian with what a GPU machine has, and Docker and Podman, as a root file system.
#   debian.sh SUITE ROOT USER MIRROR PLACE...
#   USER: who may have containers without root; MIRROR: may be empty; PLACE: a folder that each host lays its own over
set -euo pipefail
suite=$1 root=$2 user=$3 mirror=$4
shift 4

has=ca-certificates,docker.io,iproute2,netavark,openssh-server,podman,procps,runc,slirp4netns,sudo,uidmap
[ "$suite" = bookworm ] || has=$has,docker-cli  # part of docker.io there
debootstrap --variant=minbase --include="$has" "$suite" "$root" ${mirror:+"$mirror"}
for place in "$@"; do mkdir -p "$root/$place"; done
for file in subuid subgid; do echo "$user:100000:65536" >"$root/etc/$file"; done
rm -rf "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
