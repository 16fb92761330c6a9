"""What OpenSSH itself makes of its config: `ssh -G`, asked once for all hosts that its config does not tell apart.

A fleet connects at once, and a process for each of two hundred hosts would cost more than half of what their
connections do.
"""

import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from time import monotonic

from orchestrator.model.cluster import Ssh
from orchestrator.remote.transport import Failure, FailureError, FailureKind

FRESH = 10  # seconds after which the config may be another, and is asked again
READ = re.compile(r"^debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)
LINE = re.compile(r'^[ \t="]*(host|match|hostname|include)[ \t="]+(.*)$', re.MULTILINE | re.IGNORECASE)
BRIEFLY = 0.2  # seconds that a host waits for another's answer: `Match exec` may take long, and each has its own time
NOISE = ("debug1: ", "OpenSSH_")  # what `-v` adds to complaints
CANONICAL = "canonicalizehostname"
OURS = frozenset(
    {"hostname", "port", "user", "hostkeyalias", "addressfamily", "proxyjump", "proxycommand", CANONICAL}
    | {"identityfile", "identitiesonly", "identityagent", "userknownhostsfile", "globalknownhostsfile"}
)
"""The keywords that concern us. Others may differ from host to host, such as a `ControlPath` with `%C`."""
QUOTES = frozenset("\"'\\")
OFF = ("false", "no", "none")

Options = Mapping[str, Sequence[str]]
"""Values by lower-case keyword, in the config's order: of those in OURS."""


def ask_ssh(host: str, ssh: Ssh, config: Path | None) -> Options | None:
    """What `ssh` would do with a host; None where there is no OpenSSH. Refused where its config is of no use."""
    return alike(ssh, config, int(monotonic() / FRESH)).about(host)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of `host`. `patterns` are all that a `Host` line has; None where more than they decide."""

    host: str
    told: Options
    patterns: tuple[str, ...] | None

    def matches(self, host: str) -> tuple[bool, ...]:
        """What tells hosts apart: those that match the same patterns get the same answer."""
        return tuple(fnmatchcase(host, pattern.replace("[", "[[]")) for pattern in self.patterns or ())

    def about(self, host: str) -> Options | None:
        """The same for another host that matches the same; None where more in it may be one's own."""
        if host == self.host:
            return self.told
        if not (_is_plain(self.host) and _is_plain(host)):
            return None
        own = {"hostname": [host]} if self.told["hostname"] == [self.host] else {}
        rest = (value for key, values in self.told.items() if key not in own for value in values)
        if any(name in value.lower() for value in rest for name in (self.host, host)):
            return None
        return {**self.told, **own}


class _SharedQuery:
    """Hosts that the inventory gives the same options. The first is asked; the others wait to see who is like it."""

    def __init__(self, ask: Callable[[str], Answer | None]) -> None:
        self._ask, self._lock = ask, Lock()
        self._asked: dict[tuple[bool, ...] | None, Future[Answer | None]] = {}

    def about(self, host: str) -> Options | None:
        first = self._once(None, host)
        if first is None:
            return None
        if first.host == host:
            return first.told
        if first.patterns is None:
            return self._alone(host)
        self._asked.setdefault(first.matches(first.host), self._asked[None])
        found = self._once(first.matches(host), host)
        told = found.about(host) if found else None
        return told or self._alone(host)

    def _once(self, key: tuple[bool, ...] | None, host: str) -> Answer | None:
        with self._lock:
            known = self._asked.get(key)
            asked = known or self._asked.setdefault(key, Future())
        if known is None:
            self._answer(asked, host)
            return asked.result()
        try:
            return asked.result(BRIEFLY)
        except (FailureError, TimeoutError):  # a refusal may be for the other's name alone
            return self._ask(host)

    def _answer(self, asked: "Future[Answer | None]", host: str) -> None:
        try:
            asked.set_result(self._ask(host))
        except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits
            asked.set_exception(error)

    def _alone(self, host: str) -> Options | None:
        answer = self._ask(host)
        return answer.told if answer else None


@lru_cache(maxsize=256)
def alike(ssh: Ssh, config: Path | None, _period: int) -> _SharedQuery:
    """Those who are asked about in the same `_period`, with the same options."""
    return _SharedQuery(lambda host: ask_alone(host, ssh, config))


def ask_alone(host: str, ssh: Ssh, config: Path | None) -> Answer | None:
    """`ssh -G`, told what the inventory says, so that `Match user` and the like see it.

    But for the key: `ssh -i` drops a file that does not exist, and a missing one is to be named. `-v` names the
    files that it reads.
    """
    argv = ["ssh", "-G", "-T", "-v"]
    argv += ["-F", str(config)] if config else []
    argv += ["-l", ssh.user] if ssh.user else []
    argv += ["-p", str(ssh.port)] if ssh.port else []
    argv += ["-o", f"ProxyJump={ssh.jump}"] if ssh.jump else []
    try:
        asked = subprocess.run(
            [*argv, "--", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ssh.connect_timeout,
            check=False,
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        raise unusable(f"`ssh -G {host}` does not end", fix="is there a slow `Match exec`?") from None
    if asked.returncode:
        words = "\n".join(line for line in asked.stderr.splitlines() if not line.startswith(NOISE))
        message = f"the SSH config is of no use for {host}"
        raise unusable(message, fix=f"try: ssh -G {host}", detail=words)
    told = _by_key(asked.stdout)
    canonical = told.get(CANONICAL, OFF)[0] not in OFF
    return Answer(host, told, None if canonical else _patterns(READ.findall(asked.stderr)))


def _is_plain(host: str) -> bool:
    """Whether `ssh` takes a name or address as it is written: it has its own way to write 010.0.0.1 and GPU1."""
    with suppress(ValueError):
        return str(ip_address(host)) == host
    return host == host.lower() and host.rpartition(".")[2][:1].isalpha()


def _by_key(text: str) -> Options:
    told: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key in OURS:
            told[key].append(value)
    return dict(told)


def _patterns(files: Iterable[str]) -> tuple[str, ...] | None:
    """All by which the config tells hosts apart; None where that is more than the patterns of its `Host` lines."""
    found: set[str] = set()
    for file in files:
        for keyword, words in _lines(Path(file)):
            if _decides_more(keyword.lower(), words):
                return None
            found.update(word.lstrip("!") for word in words.split())
    return tuple(sorted(found))


def _decides_more(keyword: str, words: str) -> bool:
    """Whether a line can tell hosts apart by more than patterns. A `HostName` is one, too: it may be some host's own.

    Newer versions of OpenSSH (9.9) put a host's name for `%h` into `Include`: https://www.openssh.com/txt/release-9.9
    """
    match keyword:
        case "host":
            return bool(QUOTES.intersection(words))
        case "hostname":
            name = words.split(maxsplit=1)[0] if words.split() else ""
            return bool(QUOTES.intersection(words)) or ("%" not in words and not _is_plain(name))
        case "include":
            return "%" in words
        case _:
            return True


def _lines(file: Path) -> list[tuple[str, str]]:
    """The lines of a file that `ssh` has just read which tell hosts apart; one that is gone since counts for itself."""
    try:
        return LINE.findall(file.read_text(errors="replace"))
    except OSError:
        return [("match", "all")]


def unusable(message: str, *, fix: str, detail: str = "") -> FailureError:
    # Not UNREACHABLE: another try would read the same file.
    return FailureError(Failure(FailureKind.AUTH, message, detail=detail, fix=fix))
