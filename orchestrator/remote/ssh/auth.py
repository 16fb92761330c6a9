"""Logins: by keys and agents, never by a password; and what to do about one that is refused."""

import getpass
import os
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from orchestrator.remote.ssh.agent import AgentKey, agent_keys
from orchestrator.remote.ssh.certificate import type_of
from orchestrator.remote.ssh.config import Settings, short
from orchestrator.remote.ssh.identities import Offer, offers, public_half
from orchestrator.remote.ssh.openssh_config import home
from orchestrator.remote.transport import Failure, FailureError, FailureKind

if TYPE_CHECKING:
    import paramiko

PUBLICKEY = "publickey"  # the login method's name, as SSH has it
LINES = 5  # that are shown of what a host says to those who log in
RSA_BY_SHA1 = re.compile(
    r"SSH-2\.0-OpenSSH_([1-6]\.|7\.[01]\b)"
)  # of an RSA key's signatures it takes no others
COPIES_KEYS = frozenset({"password", "keyboard-interactive"})  # by which ssh-copy-id gets in


class Keys:
    """Logs in with public keys, as paramiko's authentication strategy."""

    def __init__(self, hop: Settings, deadline: float) -> None:
        self.hop = hop
        self.deadline = deadline
        self.used = "no key"
        self.version = ""  # that the server says
        self.outcomes: list[tuple[Offer, str]] = []
        self.agent_problem = ""
        self.agent_holds_none = False
        self.said: list[str] = []  # by the host, to whoever logs in: its banners
        self.refused: list[Offer] = []
        self.unsigned: list[Offer] = []
        self.accepted = False
        self.methods: list[str] = []
        """What the host would take now, once it has said so."""

    def authenticate(self, transport: "paramiko.Transport") -> None:
        self.version = transport.remote_version
        proven = transport.proven  # type: ignore[attr-defined] # paramiko's own has none
        with agent_keys(self.hop.agent, self.deadline, proven) as (held, self.agent_problem):
            self.agent_holds_none = bool(self.hop.agent and not held and not self.agent_problem)
            to_try = iter(()) if self.hop.keys_off else offers(self.hop, held)
            for offer in to_try:
                if self._try(transport, offer):
                    self.used = f"key {offer.label.replace(home(), '~', 1)}"
                    return
                if not transport.is_active():
                    said: str = transport.heard.goodbye  # type: ignore[attr-defined] # paramiko's own has none
                    raise FailureError(self._hung_up(to_try, said))
                if self.methods and PUBLICKEY not in self.methods:
                    break
        # Some servers ask for no key at all (Tailscale's); others name here what they would take.
        if not self.accepted and self._without_key(transport):
            return
        raise FailureError(self._refusal())

    def _try(self, transport: "paramiko.Transport", offer: Offer) -> bool:
        import paramiko  # noqa: PLC0415 - slow to import

        if offer.key is None:
            self.outcomes.append((offer, offer.problem))
            return False
        transport.auth_timeout = self._left()
        try:
            with self._hearing(transport):
                further = transport.auth_publickey(self.hop.user, offer.key)
        except (paramiko.SSHException, OSError, EOFError) as error:
            if isinstance(offer.key, AgentKey) and offer.key.refusal:
                self.unsigned.append(offer)
                self.outcomes.append((offer, f"the agent does not sign with it: {offer.key.refusal}"))
                return False
            self._left()
            self.refused.append(offer)
            self._note(offer, error)
            return False
        if further:
            self.accepted, self.methods = True, further
            self.outcomes.append((offer, "accepted, but not enough"))
        return not further

    def _note(self, offer: Offer, error: Exception) -> None:
        import paramiko  # noqa: PLC0415 - slow to import

        why = ""
        if isinstance(error, paramiko.BadAuthenticationType):
            self.methods = error.allowed_types
        elif type(error) is not paramiko.AuthenticationException:
            why = f": {error}"
        elif ended := _ended(offer):
            why = f": its certificate ended on {time.strftime('%Y-%m-%d %H:%M', time.localtime(ended))}"
        elif others := self._others(offer):
            why = f": its certificate is for {', '.join(others)}"
        self.outcomes.append((offer, f"refused{why}"))

    def _without_key(self, transport: "paramiko.Transport") -> bool:
        """Logs in without one, or learns which ways the host has."""
        import paramiko  # noqa: PLC0415 - slow to import

        transport.auth_timeout = self._left()
        try:
            with self._hearing(transport):
                self.methods = transport.auth_none(self.hop.user)
        except paramiko.BadAuthenticationType as error:
            self.methods = error.allowed_types
        except (paramiko.SSHException, OSError, EOFError):
            self._left()
            return False
        return not self.methods

    @contextmanager
    def _hearing(self, transport: "paramiko.Transport") -> Iterator[None]:
        """Notes what the host says meanwhile; paramiko keeps it with each try, and for none that hung up."""
        try:
            yield
        finally:
            banner = getattr(transport.auth_handler, "banner", None) or b""
            lines = [line.strip() for line in banner.decode(errors="replace").splitlines()]
            self.said += [line for line in lines if line and line not in self.said]

    def _left(self) -> float:
        left = self.deadline - monotonic()
        if left <= 0 and self.unsigned:  # it is the agent that has taken the time
            raise FailureError(self._refused())
        if left <= 0 and self.said:  # such as Tailscale's check, or a service that asks for a click
            raise FailureError(
                Failure(
                    FailureKind.AUTH,
                    f"{self.hop.login} lets nobody in yet; its banner: {self.said[-1]}",
                    detail=self._told(),
                    fix=f"if that asks for something, do it, then this again; by hand: {self.hop.by_hand()}",
                )
            )
        if left <= 0:
            raise TimeoutError
        return left

    def _told(self, *more: str) -> str:
        """What became of each key, and more."""
        problem = self.agent_problem or ("holds no key, or is locked" if self.agent_holds_none else "")
        agent = f"the agent at {self.hop.agent}: {problem}" if problem else ""
        tried = [f"{offer.label}: {outcome}" for offer, outcome in self.outcomes]
        says = [f"It says: {' '.join(self.said[-LINES:])}"] if self.said else []
        return "\n".join(filter(None, (agent, *tried, *says, *more)))

    def _hung_up(self, untried: Iterator[Offer], said: str) -> Failure:
        """A server takes as many keys as its MaxAuthTries has."""
        left = [offer for offer in untried if offer.key]
        if self.accepted:
            return self._not_enough()
        if not left:
            return self._refused("It closed the connection after that.") if said else self._turned_away()
        count = len(self.refused) + len(self.unsigned)
        file = next((short(offer.file) for offer in left if offer.file), "")
        of_agent = "put the right one's line of `ssh-add -L` into a file FILE.pub, and "
        return Failure(
            FailureKind.AUTH,
            f"{self.hop.login} closed the connection after {count} {'key' if count == 1 else 'keys'}"
            f"{said and f', saying: {said}'}",
            detail=self._told(*(f"{offer.label}: not tried any more" for offer in left)),
            fix=f"{'' if file else of_agent}name the right key: ssh: {{key: {file or 'FILE.pub'}}} in the inventory, "
            f"or IdentityFile and IdentitiesOnly yes for {self.hop.name} in ~/.ssh/config",
        )

    def _turned_away(self) -> Failure:
        """By a host that says no word about keys. OpenSSH's would, of a key too many; its PAM does not."""
        login = self.hop.login
        # Perhaps PAM's, perhaps what sshd tells everybody (Banner): both come as a banner.
        why = f"; its banner: {self.said[-1]}" if self.said else ""
        return Failure(
            FailureKind.AUTH,
            f"{login} closed the connection over the key{why}",
            detail=self._told(),
            fix=f"the key may be right: does the host let {self.hop.user} in (PAM: nologin, access, slurm)? "
            f"try: {self.hop.by_hand()}",
        )

    def _refusal(self) -> Failure:
        if self.accepted:
            return self._not_enough()
        if self.hop.keys_off:
            return Failure(
                FailureKind.AUTH,
                f"no key to offer to {self.hop.login}: ~/.ssh/config sets {self.hop.keys_off}",
                fix=f"set PubkeyAuthentication yes and PreferredAuthentications publickey for {self.hop.name} "
                "there; raycluster logs in by keys alone",
            )
        if self.methods and PUBLICKEY not in self.methods:
            return Failure(
                FailureKind.AUTH,
                f"{self.hop.login} takes no keys, only: {', '.join(self.methods)}",
                detail=self._told(),
                fix="set PubkeyAuthentication yes in the host's /etc/ssh/sshd_config; raycluster logs in by keys alone",
            )
        return self._refused()

    def _not_enough(self) -> Failure:
        wanted = ", ".join(self.methods)
        if PUBLICKEY in self.methods:
            what, fix = "wants another one too", "let ~/.ssh/config name both, each as an IdentityFile"
        else:
            what = f"also wants {wanted}"
            fix = (
                "let the host's sshd_config take the key alone from here, such as in a `Match Address` block: "
                "AuthenticationMethods publickey; raycluster answers no questions"
            )
        return Failure(
            FailureKind.AUTH,
            f"{self.hop.login} accepts the key, but {what}",
            detail=self._told(),
            fix=fix,
        )

    def _refused(self, last: str = "") -> Failure:
        every = f"{self.hop.login} refuses every key"
        return Failure(
            FailureKind.AUTH,
            every if self.refused else f"no key to offer to {self.hop.login}",
            detail=self._told(
                last, self._token(), *((self._too_old(), self._user()) if self.refused else ())
            ),
            fix=next((offer.fix for offer, _ in self.outcomes if offer.fix), "") or self._fix(),
        )

    def _token(self) -> str:
        provider = self.hop.pkcs11_provider
        return (
            f"~/.ssh/config sets PKCS11Provider {provider}, whose keys only an agent can use."
            if provider
            else ""
        )

    def _too_old(self) -> str:
        """Why an RSA key is of no use there, which its owner would copy there once more."""
        rsa = (offer for offer in self.refused if offer.key and type_of(offer.key.asbytes()) == "ssh-rsa")
        if not (RSA_BY_SHA1.match(self.version) and next(rsa, None)):
            return ""
        return f"Its {self.version.removeprefix('SSH-2.0-')} takes RSA keys with SHA-1 alone, which raycluster lacks."

    def _user(self) -> str:
        user = self.hop.user
        known = f"{user} is the user here." if user == getpass.getuser() else f"It was asked as {user}."
        return f"{known} Is it another there? {self._as('NAME')}"

    def _as(self, user: str) -> str:
        """How to log in as another user; a jump host's comes with its own name."""
        jump = f"write {user}@{self.hop.name} where that jump host is named"
        return jump if self.hop.is_jump else f"ssh: {{user: {user}}}"

    def _fix(self) -> str:
        tried = [offer for offer, _ in self.outcomes]
        for_agent = [offer.file for offer in tried if offer.needs_agent and offer.file]
        start = "" if self.hop.agent or os.environ.get("SSH_AUTH_SOCK") else 'eval "$(ssh-agent)" && '
        if for_agent:
            return f"{start}ssh-add {self._provider(for_agent[0])}{shlex.quote(str(for_agent[0]))}"
        if self.unsigned:
            return f"does the agent wait for a yes, or a touch? try: {self.hop.by_hand()}"
        if self.hop.pkcs11_provider:
            return f"{start}ssh-add -s {shlex.quote(self.hop.pkcs11_provider)}"
        if ended := [offer for offer in tried if _ended(offer)]:
            return f"renew the certificate {ended[0].label}"
        if others := [name for offer in tried for name in self._others(offer)]:
            other, user = others[0], self.hop.user
            return f"is {other} the user there? {self._as(other)}; or get a certificate for {user}"
        if self._too_old():
            tried = []  # it needs another one
        have_key = any(offer.key for offer in tried)
        return self._installed(next((offer.file for offer in tried if offer.file), None), have_key)

    def _with_agent(self) -> str:
        if self.agent_problem:
            return "start the agent (IdentityAgent, $SSH_AUTH_SOCK), or "
        if self.agent_holds_none:
            return (
                "have the agent unlocked, or given the key (ssh-add -X, ssh-add FILE, its own program), or "
            )
        return ""

    def _others(self, offer: Offer) -> list[str]:
        """Whom the certificate that is shown is for, where that is not the user."""
        names = (
            [name.decode(errors="replace") for name in offer.certificate.principals]
            if offer.certificate
            else []
        )
        return [] if self.hop.user in names else names

    def _provider(self, file: Path) -> str:
        """What of ~/.ssh/config ssh-add has to be told for a hardware key."""
        provider = self.hop.security_key_provider
        return (
            f"-S {shlex.quote(provider)} "
            if provider and type_of(public_half(file)).startswith("sk-")
            else ""
        )

    def _installed(self, file: Path | None, have_key: bool) -> str:
        """How the host comes to know a key. ssh-copy-id needs another way in."""
        named = f"-i {shlex.quote(str(file))} " if file else ""
        jump = f"-o ProxyJump={shlex.quote(','.join(self.hop.proxy_jump))} " if self.hop.proxy_jump else ""
        login = shlex.quote(f"{self.hop.user}@{self.hop.name}")
        copy = f"ssh-copy-id {named}{jump}-p {self.hop.port} {login}"
        if self.methods and not COPIES_KEYS.intersection(self.methods):
            public = f"{file}.pub" if file else "the key's line (ssh-add -L)"
            there = f"~{self.hop.user}/.ssh/authorized_keys there"
            copy = f"add {public} to {there}; it takes no password, so by its console"
        if have_key:
            return copy
        return f"{self._with_agent()}ssh-keygen -t ed25519, then {copy}"


def _ended(offer: Offer) -> int:
    """When the certificate ended that is shown; 0 where it did not."""
    end = offer.certificate.valid_before if offer.certificate else 0
    return end if end <= time.time() else 0
