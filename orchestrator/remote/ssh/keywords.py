"""The keywords of ssh_config(5): which are honoured, which change nothing here, and which a refusal names."""

from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.remote.transport import FailureKind

HONOURED = frozenset(
    {"hostname", "port", "user", "addressfamily", "bindaddress", "bindinterface", "connecttimeout"}
    | {"proxyjump", "proxycommand", "proxyusefdpass", "hostkeyalias"}
    | {"identityfile", "identitiesonly", "identityagent", "userknownhostsfile", "globalknownhostsfile"}
    | {"certificatefile", "preferredauthentications", "pubkeyauthentication", "pkcs11provider"}
    | {"securitykeyprovider", "stricthostkeychecking", "knownhostscommand", "revokedhostkeys"}
    | {"hostkeyalgorithms", "casignaturealgorithms", "hashknownhosts"}
    | {"ciphers", "macs", "kexalgorithms", "setenv", "sendenv"}
    # `ssh -G` has done as these say:
    | {"canonicalizehostname", "canonicaldomains", "canonicalizefallbacklocal", "canonicalizemaxdots"}
    | {"canonicalizepermittedcnames", "ignoreunknown", "tag", "refuseconnection"}
)

WITHOUT_EFFECT = frozenset(
    # on whom is reached and how: forwardings, terminals, prompts, logs, what `ssh` would do once it is in
    {"batchmode", "checkhostip", "clearallforwardings", "compression", "connectionattempts", "controlmaster"}
    | {"controlpersist", "dynamicforward", "enableescapecommandline", "enablesshkeysign", "escapechar"}
    | {"exitonforwardfailure", "fingerprinthash", "forkafterauthentication", "forwardagent", "forwardx11"}
    | {"forwardx11timeout", "forwardx11trusted", "gatewayports", "addkeystoagent"}
    | {"ipqos", "localcommand", "localforward", "loglevel", "logverbose", "numberofpasswordprompts"}
    | {"obscurekeystroketiming", "permitlocalcommand", "permitremoteopen", "rekeylimit", "remotecommand"}
    | {"remoteforward", "requesttty", "serveralivecountmax", "serveraliveinterval", "sessiontype"}
    | {"stdinnull", "streamlocalbindmask", "streamlocalbindunlink", "syslogfacility", "tcpkeepalive"}
    | {"tunnel", "tunneldevice", "updatehostkeys", "versionaddendum", "visualhostkey", "xauthlocation"}
    | {"channeltimeout", "warnweakcrypto", "kbdinteractiveauthentication", "kbdinteractivedevices"}
    | {"passwordauthentication", "gssapikeyexchange", "gssapidelegatecredentials", "gssapitrustdns"}
    | {"host"}  # only says again who was asked about
    | {"gssapirenewalforcesrekey", "gssapikexalgorithms", "gssapiclientidentity", "gssapiserveridentity"}
    # which can only make `ssh` refuse what raycluster takes: docs/ssh.md names them
    | {"hostbasedacceptedalgorithms", "pubkeyacceptedalgorithms", "requiredrsasize"}
)

ONLY_IF_WRITTEN = frozenset({"ciphers", "macs", "kexalgorithms"})
"""`ssh -G` prints them with all that OpenSSH has, too, which is not what raycluster has."""


@dataclass(frozen=True, slots=True)
class UnknownKeyword:
    """A keyword that raycluster does not know, which may be why a host refuses it and not `ssh`."""

    name: str
    explains: FailureKind
    without_effect: tuple[str, ...] = ("none",)  # these values of it


_UNKNOWN = (
    UnknownKeyword("HostbasedAuthentication", FailureKind.AUTH, ("no",)),
    UnknownKeyword("NoHostAuthenticationForLocalhost", FailureKind.HOST_KEY, ("no",)),
    UnknownKeyword("VerifyHostKeyDNS", FailureKind.HOST_KEY, ("false", "no")),
)
NAMED: Mapping[str, UnknownKeyword] = {each.name.lower(): each for each in _UNKNOWN}

CONDITIONAL = frozenset({"controlpath", "gssapiauthentication"})
"""Named where they would have made a difference: a connection that is open, a Kerberos ticket that is valid."""

ASKED = HONOURED | CONDITIONAL | frozenset(NAMED)
"""Those whose values are kept. Of the rest some differ from host to host, to no effect."""
