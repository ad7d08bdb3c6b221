"""An API server that has the objects that a test gives it."""

import json

import pytest


@pytest.fixture
def asked(connected, discovery):
    """A session on an API server that has the objects given; what it is asked, in order."""

    def start(objects: dict[str, dict] | None = None) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []

        def answer(handler) -> None:
            path = handler.path.partition("?")[0]
            if path in discovery:
                handler.send(discovery[path])
                return
            found.append((handler.command, handler.path))
            item = (objects or {}).get(path)
            if item is None and handler.command == "GET":
                handler.send({"reason": "NotFound", "message": f"no {path}", "code": 404}, 404)
            else:
                handler.send(item or json.loads(handler.body))

        connected(answer)
        return found

    return start
