"""Addresses: what one is, where the server listens, and where clients on its machine find it."""

import ipaddress
import socket

from .config import Settings
from .errors import BadInput, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at this address or name."""
    address = address_of(host)
    return host == "localhost" if address is None else address.is_loopback


def address_of(word: str) -> Address | None:
    """The address in a *word*, which some proxies write together with the port; None if there is none."""
    for text in (word, word.rpartition(":")[0].strip("[]")):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped or address
    return None


def words_of(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def networks_of(text: str) -> list[Network]:
    """The networks that stand in a setting, with commas between them; an address is one of its own."""
    return [network_of(word) for word in words_of(text)]


def network_of(word: str) -> Network:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise BadInput(f"{word} is neither an address nor a network of a proxy.") from None


def base_address(settings: Settings) -> str:
    """Where a client on this machine finds the server."""
    host = own_host(settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def own_host(host: str) -> str:
    """*host*, or the loopback address where it stands for all addresses there are."""
    if not stands_for_all(host):
        return host
    return "::1" if ":" in host else "127.0.0.1"


def stands_for_all(host: str) -> bool:
    """Whether a server at *host* can be reached by every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def free_address(host: str, port: int) -> tuple[str, int]:
    """The address that *host* stands for and the *port*, or a free one for 0, where nobody listens yet.

    The workers share their address by SO_REUSEPORT, with which a second server would start without a word
    and take half of the calls.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            host, port = probe.getsockname()[:2]
            return host, port
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unavailable(
            f"Cannot listen at {host}, port {port}: {reason}; another --port or --host may do."
        ) from error
