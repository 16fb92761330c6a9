#!/bin/bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist loadgroup` has no effect.
#
# Expected: tests that are marked with the same `xdist_group` run in one worker, and their names end in `@GROUP`.
# Seen: they are spread over all workers, and nothing is said. The plugin renames a test by setting `item._nodeid`,
# which pytest 9.2 does not read any more: a test's name is made of `item._id` there.
# For raycluster: the lab's tests that share a cluster are kept together by a scheduler of their own
# (tests/lab/conftest.py), not by marks.
#
# Output of 2026-11-29:
#   pytest 9.2.0, pytest-xdist 3.8.0
#   workers that ran the one group: gw0 gw1
#   names that end in the group: 0 of 20
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0 pytest-xdist==3.8.0
cat >test_group.py <<'TEST'
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(20))
def test_of_the_group(number):
    pass
TEST
venv/bin/pytest -p no:cacheprovider -n 2 --dist loadgroup -v test_group.py >seen
workers=$(grep -o '^\[gw[0-9]*\]' seen | sort -u | tr -d '[]' | xargs)
named=$(grep -c 'PASSED.*@one' seen || true)
echo "$(venv/bin/pip list 2>/dev/null | awk '/^pytest/ {print $1, $2}' | paste -sd, | sed 's/,/, /')"
echo "workers that ran the one group: $workers"
echo "names that end in the group: $named of 20"
[ "$workers" = "gw0 gw1" ] && [ "$named" = 0 ]
