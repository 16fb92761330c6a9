#!/bin/bash
# Debian's bash 5.2.15: a command over SSH that runs `bash -c` reads ~/.bashrc a second time.
#
# Expected: ~/.bashrc is read by interactive shells, and, as Debian builds bash, by the login shell that sshd starts
# for a command; a `bash -c` behind that is neither.
# Seen: the login shell hands its only command over by exec, and counts SHLVL down again when it does so. So the next
# bash believes to be the first one of the login, finds SSH_CLIENT, and reads ~/.bashrc, too: what that prints comes
# twice, the second time in the midst of a command's own output. With `SHLVL=1` exported before it, it does not.
# For raycluster: what it sends to a login shell exports SHLVL (Command.login_shell_line in
# orchestrator/plan/command.py); else a greeting without a newline stands before the first line of a script of ours.
#
# Output of 2026-11-29:
#   GNU bash, version 5.2.15(1)-release
#   greetings: 2
#   greetings with SHLVL=1: 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
apt-get download -q bash=5.2.15-2+b13 >/dev/null 2>&1
dpkg-deb -x bash_*.deb .
mkdir home
echo 'echo greeting' >home/.bashrc
over_ssh() { # as sshd starts a login shell with a command
    env -i PATH="$folder/bin:/usr/bin:/bin" HOME="$folder/home" SSH_CLIENT="192.0.2.1 50000 22" "$folder/bin/bash" -c "$1"
}
twice=$(over_ssh "sh -c 'exec bash -c true'" | grep -c greeting)
once=$(over_ssh "sh -c 'SHLVL=1; export SHLVL; exec bash -c true'" | grep -c greeting)
"$folder/bin/bash" --version | sed -n '1s/ (.*//p'
echo "greetings: $twice"
echo "greetings with SHLVL=1: $once"
[ "$twice" = 2 ] && [ "$once" = 1 ]
