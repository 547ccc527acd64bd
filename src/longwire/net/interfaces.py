"""The addresses of this machine."""

import itertools
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_IPV4 = Path("/proc/net/fib_trie")
_IPV6 = Path("/proc/net/if_inet6")


def local_addresses() -> tuple[IPv4Address | IPv6Address, ...]:
    """Return every address of this machine, as far as the system tells; what the name resolves to elsewhere."""
    if not _IPV4.exists():
        found = socket.getaddrinfo(socket.gethostname(), None)
        return tuple({ip_address(str(entry[4][0]).partition("%")[0]) for entry in found})
    lines = _IPV4.read_text().splitlines()
    ipv4 = {
        IPv4Address(address.split()[-1])
        for address, kind in itertools.pairwise(lines)
        if "/32 host LOCAL" in kind
    }
    ipv6 = (
        {IPv6Address(int(line.split()[0], 16)) for line in _IPV6.read_text().splitlines()}
        if _IPV6.exists()
        else set()
    )
    return (*sorted(ipv4), *sorted(ipv6))
