"""The floor: a command on many hosts, as a good programmer would write it by hand for this one purpose.

    python -m tests.bench.bare KEY KNOWN_HOSTS COMMANDS.json
    python -m tests.bench.bare --fabric KEY COMMANDS.json

COMMANDS.json has the command of each address. What they answer is printed; an exit code other than 0 ends it all.
"""

import json
import socket
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko

JOBS = 32
PORT = 22


def main(words: list[str]) -> None:
    if words[0] == "--fabric":
        _, key, commands = words
        answers = _fabric(key, json.loads(Path(commands).read_text()))
    else:
        key, known_hosts, commands = words
        answers = _paramiko(key, known_hosts, json.loads(Path(commands).read_text()))
    sys.stdout.writelines(answers)


def _paramiko(key_file: str, known_hosts: str, commands: Mapping[str, str]) -> list[str]:
    key, known = paramiko.Ed25519Key.from_private_key_file(key_file), paramiko.HostKeys(known_hosts)

    def ask(host: str) -> str:
        trusted = known[host]["ssh-ed25519"]
        with paramiko.Transport(socket.create_connection((host, PORT), timeout=10)) as transport:
            transport.connect(hostkey=trusted, username="root", pkey=key)
            channel = transport.open_session()
            channel.exec_command(commands[host])
            answer = channel.makefile("rb").read().decode()
            if channel.recv_exit_status():
                raise SystemExit(f"{host}: {answer}")
            return answer

    with ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(ask, commands))


def _fabric(key_file: str, commands: Mapping[str, str]) -> list[str]:
    """Fabric's own group: a thread for each host, no bound, one command for all; host keys are not checked."""
    from fabric import ThreadingGroup  # noqa: PLC0415 - the floor does not pay for it

    (command,) = set(commands.values())
    group = ThreadingGroup(*commands, user="root", connect_kwargs={"key_filename": key_file})
    with group:
        return [result.stdout for result in group.run(command, hide=True, in_stream=False).values()]


if __name__ == "__main__":
    main(sys.argv[1:])
