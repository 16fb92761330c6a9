"""Servers of models that end with containers: what `up`, `restart` and `down` say of them beforehand."""

from collections.abc import Iterator, Sequence

from orchestrator.plan.facts.host import Facts
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving.servers import Server, again, servers


def ending(facts: Facts, hosts: frozenset[str], *, anew: bool) -> Iterator[HostProblem]:
    """The servers that end with the containers of those hosts, as their first ranks are there; or that lose a part.

    `anew`: whether those hosts get new ones.
    """
    for server in _ended(facts, hosts):
        serves = f"which answers on {_port(server)}" if _answers(server) else "which is served there"
        why = f"{server.title}, {serves}, ends with its {'old ' if anew else ''}container"
        fix = f"once the cluster is up: {again(server.model)}" if anew else ""
        yield HostProblem(server.host, Problem(why, fix))
    for server in _interrupted(facts, hosts):
        goes_on = ", and goes on by itself" if anew else ""
        why = f"{server.title}, which has a part there, is interrupted{goes_on}"
        yield from (HostProblem(host, Problem(why)) for host in server.hosts if host in hosts)


def whatever_ends(facts: Facts, hosts: frozenset[str], where: str) -> str:
    """The same in sentences, for a question: `Whatever runs in them ends: the model chat, which answers on :8000`."""
    ended, interrupted = tuple(_ended(facts, hosts)), tuple(_interrupted(facts, hosts))
    answering = [each for each in ended if _answers(each)]
    mute = [each for each in ended if each not in answering]
    told = []
    if answering:
        on = _in_words([*map(_port, answering)])
        told.append(f"{_models(answering)}, which answer{'' if answering[1:] else 's'} on {on}")
    if mute:
        told.append(f"{_models(mute)}, which {'do' if mute[1:] else 'does'} not answer now")
    sentence = f"Whatever runs {where} ends{': ' if told else ''}{'; '.join(told)}."
    return f"{sentence} {_cut(interrupted)}".strip()


def _cut(interrupted: Sequence[Server]) -> str:
    if not interrupted:
        return ""
    have, are = ("have", "are") if interrupted[1:] else ("has", "is")
    return f"T{_models(interrupted)[1:]} {have} a part there, and {are} interrupted."


def _models(some: Sequence[Server]) -> str:
    return f"the model{'s' if some[1:] else ''} {_in_words([each.title for each in some])}"


def _in_words(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _port(server: Server) -> str:
    """`:8000`."""
    return f":{server.served.url.rpartition(':')[2]}"


def _answers(server: Server) -> bool:
    return server.first is not None and server.first.answers


def _ended(facts: Facts, hosts: frozenset[str]) -> Iterator[Server]:
    """The servers whose first ranks are on those hosts."""
    return (each for each in servers(facts).values() if each.supervised and each.host in hosts)


def _interrupted(facts: Facts, hosts: frozenset[str]) -> Iterator[Server]:
    """Those that have other ranks there, and stay."""
    stay = (each for each in servers(facts).values() if each.supervised and each.host not in hosts)
    return (each for each in stay if hosts.intersection(each.hosts))
