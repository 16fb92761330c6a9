#!/bin/bash
# Paramiko 3.5.1, 4.0.0 and 5.1.0: a known_hosts file with an @cert-authority line is read not at all, and one with a comment or a key on hardware is
# written back without them.
#
# Expected: @cert-authority is known, as sshd(8) describes it (SSH_KNOWN_HOSTS FILE FORMAT), or at least skipped; and a line that a library does not
#   know stays as it is.
# Seen: @cert-authority is taken for the names of hosts, and the key's type for the key: InvalidHostKey, and no other line counts. Without
#   that line the file is read; the first host that AutoAddPolicy adds has all of it written anew, of what was understood: comments and
#   sk-ssh-ed25519 keys are gone, so that `ssh` asks again about hosts that were known.
# For raycluster: it reads known_hosts by itself, authorities included, and only ever appends to it (tests/remote/ssh/test_host_certificates.py).
#
# Output of 2026-11-30:
#   3.5.1 with an authority: InvalidHostKey
#   3.5.1 without: gpu1 is known; kept of 3 lines: 1
#   4.0.0 with an authority: InvalidHostKey
#   4.0.0 without: gpu1 is known; kept of 3 lines: 1
#   5.1.0 with an authority: InvalidHostKey
#   5.1.0 without: gpu1 is known; kept of 3 lines: 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
for name in authority gpu1 new; do ssh-keygen -q -t ed25519 -N '' -C '' -f $name; done
key() { cut -d' ' -f1,2 "$1.pub"; }
# A key on hardware, as FIDO tokens have it: the key itself, and the application that it is for.
string() { printf '%08x%s' $((${#1} / 2)) "$1"; }
hex() { printf %s "$1" | od -An -tx1 | tr -d ' \n'; }
curve=$(cut -d' ' -f2 new.pub | base64 -d | tail -c 32 | od -An -tx1 | tr -d ' \n')
token=$(printf '%b' "$(echo "$(string "$(hex sk-ssh-ed25519@openssh.com)")$(string "$curve")$(string "$(hex ssh:)")" | sed 's/../\\x&/g')" | base64 -w0)
{
    echo '# racks 1 and 2'
    echo "gpu1 $(key gpu1)"
    echo "gpu2 sk-ssh-ed25519@openssh.com $token"
} >plain
{
    echo "@cert-authority *.example.org $(key authority)"
    cat plain
} >with-authority
# OpenSSH reads all of it.
ssh-keygen -l -f with-authority >/dev/null
for host in a.example.org gpu1 gpu2; do ssh-keygen -F $host -f with-authority >/dev/null; done
cat >read.py <<'PYTHON'
import shutil, socket, threading
import paramiko

def client(file):
    shutil.copy(file, "known_hosts")
    made = paramiko.SSHClient()
    made.load_host_keys("known_hosts")
    return made

class Server(paramiko.ServerInterface):
    def check_auth_password(self, username, password): return paramiko.AUTH_SUCCESSFUL

def serve(listening):
    server = paramiko.Transport(listening.accept()[0])
    server.add_server_key(paramiko.Ed25519Key.from_private_key_file("new"))
    server.start_server(server=Server())
    server.join(5)

try:
    print(paramiko.__version__, "with an authority: gpu1 is known:", "gpu1" in client("with-authority").get_host_keys())
except Exception as error:
    print(paramiko.__version__, "with an authority:", type(error).__name__)
listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=[listening], daemon=True).start()
one = client("plain")
known = "gpu1" in one.get_host_keys()
one.set_missing_host_key_policy(paramiko.AutoAddPolicy())
one.connect("127.0.0.1", listening.getsockname()[1], username="me", password="x", allow_agent=False, look_for_keys=False)
one.close()
before, after = (open(name).read().splitlines() for name in ("plain", "known_hosts"))
print(paramiko.__version__, "without: gpu1 is", "known;" if known else "unknown;", f"kept of {len(before)} lines:", sum(line in after for line in before))
PYTHON
for version in 3.5.1 4.0.0 5.1.0; do
    python3 -m venv "$version"
    "$version/bin/pip" install --quiet --disable-pip-version-check "paramiko==$version"
    "$version/bin/python" read.py
done | tee seen
diff seen - <<'END'
3.5.1 with an authority: InvalidHostKey
3.5.1 without: gpu1 is known; kept of 3 lines: 1
4.0.0 with an authority: InvalidHostKey
4.0.0 without: gpu1 is known; kept of 3 lines: 1
5.1.0 with an authority: InvalidHostKey
5.1.0 without: gpu1 is known; kept of 3 lines: 1
END
