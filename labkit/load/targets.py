"""Which address a connection uses: one per Pod, or what DNS returns, queried again while we run."""

from __future__ import annotations

import _thread
import socket
import time
from functools import lru_cache
from math import ceil

from labkit.load.errors import LoadError
from labkit.load.plan import Plan
from labkit.load.request import split

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

    Address = tuple[int, tuple[Any, ...]]  # family, sockaddr

ASK_AGAIN_S = 5.0
PROBE_S = 1.0


def resolve(host: str, port: int) -> list[Address]:
    """(family, sockaddr) of every address; raises LoadError."""
    try:
        name = host.encode() if host.isascii() else host  # text would load encodings.idna, 2 ms
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        saw = f"{host}: {getattr(error, 'strerror', None) or error}"
        raise LoadError("the target's name has no address", saw, "look at the URL's host") from None
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def is_loopback(address: Address) -> bool:
    """Does (family, sockaddr) stay on this machine?"""
    host: str = address[1][0].removeprefix("::ffff:")
    return host == "::1" or host.startswith("127.")


@lru_cache(maxsize=256)  # it is the name under which each answer is counted
def place(address: Address) -> str:
    """An address as `--address` takes it.

    >>> place((socket.AF_INET6, ("::1", 11434, 0, 0)))
    '[::1]:11434'
    """
    host, port = address[1][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Targets:
    """The addresses of a plan, used evenly; a name is resolved again every few seconds."""

    def __init__(self, plan: Plan) -> None:
        self.host, self.port, _ = split(plan.url)
        if plan.addresses:
            parts = [split("http://" + text) for text in plan.addresses]
            self.addresses = [resolve(host, port)[0] for host, port, _ in parts]
        else:
            self.addresses = _one_family(resolve(self.host, self.port))
        literal = self.host.replace(".", "").isdecimal() or ":" in self.host
        self.fixed = bool(plan.addresses) or literal
        self.family = self.addresses[0][0]
        self.used = dict.fromkeys(self.addresses, 0)
        self.turn = plan.worker * plan.clients  # else all workers would begin at the same one
        self.asked_at = time.monotonic()
        self.changed = False  # did the name's addresses change since the start?

    def guard(self, owned: bool) -> None:
        """Refuse what is neither loopback nor owned; raises LoadError."""
        strange = [address[1][0] for address in self.addresses if not is_loopback(address)]
        if strange and not owned:
            raise LoadError(
                "load is sent only to this machine, or to a target that you own",
                f"{self.host} is {strange[0]}",
                "the same with --i-own-this-target, if it is",
            )

    def take(self) -> Address:
        """The next address in turn, for a new connection: a dead one gets its share, no more."""
        address = self.addresses[self.turn % len(self.addresses)]
        self.turn += 1
        self.used[address] = self.used.get(address, 0) + 1
        return address

    def release(self, address: Address) -> None:
        """A connection to it was closed."""
        self.used[address] -= 1

    def leave(self, address: Address) -> bool:
        """Should a connection move: is its address gone, or has it more than its share?"""
        if address not in self.addresses:
            return True
        share = ceil(sum(self.used.values()) / len(self.addresses))
        return self.used[address] > share

    def ask_again(self) -> None:
        """Resolve the name again, now and then, beside the run: a resolver can take seconds."""
        if not self.fixed and time.monotonic() - self.asked_at > ASK_AGAIN_S:
            self.asked_at = time.monotonic()
            _thread.start_new_thread(self._resolve, ())

    def _resolve(self) -> None:
        try:
            found = resolve(self.host, self.port)
        except LoadError:
            return  # a resolver that is silent for a moment: the known addresses stay
        found = [address for address in found if address[0] == self.family]
        if found and set(found) != set(self.addresses):
            self.addresses, self.changed = found, True


def _one_family(addresses: list[Address]) -> list[Address]:
    """Addresses of the first family that answers: `localhost` is ::1 too without a listener."""
    families = list(dict.fromkeys(family for family, _ in addresses))
    chosen = families[0]
    for family in families if len(families) > 1 else ():
        first = next(address for kind, address in addresses if kind == family)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_S)
            if probe.connect_ex(first) == 0:
                chosen = family
                break
    return [address for address in addresses if address[0] == chosen]
