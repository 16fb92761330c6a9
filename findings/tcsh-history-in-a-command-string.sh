#!/bin/bash
# tcsh 6.24.07: `tcsh -c` substitutes history within single quotes, and a quoted text may not span lines.
#
# Expected: history is for people at a prompt. `tcsh -c "echo 'a!b'"`, which has none, prints a!b, as bash, zsh and
# fish do; and what stands in single quotes is one word, newlines included.
# Seen: `b: Event not found.`, and nothing runs. Of a quoted text with a newline in it each line is read by itself:
# "Unmatched", and then the next line is run as a command.
# For raycluster: sshd hands a command to the account's login shell. So what it sends to a host is one line that has
# neither a newline nor an exclamation mark (Command.login_shell_line in orchestrator/plan/command.py).
#
# Output of 2026-11-29:
#   tcsh 6.24.07
#   an exclamation mark: b: Event not found.
#   a newline: Unmatched '''. ran the second line Unmatched '''.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
apt-get download -q tcsh=6.24.07-1 >/dev/null 2>&1
dpkg-deb -x tcsh_*.deb .
tcsh=$(find . -type f -name tcsh -perm -u+x | head -1)
mark=$("$tcsh" -f -c "echo 'a!b'" 2>&1 || true)
newline=$("$tcsh" -f -c "echo 'one
echo ran the second line
three'" 2>&1 || true)
"$tcsh" --version | awk '{print $1, $2}'
echo "an exclamation mark: $mark"
echo "a newline: $(xargs -d '\n' <<<"$newline")"
[ "$mark" = "b: Event not found." ] && [[ $newline == *Unmatched*"ran the second line"* ]]
