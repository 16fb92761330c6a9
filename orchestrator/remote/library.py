"""Fabric, with Paramiko: a third of a second to import, so that is done only where a host is called."""

import logging
from functools import cache


@cache
def import_fabric() -> None:
    """Needed before any part of either is imported by itself.

    Threads that import different parts at once would find them half done. Of one and the same module, Python lets
    the others wait.
    """
    import fabric  # noqa: F401, PLC0415

    # paramiko reports every broken connection to a log, and a log without a reader is printed.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
