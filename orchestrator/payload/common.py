"""Prelude of the programs that are sent as text: standard input watched, errors in words, listening, and commands.

`payload.program` puts this text before theirs; run as files, they import it as a module beside them.
"""

import contextlib
import glob
import os
import select
import shutil
import socket
import subprocess
import threading

PLACES = (
    *("/opt/*/bin", "/opt/*/*/bin", "/opt/*/envs/*/bin", "/usr/local/*/bin", "~/.venv/bin", "~/.local/bin"),
    *("~/*conda3/bin", "~/*conda3/envs/*/bin", "~/*forge3/bin", "~/*forge3/envs/*/bin"),
)  # where venvs and conda are put; what is not here may be on the PATH of a login shell
SILENCE = 45  # seconds without a sign of life: behind a cable that was cut, no end of input ever comes


def input_ended(silence=SILENCE):
    """An event that is set once standard input ends, or nothing came for so long: nobody is there any more."""
    ended = threading.Event()

    def drain():
        with contextlib.suppress(OSError):  # closed, or nothing that can be read: nobody is there either
            while select.select([0], [], [], silence)[0] and os.read(0, 65536):
                pass  # not by way of sys.stdin, which would hold a lock when the program ends
        ended.set()

    threading.Thread(target=drain, daemon=True).start()
    return ended


def end_with_input():
    """Ends this program, its threads too, once nobody is there any more."""
    ended = input_ended()
    threading.Thread(target=lambda: ended.wait() and os._exit(1), daemon=True).start()


def words_of_os(error):
    """An OSError for people: the file, where it is about one, and what is wrong with it."""
    return f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")


def family(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def listen(ip, port=0):
    """Takes connections and closes them, for others to try whether they get through; the port."""
    server = socket.create_server((ip, port), family=family(ip), backlog=1024)
    threading.Thread(target=answer, args=(server,), daemon=True).start()
    return server.getsockname()[1]


def answer(server):
    while True:
        server.accept()[0].close()


def elsewhere(command):
    """The folder that has a command which is not on the PATH; empty where there is none, or it needs none."""
    if shutil.which(command):
        return ""
    folders = [
        *login_path(),
        *(each for place in PLACES for each in sorted(glob.glob(os.path.expanduser(place)))),
    ]
    return next((each for each in folders if os.access(os.path.join(each, command), os.X_OK)), "")


def login_path():
    words = ["bash", "-lc", "printf '\\n%s' \"$PATH\""]
    quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        said = subprocess.run(words, stdout=subprocess.PIPE, timeout=5, check=False, **quiet).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return said.decode(errors="replace").rpartition("\n")[2].split(":")
