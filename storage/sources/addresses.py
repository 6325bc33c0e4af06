"""Network addresses that belong to a machine or a network, not to the public Internet."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
_NOT_PUBLIC = (ip_network("192.0.0.0/24"), ip_network("64:ff9b:1::/48"))
"""What Python's own list lacks."""
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".localdomain")


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody may have; an IPv4 address inside an IPv6 one counts as itself."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    if any(ip in network for network in _NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def written_address(host: str) -> str | None:
    """The IP address that a host's name itself is, however it is written (`2130706433`, `0x7f.1`); None for a name."""
    try:
        return str(ip_address(host.strip("[]").partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def is_private_host(host: str) -> bool:
    """Whether the name alone says that a host is no public one. What a public name leads to shows when it is asked."""
    name = host.rstrip(".").lower()
    if (address := written_address(name)) is not None:
        return not is_public(address)
    return name == "localhost" or name.endswith(_LOCAL_NAMES) or "." not in name
