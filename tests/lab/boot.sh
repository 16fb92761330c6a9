# A machine's first process: gives it a hostname, puts its own folders over the shared ones, and waits.
#   boot.sh NAME FOLDER TEMPLATE PLACE...    PLACE: FOLDER/PLACE is mounted over /PLACE
set -euo pipefail
name=$1 folder=$2 template=$3
shift 3
cd "$folder"
hostname "$name"

# The image's layers are one copy for all hosts; read-only, so that no host can change another's.
if [ -d "$template/overlay2" ]; then
  mkdir run/layers
  mount -o bind,ro "$template/overlay2" run/layers
fi

# Relative, and as it is: the absolute path to FOLDER may itself be hidden by one of these mounts.
for place in "$@"; do
  mount --no-canonicalize --rbind "./$place" "/$place"
done

# Bash as init, because it reaps the orphans that Docker leaves to it.
cd /
exec -a "raycluster-lab: $name" bash -c 'sleep infinity & wait'
