"""Where the log of a model's server is, be it served or stopped."""

from orchestrator import payload
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster
from orchestrator.plan.facts.containers import untold_hosts, why_not_ready
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving.servers import Server, meant, nearest, servers
from orchestrator.plan.serving.state import Stopped
from orchestrator.plan.typed import ours


@dataclass(frozen=True, slots=True)
class ServerLog:
    """The hosts that have the log of a server, its first rank's first, and the folder in their containers.

    `others`: who else has a log, where this is the last one that was stopped because none was named.
    """

    name: str
    hosts: tuple[str, ...]
    folder: str
    others: tuple[str, ...] = ()


def find_log(cluster: Cluster, facts: Facts, word: str) -> ServerLog | HostProblem:
    """The log of the server that a word names; without one, of the only one, or of the last that was stopped."""
    there, stopped = servers(facts), _stopped(facts)
    names = tuple(there) or tuple(sorted(stopped, key=lambda name: _newest(stopped[name]).since))[:1]
    if word:
        gone = tuple(name for name, each in stopped.items() if word in (name, _newest(each).model))
        names = meant(word, there) or ((word,) if word in stopped else gone)
    if len(names) == 1:
        (name,) = names
        if name in there:
            return _of(there[name])
        others = () if word else tuple(each for each in stopped if each != name)
        return _of_stopped(name, stopped[name], others)
    return _why_not(
        cluster, facts, word, there, {name: stopped[name] for name in stopped if name not in there}
    )


def _of(server: Server) -> ServerLog:
    folder = server.served.folder
    hosts = (server.host, *(host for host in server.served.hosts if host != server.host))
    return ServerLog(server.name, hosts, f"{payload.SERVED}/{folder}" if folder else payload.FOLDER)


def _of_stopped(name: str, logs: dict[str, Stopped], others: tuple[str, ...]) -> ServerLog:
    """The ranks of its last life."""
    last = _newest(logs)
    hosts = tuple(host for host, each in logs.items() if each.run == last.run)
    return ServerLog(name, hosts, f"{payload.SERVED}/{name}", others)


def _newest(logs: dict[str, Stopped]) -> Stopped:
    return min(logs.values(), key=lambda each: each.since)


def _stopped(facts: Facts) -> dict[str, dict[str, Stopped]]:
    """What was stopped, by name and host."""
    found: dict[str, dict[str, Stopped]] = {}
    for host, here in facts.items():
        for each in here.stopped if isinstance(here, HostFacts) else ():
            found.setdefault(each.name, {})[host] = each
    return found


def _why_not(
    cluster: Cluster,
    facts: Facts,
    word: str,
    there: dict[str, Server],
    stopped: dict[str, dict[str, Stopped]],
) -> HostProblem:
    head, names = cluster.head, (*there, *stopped)
    failed = [name for name, each in there.items() if each.served.state == "ended" or each.served.abandoned]
    failed += [name for name, each in stopped.items() if _newest(each).failed]
    how = {**dict.fromkeys(stopped, " (stopped)"), **dict.fromkeys(failed, " (failed)")}
    if not names or word:  # it may be where nobody could look
        for hidden in untold_hosts(cluster, facts):
            return hidden
    if not names:
        nothing = Problem("no model was served here", ours("serve", "MODEL"))
        return HostProblem(head.name, why_not_ready(cluster, head, facts[head.name]) or nothing)
    which = f"there are logs of {', '.join(name + how.get(name, '') for name in names)}"
    text = f"no log of {word} is there; {which}" if word else f"{which}: name one"
    return HostProblem(
        head.name, Problem(text, ours("serve logs", nearest(word, names) or (*failed, *names)[0]))
    )
