#!/bin/bash
# Paramiko 3.5.1, 4.0.0 and 5.1.0: keepalives are sent, and that nobody answers is not noticed.
#
# Expected: `Transport.set_keepalive(1)` is what `ServerAliveInterval 1` is to OpenSSH, whose connection ends after three without an answer.
# Seen: Paramiko asks for no answer to its keepalives. A server that is stopped, while its kernel still takes what is sent, is waited for: after
#   20 s the connection counts as active, and a command's output is still awaited. OpenSSH 9.2 ends within a few.
# For raycluster: it asks for an answer (`asking_packetizer` in orchestrator/remote/ssh/packets.py), and a connection on which nothing is heard for
#   45 s ends (Timeouts.unanswered), behind a jump host, too. A cable that is cut at the laptop's end is noticed by TCP_USER_TIMEOUT in 30 s.
#
# Output of 2026-11-30:
#   OpenSSH: Timeout, server 127.0.0.1 not responding.
#   3.5.1 after 20 s: active
#   4.0.0 after 20 s: active
#   5.1.0 after 20 s: active
set -euo pipefail
folder=$(mktemp -d)
server=
leave() {
    [ -z "$server" ] || { kill -KILL "$server" && wait "$server"; } 2>/dev/null || true
    rm -r "$folder"
}
trap leave EXIT
cd "$folder"
ssh-keygen -q -t ed25519 -N '' -f key
cat >server.py <<'PYTHON'
"""An SSH server that takes one connection, says `up` to a command, and no more."""
import socket, time
import paramiko

class Server(paramiko.ServerInterface):
    def get_allowed_auths(self, username): return "none"
    def check_auth_none(self, username): return paramiko.AUTH_SUCCESSFUL
    def check_channel_request(self, kind, number): return paramiko.OPEN_SUCCEEDED
    def check_channel_exec_request(self, channel, command): return True

listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
transport = paramiko.Transport(listening.accept()[0])
transport.add_server_key(paramiko.Ed25519Key.from_private_key_file("key"))
transport.start_server(server=Server())
channel = transport.accept()
time.sleep(1)  # the answer to the request goes first
channel.sendall(b"up\n")
time.sleep(300)
PYTHON
cat >client.py <<'PYTHON'
import os, signal, socket, sys, time
import paramiko

port, server = map(int, sys.argv[1:])
transport = paramiko.Transport(("127.0.0.1", port))
transport.start_client()
transport.auth_none("me")
transport.set_keepalive(1)
channel = transport.open_session()
channel.exec_command("true")
assert channel.recv(3) == b"up\n"
os.kill(server, signal.SIGSTOP)
channel.settimeout(20)
try:
    channel.recv(1)
except socket.timeout:
    print(paramiko.__version__, "after 20 s:", "active" if transport.is_active() else "ended")
else:
    print(paramiko.__version__, "has ended before")
os._exit(0)  # its threads wait on
PYTHON
serve() { # VERSION
    [ -z "$server" ] || { kill -KILL "$server" && wait "$server"; } 2>/dev/null || true
    : >port
    "$1/bin/python" server.py >port &
    server=$!
    until [ -s port ]; do sleep 0.1; done
}
for version in 5.1.0 4.0.0 3.5.1; do
    python3 -m venv $version
    $version/bin/pip install --quiet --disable-pip-version-check "paramiko==$version"
done
serve 5.1.0
: >said
timeout 60 ssh -F none -p "$(cat port)" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o ServerAliveInterval=1 -o ServerAliveCountMax=3 me@127.0.0.1 true >said 2>&1 </dev/null &
ssh=$!
until grep -q up said; do sleep 0.1; done
kill -STOP "$server"
wait "$ssh" || true
{
    echo "OpenSSH: $(grep -o "Timeout,.*responding\." said)"
    for version in 3.5.1 4.0.0 5.1.0; do
        serve $version
        $version/bin/python client.py "$(cat port)" "$server"
    done
} >seen # not to a pipe: the shell that ends the servers has to be the one that starts them
cat seen
diff seen - <<'END'
OpenSSH: Timeout, server 127.0.0.1 not responding.
3.5.1 after 20 s: active
4.0.0 after 20 s: active
5.1.0 after 20 s: active
END
