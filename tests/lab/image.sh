# The recipe of the image: a small Debian with Python 3.11 and Ray, as a root filesystem.
#   image.sh ROOT PYTHON REQUIREMENT    PYTHON: one that has pip; about a minute, 520 MB
set -euo pipefail
root=$1 python=$2 ray=$3
site=$root/usr/local/lib/python3.11/dist-packages

debootstrap --variant=minbase --include=python3,ca-certificates,iproute2,procps,libnuma1,libgomp1 bookworm "$root"
"$python" -m pip install --quiet --no-compile --python-version 3.11 --only-binary=:all: --target "$site" "$ray"

# pip wrote the command for the Python that ran it; in the image it is another.
sed '1s|.*|#!/usr/bin/python3|' "$site/bin/ray" >"$root/usr/local/bin/ray"
chmod +x "$root/usr/local/bin/ray"

# Compiled by the Python that will read it: else every container would do so, at every start.
chroot "$root" python3 -m compileall -q -j 0 /usr/local/lib/python3.11/dist-packages || true
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
