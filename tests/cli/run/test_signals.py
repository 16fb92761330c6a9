"""Ctrl-C is heard whatever the program is doing at that moment."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from threading import Event, Lock, Thread

from orchestrator.cli.run.signals import STOPPING, stopped_by_signals
from tests.remote.fakes import SOON, reached


def sleeps(thread: Thread) -> bool:
    """Whether the kernel has nothing to do for it: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "S"


def test_it_is_heard_though_the_main_thread_waits_and_another_one_gets_the_signal() -> None:
    cancel, heard, door = Event(), Event(), Lock()
    door.acquire()

    def interrupt() -> None:
        while not sleeps(threading.main_thread()):
            pass
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if reached(cancel):
            heard.set()
        door.release()

    with stopped_by_signals(cancel):
        Thread(target=interrupt).start()
        assert door.acquire(timeout=2 * SOON)
    assert heard.is_set()


STOPPED_BEFORE = """
import signal
from threading import Event
from orchestrator.cli.run.signals import stopped_by_signals
cancel = Event()
cancel.set()
with stopped_by_signals(cancel):
    signal.raise_signal(signal.SIGINT)
print("ended in good order")
"""


def test_a_run_that_was_stopped_for_another_reason_still_ends_in_good_order_at_the_first_one() -> None:
    ran = subprocess.run([sys.executable, "-c", STOPPED_BEFORE], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "ended in good order\n"), ran.stderr
    assert STOPPING in ran.stderr


def test_afterwards_the_signals_are_what_they_were() -> None:
    before = signal.getsignal(signal.SIGINT), signal.set_wakeup_fd(-1)
    with stopped_by_signals(Event()):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.set_wakeup_fd(-1)) == before
