# A machine's first process: gives it a hostname, puts its own folders over the shared ones, and waits.
#   boot.sh TITLE FOLDER [PLACE=LENT]... PLACE...
#     TITLE: what the process is called, `raycluster-lab LAB: HOSTNAME`
#     PLACE=LENT: the folder LENT is seen at FOLDER/PLACE; PLACE: FOLDER/PLACE is mounted over /PLACE
#     FOLDER/system: a link to the root of another system than this machine's, where it is to run one
set -euo pipefail
title=$1 folder=$2
shift 2
cd "$folder"
hostname "${title##*: }"

# What is lent is one copy for all hosts; read-only, so that no host can change another's.
while [[ $1 == *=* ]]; do
  mkdir -p "${1%%=*}"
  mount -o bind,ro "${1#*=}" "${1%%=*}"
  shift
done

root=
if [ -e system ]; then
  root=$(readlink system)
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
fi

# Relative, and as it is: the absolute path to FOLDER may itself be hidden by one of these mounts.
for place in "$@"; do
  mount --no-canonicalize --rbind "./$place" "$root/$place"
done

if [ "$root" ]; then
  cd "$root"
  pivot_root . .  # the old root lies on the new one then, and is taken away
  umount -l .
fi

# Bash as init, because it reaps the orphans that Docker leaves to it.
cd /
exec -a "$title" bash -c 'sleep infinity & wait'
