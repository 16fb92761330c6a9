"""Accounts of a host: root and an ordinary user, their login shells, and what sudo allows."""

import os
from pathlib import Path

from .files import empty

USER = "ada"
"""An ordinary user: in no group that may use Docker."""
USER_ID = 31337
BASH = "/bin/bash"
# Without PAM, sshd turns away an account whose password is locked, as root's often is.
SHADOW = "".join(f"{name}:*:19000:0:99999:7:::\n" for name in ("root", USER))


def furnish(folder: Path, shell: str = BASH, sudoers: str = "") -> None:
    """Write the files of the host with this folder, in place: they are mounted there."""
    system = folder / "system"
    known = (system if system.exists() else Path("/")) / "etc/passwd"
    others = [line for line in known.read_text().splitlines() if not line.startswith("root:")]
    ours = (f"root:x:0:0:root:/root:{shell}", f"{USER}:x:{USER_ID}:{USER_ID}::/home/{USER}:{shell}")
    (folder / "etc/passwd").write_text("\n".join([*ours, *others]) + "\n")
    (folder / "etc/shadow").write_text(SHADOW)
    _allow(folder / "etc/sudoers.d", sudoers)


def _allow(rules: Path, sudoers: str) -> None:
    empty(rules)
    if sudoers:
        first = rules / "00-first"  # so that a rule which somebody adds is the stronger
        first.write_text(f"{sudoers}\n")
        first.chmod(0o440)


def empty_homes(folder: Path) -> None:
    """Give root and the user homes with nothing in them."""
    empty(folder / "root")
    empty(folder / "home")
    (home := folder / "home" / USER).mkdir()
    os.chown(home, USER_ID, USER_ID)
