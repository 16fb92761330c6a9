# The recipe of the image: a small Debian with Python 3.11 and Ray, as a root filesystem.
#   image.sh ROOT PYTHON REQUIREMENT [FOLDER REQUIREMENT]...
#   PYTHON: one that has pip; about a minute, 520 MB. FOLDER: what a layer on top of it needs
set -euo pipefail
root=$1 python=$2 ray=$3
shift 3
site=$root/usr/local/lib/python3.11/dist-packages

debootstrap --variant=minbase --include=python3,ca-certificates,iproute2,procps,libnuma1,libgomp1 bookworm "$root"
install() { "$python" -m pip install --quiet --no-compile --python-version 3.11 --only-binary=:all: --target "$@"; }
install "$site" "$ray"

# pip wrote the command for the Python that ran it; in the image it is another.
sed '1s|.*|#!/usr/bin/python3|' "$site/bin/ray" >"$root/usr/local/bin/ray"
chmod +x "$root/usr/local/bin/ray"

# Compiled by the Python that will read it: else every container would do so, at every start.
chroot "$root" python3 -m compileall -q -j 0 /usr/local/lib/python3.11/dist-packages || true
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

# What the image has, a layer takes as it is: its own versions of that would never be seen.
"$python" -m pip freeze --path "$site" | sed '/^ray==/d' >"$root.has"
while [ $# -gt 0 ]; do
  install "$1" --constraint "$root.has" "$2"
  shift 2
done
