"""What a cell leaves to be seen, from its messages."""

from __future__ import annotations

OUTPUTS = {"stream", "display_data", "execute_result", "error"}


class Folded:
    """Messages as a front end leaves them: outputs cleared, displays updated, streams joined."""

    def __init__(self) -> None:
        self.messages: list[dict] = []
        self._clears_next = False

    def add(self, message: dict) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self._clears_next = bool(content.get("wait"))
            if not self._clears_next:
                self._clear()
        elif kind == "update_display_data":
            self._update(content)
        else:
            if kind in OUTPUTS and self._clears_next:
                self._clear()
                self._clears_next = False
            if not self._joined(message):
                self.messages.append(message)

    def _clear(self) -> None:
        self.messages = [m for m in self.messages if m["msg_type"] not in OUTPUTS]

    def _update(self, content: dict) -> None:
        wanted = content.get("transient", {}).get("display_id")
        for message in self.messages:
            transient = message["content"].get("transient") or {}
            if wanted and transient.get("display_id") == wanted:
                message["content"].update(data=content["data"], metadata=content["metadata"])

    def _joined(self, message: dict) -> bool:
        last = self.messages[-1] if self.messages else {}
        same = message["msg_type"] == last.get("msg_type") == "stream"
        if not same or message["content"]["name"] != last["content"]["name"]:
            return False
        last["content"]["text"] += message["content"]["text"]
        return True
