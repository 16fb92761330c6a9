"""Kinds of values that say where a host is: names, addresses, networks, one by one or in a range."""

import re
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from orchestrator.model.inventory.fields import value
from orchestrator.model.inventory.mistakes import quoted
from orchestrator.model.inventory.ranges import expand
from orchestrator.model.inventory.values import SCALAR, USER, scalar, text, user, word

_NAME = "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}"
_HOST = "[A-Za-z0-9_][A-Za-z0-9_.-]*"  # or a name from ~/.ssh/config
_HOP = rf"(?:ssh://)?(?:%s@)?(?:{_HOST}|\[[0-9A-Fa-f:.]+(?:%%[A-Za-z0-9_.-]+)?\])(?::[0-9]{{1,5}})?/?"
_USERS_HOP = _HOP % USER

# what an editor is told; the checks know more
_RANGE = r"\[[0-9]+-[0-9]+\]"
_HOSTS = rf"{_HOST}({_RANGE}[A-Za-z0-9_.-]*)?|{_RANGE}[A-Za-z0-9_.-]*"
_IPV6 = r"[0-9A-Fa-f:.\[\]-]*:[0-9A-Fa-f:.\[\]-]*:[0-9A-Fa-f:.\[\]-]*(%[A-Za-z0-9_.\[\]-]+)?"
_UNUSABLE = r"0\.0\.0\.0|127\..*|255\.255\.255\.255|::1?|2(2[4-9]|3[0-9])\..*"


@value(type=SCALAR, pattern=rf"^({_HOSTS}|{_IPV6})$", minimum=0, examples=["gpu1.example.com", "gpu[2-9]"])
def host(written: object) -> str:
    return _each(text(written), _check_host)


@value(type=SCALAR, pattern=r"^[A-Za-z0-9\[][A-Za-z0-9_.\[\]-]*$", minimum=0)
def name(written: object) -> str:
    return _each(scalar(written), _check_name)


@value(
    type="string", pattern=rf"^(?!({_UNUSABLE})$)[0-9A-Fa-f:.\[\]-]+$", examples=["10.0.0.1", "10.0.0.[2-9]"]
)
def ip(written: object) -> str:
    return _each(word(written), _check_ip)


@value(type=SCALAR, pattern=f"^{_USERS_HOP}(,{_USERS_HOP})*$", minimum=0, examples=["me@bastion:22"])
def jump(written: object) -> str:
    hosts = word(written)
    for one in hosts.split(","):
        found = re.fullmatch(_HOP % "(.+)", one)
        if not found:
            raise ValueError(
                f'should be a host such as "me@bastion:22", several with commas, not {quoted(one)}'
            )
        if found[1]:
            user(found[1])
    return hosts


@value(type="string", pattern=r"^(?!127\.)[0-9A-Fa-f:.]+/[0-9.]+$", examples=["10.0.0.0/24"])
def network(written: object) -> str:
    cidr = word(written)
    try:
        found = ip_network(cidr, strict=False)
    except ValueError:
        found = None
    if found is None or "/" not in cidr:
        raise ValueError(f'should be a network such as "10.0.0.0/24", not {quoted(cidr)}')
    if reason := _unusable(found.network_address):
        raise ValueError(f"{quoted(cidr)} {reason}")
    if str(found.network_address) != str(ip_address(cidr.partition("/")[0])):
        raise ValueError(f'{quoted(cidr)} is an address in a network; did you mean "{found}"?')
    return str(found)


def is_name(written: str) -> bool:
    """Whether it can be a part of a container's name."""
    return bool(re.fullmatch(_NAME, written))


def is_ip(written: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ip_address(written)
    except ValueError:
        return False
    _, percent, scope = written.partition("%")  # of which Python takes anything
    return not percent or bool(re.fullmatch(r"[A-Za-z0-9_.-]+", scope))


def normal(address: str) -> str:
    """One spelling for each address; what is no address, as it is."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def _each(written: str, check: Callable[[str], None]) -> str:
    for one in expand(written):
        check(one)
    return written


def _check_host(written: str) -> None:
    if is_ip(written):
        return
    if "@" in written:
        raise ValueError(f"should be the host alone; the user of {quoted(written)} goes under ssh.user")
    if re.fullmatch(r"[^:]+:[0-9]+", written):
        raise ValueError(f"should be the host alone; the port of {quoted(written)} goes under ssh.port")
    if re.fullmatch(r"[\d.]+", written):
        raise ValueError(f"{quoted(written)} is not a complete IPv4 address")
    if not re.fullmatch(_HOST, written):
        raise ValueError(
            f"should be a host name, an address or a name from ~/.ssh/config, not {quoted(written)}"
        )


def _check_name(written: str) -> None:
    if not is_name(written):
        raise ValueError(
            f'should be letters, digits, "_", "." and "-", the first a letter or digit, not {quoted(written)}'
        )


def _check_ip(written: str) -> None:
    if not is_ip(written):
        raise ValueError(
            f'should be an IP address such as "10.0.0.2", not {quoted(written)}{_meant(written)}'
        )
    if reason := _unusable(ip_address(written)):
        raise ValueError(f"{quoted(written)} {reason}")


def _meant(written: str) -> str:
    """What one may have wanted to write: an address without its network, or a network in which every host has one."""
    bare, _, length = written.partition("/")
    if not (is_ip(bare) and length):
        return ""
    with suppress(ValueError):
        network = ip_network(written)
        if network.num_addresses > 1:
            return f"; for the address that each host has in it, write network: {network}"
    return f"; write {quoted(bare)}"


def _unusable(address: IPv4Address | IPv6Address) -> str:
    if address.is_loopback:
        return "is a loopback address, which other hosts cannot reach"
    if address.is_unspecified:
        return "stands for any address; write the host's own"
    if address.is_multicast or str(address) == "255.255.255.255":
        return "is the address of a group, not of a host"
    if isinstance(address, IPv6Address) and address.scope_id:
        return "names an interface; write an address that is the same on every host"
    return ""
