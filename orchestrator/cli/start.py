"""The program's first steps: until all is imported, and in completion, Ctrl-C ends it without a word."""

import os
import signal
from typing import NoReturn

from orchestrator.cli.exit_codes import INTERRUPTED

COMPLETING = "_RAYCLUSTER_COMPLETE"
"""Set by the shell that asks what may come next."""


def main() -> None:
    """Imports the program and runs it. A Ctrl-C that the shell has the program ignore stays ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    from orchestrator.cli.app import main as run

    if COMPLETING not in os.environ:
        signal.signal(signal.SIGINT, before)
    run()


def _leave(*_: object) -> NoReturn:
    os._exit(INTERRUPTED)
