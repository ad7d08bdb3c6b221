"""epoll, or poll with epoll's face where there is none (macOS)."""

from __future__ import annotations

import select

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from socket import socket as Socket

READ = getattr(select, "EPOLLIN", select.POLLIN)
WRITE = READ | getattr(select, "EPOLLOUT", select.POLLOUT)


class Poll:
    """`select.poll` with what the engine uses of `select.epoll`."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._sockets: dict[int, Socket] = {}
        self.modify = self._poll.modify

    def register(self, socket: Socket, events: int) -> None:
        """Watch a socket until it is closed."""
        self._sockets[socket.fileno()] = socket
        self._poll.register(socket, events)

    def poll(self, timeout_s: float, most: int) -> list[tuple[int, int]]:
        """(descriptor, events) of at most `most` sockets."""
        for descriptor, socket in list(self._sockets.items()):
            if socket.fileno() < 0:  # epoll forgets closed sockets by itself
                del self._sockets[descriptor]
                self._poll.unregister(descriptor)
        return self._poll.poll(timeout_s * 1000)[:most]

    def close(self) -> None:
        """Nothing is held open."""


def poller() -> select.epoll | Poll:
    """The best this system has."""
    return select.epoll() if hasattr(select, "epoll") else Poll()
