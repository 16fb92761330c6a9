"""Seconds: how long anything on a host is waited for, and how often it is asked."""

from orchestrator.frozen import dataclass
from orchestrator.plan import lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """One set of them goes with each fleet. Tests pass others."""

    # Streams of a command
    poll: float = 0.5  # after which the clock and the cancel flag are looked at again
    window: float = 0.01  # the same while a host takes no more input: nothing wakes us when it does
    heartbeat: float = 5.0  # between empty lines on a standard input that is held open

    # SSH
    connect_grace: float = 0.5  # beyond its time after which a connection attempt is left to itself
    reconnect: tuple[float, ...] = (
        0.2,
        0.4,
        0.8,
    )  # before a host that took the call and hung up is tried again
    keepalive: float = (
        5.0  # between signs of life: without one, a command that waits would never miss its host
    )
    unanswered: float = 45.0  # that a host may leave them so; its sshd may be slow where its kernel is not
    hang_up: float = 1.0  # for a connection's thread to end
    unacknowledged: float = 30.0  # that TCP's other end may leave data so before it counts as dead
    session_retry: float = 0.05  # before a host that had no session to spare is asked again
    session_wait: float = 0.5  # for another's session to end, before a further connection is made
    config_is_fresh: float = 10.0  # after which ~/.ssh/config may be another, and is asked again

    # Looks at hosts
    look: float = 90.0  # longer than the probes' own limits together
    image_look: float = 60.0  # longer than Docker is given there
    model_look: float = 150.0  # for a container, and for a share of the network with many files
    options_look: float = 30.0
    options_parser: float = 90.0  # to import vLLM, which a cold disk may take a minute for
    clock: float = 20.0
    inspect: float = 150.0
    trial_start: float = 60.0
    check_tcp: float = 30.0
    probe_parting: float = 5.0  # for a container to end and be removed; it ends when it hears nothing more

    # The network test
    rank_start: float = (
        180.0  # for the container and for importing torch, which a cold disk may take a minute for
    )
    rank_meet: float = 30.0
    rank_run: float = 120.0
    rank_grace: float = 5.0  # for what the others report, once one rank has failed

    # `status --watch`
    snapshot_every: float = 0.5
    host_quiet: float = 20.0  # without a word from a host that is asked for one every five
    table_quiet: float = 20.0  # without a word of Ray's node table, of which one comes every second
    retry: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # before a host is tried again
    look_again: float = 120.0  # after which a host is looked at without a reason,
    look_again_unsound: float = 15.0  # one that is not well,
    look_again_serving: float = 5.0  # and the head of a model that starts

    # Steps, images, the lock
    confirm: float = 3.0  # for what was true of a host to be seen again when all have come so far
    still_waiting: float = 10.0  # between reports that nothing has changed
    doubt: float = 30.0  # in which a Docker that starts again is back, with its containers
    image_piece: float = 60.0  # to take a piece, of a megabyte at most: the other hosts wait, and may give up
    image_report: float = 1.0
    lock_ask: float = 20.0
    lock_quiet: float = lock.QUIET_SECONDS
    exec_look: float = 20.0
    exec_end: float = 40.0

    # Chains of relays
    relay_start: float = 60.0  # for a relay to listen: a container may have to be made for it
    relay_link: float = 15.0  # for all to have reached the one before them
    relay_parting: float = 3.0  # for a relay to end with its standard input

    # Logs
    find: float = 60.0
    read: float = 600.0
    log_start: float = 3.0  # for all hosts to begin, so that what they printed before is shown in order
    log_backlog: float = 0.5  # for what they printed before to come
    log_batch: float = 0.1  # whose lines are shown together, in order
    log_quiet: float = 15.0  # after which a host that sends nothing is asked whether it is still there
    log_retry: float = 1.0  # before a host is asked anew: doubled with each failure,
    log_retry_most: float = 10.0  # to this at most

    # Tunnels
    tunnel_first_words: float = 30.0  # a connection without any takes the place of another
    local_port: float = 5.0  # that a port of this machine has to take a call


DEFAULT = Timeouts()
