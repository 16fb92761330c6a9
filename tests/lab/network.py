"""One switch, and a cable from it to each machine."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from .processes import LabError, find, pid_of, run, start, title

NETWORK = "192.0.2"
LAPTOP = f"{NETWORK}.1"
SWITCH = "switch"


def address_of(number: int) -> str:
    return f"{NETWORK}.{10 + number}"


def start_switch(log: Path) -> None:
    if find(SWITCH) is None:
        hold = 'exec -a "$0" sleep infinity'
        start(SWITCH, log, "unshare", "--net", "bash", "-c", hold, title(SWITCH))
    _ip(SWITCH, "link", "add", "br0", "type", "bridge")
    _ip(SWITCH, "link", "set", "br0", "up")


def plug(name: str, address: str) -> None:
    """Lay a cable from the switch to the machine's eth0; it vanishes with either end."""
    # A network card of its own keeps its address over a reboot, and others remember it.
    card = ["name", "eth0", "address", f"02:00:00:00:02:{int(address.rpartition('.')[2]):02x}"]
    _ip(SWITCH, "link", "add", name, "type", "veth", "peer", *card, "netns", str(pid_of(name)))
    _ip(SWITCH, "link", "set", name, "master", "br0", "up")
    _ip(name, "link", "set", "lo", "up")
    _ip(name, "address", "add", f"{address}/24", "dev", "eth0")
    _ip(name, "link", "set", "eth0", "up")


def add_ipv6(name: str, address: str) -> None:
    """Give the machine an IPv6 address beside its other one, at once: nobody is asked whether it has it, too."""
    _ip(name, "-6", "address", "replace", f"{address}/64", "dev", "eth0", "nodad")


@contextlib.contextmanager
def limited(rate: str, *names: str) -> Iterator[None]:
    """Cables of these machines carry no more than that, such as `100mbit`, in each direction."""
    ends = [end for name in names for end in ((SWITCH, name), (name, "eth0"))]
    for machine, card in ends:
        _tc(machine, "replace", "dev", card, "root", "tbf", "rate", rate, "burst", "128k", "latency", "100ms")
    try:
        yield
    finally:
        for machine, card in ends:
            _tc(machine, "del", "dev", card, "root")


def counted(name: str, direction: str) -> int:
    """The bytes on a machine's cable since it was laid: `tx`, from the switch to the machine, or `rx`."""
    return int(json.loads(_ip(SWITCH, "-j", "-s", "link", "show", name))[0]["stats64"][direction]["bytes"])


def _tc(machine: str, *words: str) -> None:
    run("nsenter", "--target", str(pid_of(machine)), "--net", "tc", "qdisc", *words, check=words[0] != "del")


def cut(name: str) -> None:
    _ip(SWITCH, "link", "set", name, "down")


def mend(*names: str) -> None:
    orders = "".join(f"link set {name} up\n" for name in names)
    run("nsenter", "--target", str(pid_of(SWITCH)), "--net", "ip", "-batch", "-", stdin=orders)


def is_plugged(name: str) -> bool:
    with contextlib.suppress(LabError):
        return ",UP" in _ip(SWITCH, "link", "show", name)
    return False


def _ip(machine: str, *words: str) -> str:
    return run("nsenter", "--target", str(pid_of(machine)), "--net", "ip", *words).stdout
