"""Fabric, with Paramiko: a third of a second to import, so that is done only where a host is called."""

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any


@cache
def import_fabric() -> None:
    """Needed before any part of either is imported by itself.

    Threads that import different parts at once would find them half done. Of one and the same module, Python lets
    the others wait.
    """
    import fabric  # noqa: F401, PLC0415

    # paramiko reports every broken connection to a log, and a log without a reader is printed.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())


@cache
def connections() -> Callable[..., Any]:
    """Makes Fabric's connections. They share one configuration, and leave it alone.

    Fabric takes an attribute that it has not declared for a setting, and then merges the configuration anew: that
    takes half a millisecond, and who reads it meanwhile finds it half done. Of its own files it is to read none:
    `settings` has been through ssh's.
    """
    import fabric  # noqa: PLC0415
    import paramiko  # noqa: PLC0415

    class Plain(fabric.Connection):  # type: ignore[misc] # Fabric has no types
        def __setattr__(self, name: str, value: object) -> None:
            object.__setattr__(self, name, value)

    return partial(Plain, config=fabric.Config(lazy=True, ssh_config=paramiko.SSHConfig()))
