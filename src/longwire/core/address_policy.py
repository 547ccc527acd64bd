"""What a destination's host may look like, and which addresses may be dialled for it.

Two decisions, taken at different times. `parse_host` reads the host of a URL when a connection is saved: one
spelling goes in, one canonical host comes out, and what two parsers could read differently is refused.
`AddressPolicy.judge` is asked about each address just before it is dialled, whatever name led to it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import idna

from longwire.core.errors import InvalidInput, Misconfigured

SETTING = "LONGWIRE_ALLOW_DESTINATIONS"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The special-purpose registries of IANA, kept here rather than taken from `ipaddress`: what that module calls
# "global" changes between Python versions, and this table must not. Not listed: the few globally reachable
# exceptions inside 192.0.0.0/24 and 2001::/23, where no HTTP server lives.
# Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190)
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "240.0.0.0/4",  # reserved
    )
)
# Of IPv6 only 2000::/3 is handed out, so everything else is not public without being named.
_GIVEN_OUT_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")

# Where clouds hand out credentials, and their neighbourhood: reached only when listed one address at a time.
_ONLY_EXACTLY = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local; AWS, GCP, Azure and others at .169.254
        "fe80::/10",  # link-local
        "fd00:ec2::254/128",  # AWS
        "fd00:ec2::23/128",  # AWS, credentials of a pod
        "fd20:ce::254/128",  # GCP
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "fd00:42::42/128",  # Scaleway
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure
        "192.0.0.192/32",  # Oracle
    )
)
_NEVER = tuple(
    ip_network(text) for text in ("0.0.0.0/32", "255.255.255.255/32", "224.0.0.0/4", "::/128", "ff00::/8")
)
_WORDS: dict[str, tuple[Network, ...]] = {
    "private": tuple(
        ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
    ),
    "loopback": (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
}

_LOCALHOST: tuple[Address, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))

_LONGEST_HOST = 253
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# The last label decides whether a host is meant as a number. Source: WHATWG URL, "ends in a number checker"
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_FOUR_NUMBERS = "write the address as four decimal numbers without leading zeros, like 192.0.2.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Which addresses may be dialled.

    `entries` are the allow list's words as the operator wrote them, `networks` what they mean.
    `own_listeners` are the (address, port) pairs of our own API; one on a loopback address stands for that port on
    every loopback address (to people they are all `localhost`), one on 0.0.0.0 or :: also on each of
    `local_addresses`.
    """

    entries: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    own_listeners: tuple[tuple[Address, int], ...] = ()
    local_addresses: tuple[Address, ...] = ()

    def judge(self, address: Address, port: int) -> str | None:
        """Return None when the address may be dialled, else why not and what to change.

        The port plays no part unless the address is allowed: the text tells nothing about who listens there.
        An IPv6 address that carries an IPv4 address is judged by both.
        """
        address = _plain(address)
        return self._judge(str(address), (address, *_carried(address)), port)

    def judge_spelled(self, host: str, port: int) -> str | None:
        """Return why a canonical host may not be a destination, as far as the host itself tells; else None.

        It tells when it is an address, and when it is `localhost` or below, which is loopback to whoever resolves it.
        Source: RFC 6761, section 6.3
        """
        address = literal_address(host)
        if address is not None:
            return self.judge(address, port)
        return self._judge(host, _LOCALHOST, port) if _is_localhost(host) else None

    def _judge(self, named: str, reached: tuple[Address, ...], port: int) -> str | None:
        if any(_is_in(part, _NEVER) for part in reached):
            return f"{named} is not the address of one host, so it can never be a destination"
        missing = tuple(part for part in reached if not self._allows(part))
        if missing:
            return f"{named} is not a public address; to allow it start Longwire with {self._with(missing)}"
        if any(self._is_own(part, port) for part in reached):
            return (
                f"{named} port {port} is Longwire's own API: a message sent there would come back "
                "for ever; name another destination"
            )
        return None

    def _allows(self, address: Address) -> bool:
        if _is_in(address, _ONLY_EXACTLY):
            return ip_network(address) in self.networks
        return _is_public(address) or _is_in(address, self.networks)

    def _with(self, missing: tuple[Address, ...]) -> str:
        added = (f"{address}/{address.max_prefixlen}" for address in missing)
        return f"{SETTING}={','.join((*self.entries, *added))}"

    def _is_own(self, address: Address, port: int) -> bool:
        for listener, listener_port in self.own_listeners:
            if port != listener_port:
                continue
            if address.is_loopback and (listener.is_unspecified or _plain(listener).is_loopback):
                return True
            if listener.is_unspecified and address in self.local_addresses:
                return True
            if address == _plain(listener):
                return True
        return False


def parse_allow_list(
    text: str,
    *,
    own_listeners: tuple[tuple[Address, int], ...] = (),
    local_addresses: tuple[Address, ...] = (),
) -> AddressPolicy:
    """Return the policy that `LONGWIRE_ALLOW_DESTINATIONS` asks for; empty allows public addresses only.

    Entries are separated by commas: a network (`10.0.0.0/8`), an address, `private` or `loopback`.
    Errors: Misconfigured names the entry that cannot be read.
    """
    entries = tuple(entry for part in text.split(",") if (entry := part.strip()))
    return AddressPolicy(
        entries=entries,
        networks=tuple(network for entry in entries for network in _parse_entry(entry)),
        own_listeners=own_listeners,
        local_addresses=tuple(_plain(address) for address in local_addresses),
    )


def parse_host(text: str, field: str = "destinationURL") -> str:
    """Return the canonical host: lower case, IDNA, without trailing dot or brackets.

    Refused is whatever two readers could take for different hosts: numbers that are not four plain decimals,
    percent-encoding, zone ids. Errors: InvalidInput for `field`.
    """
    if "%" in text:
        raise InvalidInput(field, f"the host {text!r} may hold no percent-encoding and no zone id")
    if ":" in text or "[" in text:
        return _parse_ipv6(text, field)
    _check_length(text, field)
    host = text.lower() if text.isascii() else _to_ascii(text, field)
    host = host.removesuffix(".")
    _check_length(host, field)
    labels = host.split(".")
    for label in labels:
        _check_label(label, field)
    if _NUMBER.fullmatch(labels[-1]):
        return _parse_ipv4(host, field)
    return host


def literal_address(host: str) -> Address | None:
    """Return the address a canonical host (of `parse_host`) spells out, or None when it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _parse_entry(entry: str) -> tuple[Network, ...]:
    if entry.lower() in _WORDS:
        return _WORDS[entry.lower()]
    try:
        network = ip_network(entry)
    except ValueError:
        raise Misconfigured(_unreadable(entry)) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # Addresses are compared in their IPv4 form, so must be the entries.
        mapped = int(network.network_address) - int(_MAPPED.network_address)
        return (IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen)),)
    return (network,)


def _unreadable(entry: str) -> str:
    try:
        meant = f"did you mean {ip_network(entry, strict=False)}?"
    except ValueError:
        meant = "expected an address, a network like 10.0.0.0/8, or one of the words private and loopback"
    return f"{SETTING}: cannot read {entry!r}; {meant}"


def _plain(address: Address) -> Address:
    """Return the address without zone id, and as IPv4 where it is only an IPv4 address in IPv6 clothes."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _carried(address: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses inside: whoever translates or unwraps the packet sends it on to them."""
    if isinstance(address, IPv4Address):
        return
    if address in _NAT64 or address in _NAT64_LOCAL:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _is_in(address, _NOT_PUBLIC_V4)
    return address in _NAT64 or (address in _GIVEN_OUT_V6 and not _is_in(address, _NOT_PUBLIC_V6))


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _to_ascii(text: str, field: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii").lower()
    except UnicodeError as error:
        raise InvalidInput(field, f"the host {text!r} is not an international name: {error}") from None


def _check_length(host: str, field: str) -> None:
    if not 0 < len(host.removesuffix(".")) <= _LONGEST_HOST:
        raise InvalidInput(field, f"a host has 1 to {_LONGEST_HOST} characters, got {len(host)}")


def _check_label(label: str, field: str) -> None:
    if _LABEL.fullmatch(label):
        return
    if len(label) > 63:  # noqa: PLR2004 (RFC 1035, section 2.3.4)
        raise InvalidInput(
            field, f"a part of a host has at most 63 characters, {label[:20]!r}... has {len(label)}"
        )
    raise InvalidInput(
        field, f"the host has a part {label!r}; expected letters, digits, '-' inside, separated by '.'"
    )


def _parse_ipv4(host: str, field: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        raise InvalidInput(field, f"the host {host!r} is a number; {_FOUR_NUMBERS}") from None


def _parse_ipv6(text: str, field: str) -> str:
    inside = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(IPv6Address(inside))
    except AddressValueError:
        raise InvalidInput(field, f"the host {text!r} is not an IPv6 address") from None
