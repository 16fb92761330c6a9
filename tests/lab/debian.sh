# The recipe of another system: a small Debian with what a GPU machine has, as a root file system.
#   debian.sh SUITE ROOT MIRROR PLACE...
#   MIRROR: may be empty; PLACE: a folder that each host lays its own over
set -euo pipefail
suite=$1 root=$2 mirror=$3
shift 3

has=ca-certificates,docker-cli,docker.io,iproute2,openssh-server,procps
debootstrap --variant=minbase --include="$has" "$suite" "$root" ${mirror:+"$mirror"}
for place in "$@"; do mkdir -p "$root/$place"; done
rm -rf "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
