"""The screens of README.md and docs/, recorded anew: each is what a terminal on the lab's laptop really showed.

`make screens` writes each between its marks, on whichever page has them. The lab has no GPUs: its inventory only
says that each host has eight, and Ray takes that as given.
"""

import re
from collections.abc import Callable, Iterator

from . import lifecycle, network
from .lab import Lab
from .processes import CHECKOUT, wait_until
from .terminal import Terminal, terminal

PAGES = (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md")))
COLUMNS, ROWS = 110, 24
FAT = """
cd "$(mktemp -d)"
head -c "$1" /dev/urandom >fat
tar c fat | docker import - "$2" >/dev/null
rm fat
"""

Screen = Callable[[Lab, Terminal], str]


def check(_: Lab, person: Terminal) -> str:
    return person.run("raycluster check")


def up(lab: Lab, person: Terminal) -> str:
    """After what `check` has advised."""
    for host in lab.hosts.values():
        host.run("mkdir", "-p", "/root/.cache/huggingface")
    return person.run("raycluster up")


def logs(_: Lab, person: Terminal) -> str:
    return person.run("raycluster logs -n 1 | cut -c 1-108")


def exec_(_: Lab, person: Terminal) -> str:
    return person.run("raycluster exec -- df -h /dev/shm")


def copy(lab: Lab, person: Terminal) -> str:
    """Half way, on cables that carry 100 Mb/s."""
    first, name = lab.hosts["gpu1"], "vllm-rocm:0.18"
    first.run("sh", "-ec", FAT, "fat", "120000000", name)
    with network.limited("100mbit", *lab.hosts):
        person.type("raycluster image copy vllm-rocm:0.18")
        wait_until("it is half way", lambda: bool(re.search(r" [45]\d %.* left", person.seen)), 60)
        shown = person.seen
        person.wait_for("all 3 hosts have", seconds=120)
        person.wait_for_prompt()
    for host in lab.hosts.values():
        host.docker("rmi", "--force", name)
    return shown


def watch(lab: Lab, person: Terminal) -> str:
    """A host is lost before our eyes."""
    person.type("raycluster status --watch")
    person.wait_for("healthy")
    lab.hosts["gpu3"].cut()
    shown = person.wait_for("unknown", seconds=60)
    lab.hosts["gpu3"].mend()
    person.wait_for("healthy", seconds=60)
    person.press("q")
    person.wait_for_prompt()
    return shown


def status(lab: Lab, person: Terminal) -> str:
    lab.hosts["gpu2"].docker("kill", "raycluster-lab-gpu2")
    return person.run("raycluster status")


def failure(lab: Lab, person: Terminal) -> str:
    """One host has no container, and another no Docker."""
    lab.hosts["gpu2"].docker("rm", "--force", "raycluster-lab-gpu2")
    lab.hosts["gpu3"].stop_docker()
    return person.run("raycluster up")


SCREENS: dict[str, Screen] = {
    "check": check,
    "up": up,
    "logs": logs,
    "exec": exec_,
    "copy": copy,
    "watch": watch,
    "status": status,
    "failure": failure,
}


def shots(lab: Lab, person: Terminal) -> Iterator[tuple[str, str]]:
    for name, screen in SCREENS.items():
        person.clear()
        yield name, screen(lab, person)


def main() -> None:
    with lifecycle.in_order(3, print) as lab, terminal(lab, COLUMNS, ROWS) as person:
        lab.inventory()
        for name, shown in shots(lab, person):
            _write(name, shown)


def block(name: str) -> re.Pattern[str]:
    """Where a screen stands on a page: between its marks."""
    return re.compile(rf"(?s)(<!-- screen: {name} -->\n).*?(<!-- end -->)")


def _write(name: str, shown: str) -> None:
    """Replace a screen on its page, without the prompt that waits below it."""
    text = shown.rstrip().removesuffix("\n$") + "\n"
    for page in PAGES:
        page.write_text(
            block(name).sub(lambda found: f"{found[1]}```console\n{text}```\n{found[2]}", page.read_text())
        )


if __name__ == "__main__":
    main()
