#!/bin/bash
# OpenSSH 9.2: `ssh -G` prints the names of known_hosts files without the quotes that they need.
#
# Expected: what `ssh -G` prints for a host can be read as the configuration that it stands for, as with `sshd -T`.
# Seen: of `UserKnownHostsFile "/home/me/my hosts/known" /etc/other`, two files, it prints one line with three words.
# As a configuration, that would be three files.
# For raycluster: it looks at the line of the configuration itself where a name has blanks, and refuses where two
# readings are possible, rather than writing a host key into a file that was guessed
# (orchestrator/remote/ssh/openssh_config.py).
#
# Output of 2026-11-29:
#   OpenSSH_9.2p1
#   prints: userknownhostsfile /home/me/my hosts/known /etc/other
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
apt-get download -q openssh-client=1:9.2p1-2+deb12u10 >/dev/null 2>&1
dpkg-deb -x openssh-client_*.deb .
echo 'UserKnownHostsFile "/home/me/my hosts/known" /etc/other' >config
prints=$(usr/bin/ssh -G -T -F config host | grep -i '^userknownhostsfile')
usr/bin/ssh -V 2>&1 | sed 's/ .*//'
echo "prints: $prints"
[ "$prints" = "userknownhostsfile /home/me/my hosts/known /etc/other" ]
