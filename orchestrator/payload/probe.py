"""Probe that runs in a container of the image, sent there as text: reports what Ray would find, then listens.

python3 -c TEXT look ACCELERATOR IP HF PORT…   one line of JSON, then answers on the ports that are free,
                                               until standard input ends or is silent; HF: where a container
                                               has the host's folder for Hugging Face
python3 -c TEXT reach IP:PORT…                 a line of JSON for each
python3 -c TEXT variables                      a line of JSON of its environment
python3 -c TEXT where COMMAND                  the folder that has it, if that is not on the PATH
"""

import errno
import importlib.metadata
import json
import os
import platform
import pwd
import resource
import shutil
import socket
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

from common import elsewhere, family, input_ended, listen

TRIAL_HF_HOME = "/run/raycluster/hf_home"  # that folder once more, for a user who may not enter /root
OWN = ("HOME", "HOSTNAME", "OLDPWD", "PWD", "SHLVL", "_")  # a shell or Docker makes them anew
PATIENCE = 3  # seconds for a connection
ECHO_REQUEST = b"\x08\x00\xf7\xff\x00\x00\x00\x00"  # type, code, checksum, and zeros
OUTCOMES = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}


def ray_version():
    try:
        return importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        return None


def nvidia():
    try:
        ran = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return [], "there is no nvidia-smi in it, which the NVIDIA container toolkit brings"
    except subprocess.TimeoutExpired:
        return [], "nvidia-smi does not end"
    if ran.returncode:
        return [], (ran.stdout + ran.stderr).strip()
    return listed(ran.stdout), ""


def listed(text):
    """A name for each GPU, or for each slice (MIG) of one that is cut up."""
    gpus = []
    for line in text.splitlines():
        name = line.partition(" (UUID")[0].strip()
        if line.startswith("GPU"):
            gpus.append([name.partition(": ")[2]])
        elif gpus and name:
            gpus[-1].append(name.partition("Device")[0].strip())
    return [name for whole, *slices in gpus for name in slices or [whole]]


def devices(folder, start):
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [name for name in sorted(names) if name.startswith(start) and name[len(start) :].isdigit()], ""


def amd():
    nodes = "/sys/class/kfd/kfd/topology/nodes"
    if not os.path.exists("/dev/kfd"):
        return [], "there is no /dev/kfd in it"
    with_gpu = [node for node in os.listdir(nodes) if read(f"{nodes}/{node}/gpu_id") not in ("", "0")]
    return sorted(with_gpu), ""


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


ACCELERATORS = {
    "nvidia": nvidia,
    "amd": amd,
    "intel": lambda: devices("/dev/dri", "renderD"),
    "ascend": lambda: devices("/dev", "davinci"),
    "gaudi": lambda: devices("/dev/accel", "accel") if os.path.isdir("/dev/accel") else devices("/dev", "hl"),
    "tpu": lambda: devices("/dev/vfio", "") if os.path.isdir("/dev/vfio") else devices("/dev", "accel"),
    "none": lambda: ([], ""),
}


def limits(kind):
    """The limit, and how far it may be raised by anybody."""
    return [-1 if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(kind)]


def tasks():
    """How many processes and threads the container may have: the engine's own limit, beside what `ulimit` says."""
    told = read("/sys/fs/cgroup/pids.max") or read("/sys/fs/cgroup/pids/pids.max")
    return int(told) if told.isdigit() else -1


def could_listen(ip, port):
    try:
        return bool(listen(ip, port))
    except OSError:
        return False


def look(accelerator, ip, hf_home, *ports):
    gpus, trouble = ACCELERATORS[accelerator]()
    shm = os.statvfs("/dev/shm")
    report = {
        "python": platform.python_version(),
        "ray": ray_version(),
        "has_command": shutil.which("ray") is not None,
        "executable": sys.executable,
        "python3": shutil.which("python3") or "",
        "path": os.environ.get("PATH", ""),
        "variables": variables(),
        "bash_env": bash_env(),
        "ray_folder": elsewhere("ray"),
        "vllm_folder": elsewhere("vllm"),
        "gpus": gpus,
        "gpu_trouble": trouble,
        "shm": shm.f_blocks * shm.f_frsize,
        "memlock": limits(resource.RLIMIT_MEMLOCK)[0],
        "nofile": limits(resource.RLIMIT_NOFILE)[0],
        "tasks": tasks(),
        "most_files": limits(resource.RLIMIT_NOFILE)[1],
        "user": user(),
        "models": models(os.path.realpath(hf_home)),
        "read_only": [path for path in ("/tmp", "/var/tmp", cache_home()) if not is_usable(path)],
        "boot": read("/proc/sys/kernel/random/boot_id"),
        "network": os.readlink("/proc/self/ns/net"),
        "listens": [int(port) for port in ports if could_listen(ip, int(port))],
    }
    print(json.dumps(report), flush=True)
    input_ended().wait()


def bash_env():
    """The file that a bash reads which runs a command, where it changes what that has; else empty."""
    file = os.environ.get("BASH_ENV", "")
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return file if file and exported({**bare, "BASH_ENV": file}) != exported(bare) else ""


def exported(env):
    """What a bash begun with that environment would hand on, as it says it, after whatever else was said."""
    words = ["bash", "-c", "printf '\\036'; unset BASH_ENV; export -p; ulimit -a"]
    try:
        ran = subprocess.run(
            words, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.rpartition(b"\x1e")[2]


def user():
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""
    return {"uid": uid, "name": name, "home": os.path.expanduser("~")}


def variable(name, default):
    """As Hugging Face reads its variables."""
    return os.path.realpath(os.path.expandvars(os.path.expanduser(os.environ.get(name) or default)))


def cache_home():
    return variable("XDG_CACHE_HOME", "~/.cache")


def models(hf_home):
    """Where this user's Hugging Face looks for models, what is mounted there, and what keeps the user from it."""
    home = variable("HF_HOME", os.path.join(cache_home(), "huggingface"))
    hub = variable("HF_HUB_CACHE", variable("HUGGINGFACE_HUB_CACHE", os.path.join(home, "hub")))
    mounts = [hf_home, *(line.split()[4] for line in read("/proc/self/mountinfo").splitlines())]
    mount = max((each for each in mounts if is_within(hub, each)), key=len)
    if mount == hf_home:
        seen = os.path.join(TRIAL_HF_HOME, os.path.relpath(hub, hf_home))
    else:
        seen = os.path.join(TRIAL_HF_HOME, "hub") if mount == "/" else hub
    given = TRIAL_HF_HOME if is_within(seen, TRIAL_HF_HOME) else seen
    there = os.path.isdir(given)
    unusable, readable = hindrance(given, seen) if there else ("", True)
    return {
        "home": home,
        "hub": hub,
        "mount": "folder" if mount == hf_home else "nothing" if mount == "/" else "other",
        "entered": can_be_there(hf_home),
        "given": there,
        "unusable": unusable and os.path.relpath(unusable, given),
        "readable": readable,
        "fixed": there and bool(os.statvfs(given).f_flag & os.ST_RDONLY),
    }


def is_within(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def can_be_there(path):
    """Whether the user may enter what stands above it."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def is_usable(path):
    """Whether the user could write there, or make it."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.access(path, os.R_OK | os.W_OK | os.X_OK)


def hindrance(given, hub):
    """The first folder in there that the user may not use, and whether at least it may be read."""
    locks = os.path.join(hub, ".locks")
    held = os.listdir(hub) if os.access(hub, os.R_OK | os.X_OK) else []
    models = [os.path.join(hub, name) for name in sorted(held) if name.startswith("models--")]
    there = [path for path in (given, hub, locks, *models) if path == given or os.path.isdir(path)]
    for path in there:
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            return path, os.access(path, os.R_OK | os.X_OK)
    return "", True


def reach(address):
    ip, _, port = address.rpartition(":")
    ip = ip.strip("[]")
    outcome = connect(ip, int(port))
    alive = outcome in ("open", "refused") or (has_route(ip) and (answers_ping(ip) or is_neighbour(ip)))
    return {"address": address, "outcome": outcome, "alive": alive}


def connect(ip, port):
    try:
        socket.create_connection((ip, port), timeout=PATIENCE).close()
    except OSError as error:
        return OUTCOMES.get(error.errno, "silent")  # also of a timeout, which has no number
    return "open"


def has_route(ip):
    """Whether this host knows a way there at all: connecting UDP sends nothing."""
    with socket.socket(family(ip), socket.SOCK_DGRAM) as probe:
        return probe.connect_ex((ip, 9)) == 0


def answers_ping(ip):
    """Whether an echo request comes back; containers may send them. False for IPv6, which is not tried."""
    if ":" in ip:
        return False
    until = time.monotonic() + 1
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.sendto(ECHO_REQUEST, (ip, 0))
            while time.monotonic() < until:
                raw.settimeout(max(until - time.monotonic(), 0.01))
                reply, (sender, _) = raw.recvfrom(1024)
                if sender == ip and reply[(reply[0] & 0x0F) * 4] == 0:
                    return True
    except OSError:
        pass
    return False


def is_neighbour(ip):
    """Whether the host has told its card's address: it is on this network, and alive."""
    rows = (line.split() for line in read("/proc/net/arp").splitlines()[1:])
    return any(row[0] == ip and int(row[2], 16) & 2 for row in rows)


def variables():
    """The environment, to be compared with another: what the values are is nobody's business."""
    given = ((name, value) for name, value in os.environ.items() if name not in OWN)
    return {name: zlib.crc32(os.fsencode(value)) for name, value in given}


def main(act, *arguments):
    if act == "look":
        return look(*arguments)
    if act == "variables":
        print(json.dumps({"variables": variables()}))
        return None
    if act == "where":
        (command,), path = arguments, os.environ.get("PATH", "")
        if folder := elsewhere(command):
            print(f"{command} is in {folder}, which is not on its PATH, {path}")
        return None
    with ThreadPoolExecutor(max(1, min(256, len(arguments)))) as pool:
        for result in pool.map(reach, arguments):
            print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
