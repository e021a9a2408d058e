"""Whose word is taken on who calls: the proxies in front, as those who run the server have named them."""

import re

from .addresses import Address, address_of, networks_of, words_of
from .http import Request

SCHEMES = ("http", "https")
# What proxies say of whom they call for; each says at least one of these.
PASSED_ON = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via")
NAME = re.compile("[A-Za-z0-9-]{1,64}")


class Proxies:
    """The proxies that are *named*, by addresses and networks with commas between them."""

    def __init__(self, named: str) -> None:
        self.networks = networks_of(named)

    def believe(self, request: Request) -> None:
        """Put into *request* who calls and how, where a proxy has passed it on; else leave it alone.

        The host is no business of theirs: a proxy passes on the one that the client has asked for.
        """
        peer = address_of(request.client) if self.networks else None
        if peer is None or not self.hold(peer):
            return
        request.client = str(self.client(peer, request.header("x-forwarded-for") or ""))
        scheme = (request.header("x-forwarded-proto") or "").rpartition(",")[2].strip().lower()
        if scheme in SCHEMES:
            request.scheme = scheme
        name = request.header("x-request-id") or ""
        request.name = name if NAME.fullmatch(name) else ""

    def client(self, peer: Address, forwarded: str) -> Address:
        """The rightmost address that is no proxy's: what stands left of it anybody can have made up."""
        for word in reversed(words_of(forwarded)):
            address = address_of(word)
            if address is None:
                return peer
            if not self.hold(address):
                return address
            peer = address
        return peer

    def hold(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def is_local(request: Request) -> bool:
    """Whether a program on this machine asks, and not a proxy on it for somebody else."""
    client = address_of(request.client)
    return client is not None and client.is_loopback and not request.headers.keys() & set(PASSED_ON)
