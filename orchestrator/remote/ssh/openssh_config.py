"""OpenSSH's own reading of its config: `ssh -G`, asked once for all hosts that the config does not tell apart.

A fleet connects at once, and a process for each of two hundred hosts would cost more than half of what their
connections do.
"""

import hashlib
import os
import pwd
import re
import shlex
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_address
from itertools import chain, zip_longest
from pathlib import Path
from threading import Lock
from time import monotonic

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh.keywords import ASKED, ONLY_IF_WRITTEN
from orchestrator.remote.ssh.known_hosts import as_glob
from orchestrator.remote.timeouts import DEFAULT
from orchestrator.remote.transport import Failure, FailureError, FailureKind

READ = re.compile(r"^debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)
LINE = re.compile(r'^[ \t="]*(host|match|hostname|include)[ \t="]+(.*)$', re.MULTILINE | re.IGNORECASE)
BRIEFLY = 1.0  # seconds for an answer that is for several hosts
NOISE = ("debug1: ", "OpenSSH_")  # what `-v` adds to complaints
CANONICAL = "canonicalizehostname"
FILES = re.compile(
    r'^[ \t]*"?(?:user|global)knownhostsfile"?[ \t]*=?[ \t]*(.*?)\s*$', re.MULTILINE | re.IGNORECASE
)
CHOSEN = re.compile(rf'^[ \t]*"?({"|".join(sorted(ONLY_IF_WRITTEN))})\b', re.MULTILINE | re.IGNORECASE)
FILLED_IN = re.compile(r"^~|%.|\$\{\w+\}")  # which `ssh -G` replaces in the names of files, or leaves
QUOTES = frozenset("\"'\\")
OFF = ("false", "no", "none")

Options = Mapping[str, Sequence[str]]
"""Values by lower-case keyword, in the config's order: of those that are ASKED."""


def ask_ssh(host: str, ssh: Ssh, config: Path | None, alike: tuple[str, ...] = ()) -> Options | None:
    """What `ssh` would do with a host; None where there is no OpenSSH. FailureError where its config is of no use.

    `alike`: all hosts that the inventory gives the same `ssh`, which are asked about together.
    """
    period = int(monotonic() / DEFAULT.config_is_fresh)
    if len(alike) > 1:
        with _lock(alike, ssh, config):
            shared = ask_together(alike, ssh, config, period)
        if host in shared:
            return shared[host]
    with _lock(host, ssh, config):
        answer = ask_once(host, ssh, config, period)
    if isinstance(answer, FailureError):
        raise answer
    return answer.options if answer else None


@lru_cache(maxsize=1024)
def _lock(*_question: object) -> Lock:
    """So that threads which ask the same at once wait for one answer, and for no other."""
    return Lock()


@lru_cache(maxsize=1024)
def ask_once(host: str, ssh: Ssh, config: Path | None, _period: int) -> "Answer | FailureError | None":
    """The same answer for all who ask in the same period, as for a jump host of many."""
    try:
        return ask(host, ssh, config, ssh.connect_seconds)
    except FailureError as refused:
        return refused


@lru_cache(maxsize=64)
def ask_together(hosts: tuple[str, ...], ssh: Ssh, config: Path | None, _period: int) -> dict[str, Options]:
    """The options of those hosts that the config does not tell apart: one question for each such group."""
    try:
        # Not long: a config with a slow `Match exec` is none that hosts can share.
        first = ask(hosts[0], ssh, config, BRIEFLY)
        if first is None or first.patterns is None:
            return {first.host: first.options} if first else {}
        groups = defaultdict[tuple[bool, ...], list[str]](list)
        for host in hosts:
            groups[first.matches(host)].append(host)
        found: dict[str, Options] = {first.host: first.options}
        for group in groups.values():
            answer = first if first.host in group else None
            if answer is None and len(group) > 1:
                answer = ask(group[0], ssh, config, BRIEFLY)
            found |= {host: options for host in group if answer and (options := answer.about(host))}
    except FailureError:  # it may be for one host's name alone
        return {}
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer for `host`. `patterns` are all that a `Host` line has; None where more than they decide."""

    host: str
    options: Options
    patterns: tuple[str, ...] | None

    def matches(self, host: str) -> tuple[bool, ...]:
        """What tells hosts apart: those that match the same patterns get the same answer."""
        return tuple(fnmatchcase(host, as_glob(pattern)) for pattern in self.patterns or ())

    def about(self, host: str) -> Options | None:
        """The same for another host that matches the same; None where more in it may be one's own."""
        if host == self.host:
            return self.options
        if not (_is_plain(self.host) and _is_plain(host)):
            return None
        own = {"hostname": [host]} if self.options["hostname"] == [self.host] else {}
        if "controlpath" in self.options:
            own["controlpath"] = [self._its_control(path, host, own) for path in self.options["controlpath"]]
        rest = (value for key, values in self.options.items() if key not in own for value in values)
        if any(name in value.lower() for value in rest for name in (self.host, host)):
            return None
        return {**self.options, **own}

    def _its_control(self, path: str, host: str, own: Options) -> str:
        """A ControlPath, in which `ssh -G` has put this host's name or hash (`%h`, `%C`), for another host."""
        for mine, its in zip(_hashes(self.options), _hashes({**self.options, **own}), strict=True):
            path = path.replace(mine, its)
        return re.sub(rf"(?<!\w){re.escape(self.host)}(?!\w)", lambda _: host, path)


def ask(host: str, ssh: Ssh, config: Path | None, seconds: float) -> Answer | None:
    """`ssh -G`, given what the inventory says, so that `Match user` and the like see it.

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
            timeout=seconds,
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
    files = [_text(Path(file)) for file in READ.findall(asked.stderr)]
    options = _by_key(asked.stdout, "\n".join(filter(None, files)))
    canonical = options.get(CANONICAL, OFF)[0] not in OFF
    return Answer(host, options, None if canonical else _patterns(files))


def _text(file: Path) -> str | None:
    """A file that `ssh` has just read; None for one that is gone since."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return None


def _is_plain(host: str) -> bool:
    """Whether `ssh` takes a name or address as it is written: it has its own way to write 010.0.0.1 and GPU1."""
    with suppress(ValueError):
        return str(ip_address(host)) == host
    return host == host.lower() and host.rpartition(".")[2][:1].isalpha()


def _by_key(printed: str, config: str) -> Options:
    """What `ssh -G` prints, read with the help of the config's text."""
    options: dict[str, list[str]] = defaultdict(list)
    wanted = ASKED - (ONLY_IF_WRITTEN - {keyword.lower() for keyword in CHOSEN.findall(config)})
    for line in printed.splitlines():
        key, _, value = line.partition(" ")
        if (key := key.lower()) in wanted:
            names = key in ("userknownhostsfile", "globalknownhostsfile")
            options[key] += _names(value, FILES.findall(config)) if names else [value]
    return dict(options)


def _names(printed: str, written: Iterable[str]) -> Sequence[str]:
    """The names of several files, which `ssh -G` prints side by side without quotes.

    The line that they come from tells those with blanks from several.
    """
    found = {groups for names in map(_words, written) if (groups := _as_printed(names, printed))}
    if len(found) > 1:
        raise unusable(
            f'the SSH config has two meanings for the known_hosts files "{printed}"',
            fix="give the files names without blanks",
        )
    return found.pop() if found else printed.split()


def _words(line: str) -> Sequence[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return ()


def _as_printed(names: Sequence[str], printed: str) -> tuple[str, ...] | None:
    at_home = re.escape(home())
    patterns = []
    for name in names:
        literal = map(re.escape, FILLED_IN.split(name))
        between = [f"(?:~|{at_home})" if part == "~" else r"\S*" for part in FILLED_IN.findall(name)]
        patterns.append("".join(chain.from_iterable(zip_longest(literal, between, fillvalue=""))))
    match = re.fullmatch(" ".join(f"({pattern})" for pattern in patterns), printed)
    return match.groups() if match else None


def home() -> str:
    """The user's home as OpenSSH has it, which does not look at $HOME."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return str(Path.home())


def _hashes(options: Options) -> Iterator[str]:
    """`%C`: in older versions of OpenSSH without, in newer ones (9.6) with the jump hosts in it."""
    name, port, user = (options[key][0] for key in ("hostname", "port", "user"))
    for jump in ("", options.get("proxyjump", [""])[0]):
        yield connection_hash(name, port, user, jump)


def connection_hash(name: str, port: str, user: str, jump: str) -> str:
    """What ssh_config(5) has as `%C`."""
    said = f"{socket.gethostname()}{name}{port}{user}{jump}"
    return hashlib.sha1(said.encode(), usedforsecurity=False).hexdigest()


def _patterns(files: Iterable[str | None]) -> tuple[str, ...] | None:
    """All by which the config tells hosts apart; None where that is more than the patterns of its `Host` lines."""
    found: set[str] = set()
    for text in files:
        if text is None:
            return None
        for keyword, words in LINE.findall(text):
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


def unusable(message: str, *, fix: str, detail: str = "") -> FailureError:
    # Not UNREACHABLE: another try would read the same file.
    return FailureError(Failure(FailureKind.AUTH, message, detail=detail, fix=fix))
