"""What a status other than success means: the error of an API server's answer."""

from __future__ import annotations

import json
import re

from labkit.errors import AlreadyExists, ApiSilent, Conflict, Expired, LabError, NotFound, Refused

# 503 and 429 say that nothing was done; behind the others something may have been
_OUTAGES = {429, 502, 503, 504}
_NOTHING_DONE = {429, 503}
_STORE = re.compile(r"etcdserver: |rpc error: code = Unavailable")  # etcd's words, and gRPC's


def read(data: bytes) -> dict:
    """The Status object in an answer, or one with its text."""
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": data.decode(errors="replace")[:200]}


def error(
    status: dict, path: str, code: int = 0, *, writes: bool = False, retry_after: str = ""
) -> LabError:
    """The error of a Status object; `writes` is whether the request was to change something.

    >>> print(error({"reason": "NotFound", "message": 'pods "x" not found'}, "/api"))
    NotFound: it is not there
    saw: pods "x" not found
    try: lab.get("pods") shows what is
    """
    code = status.get("code", code)
    reason = status.get("reason", "")
    # "error": a server behind the proxy path, in its own words
    message = status.get("message") or status.get("error") or f"HTTP {code} at {path}"
    if reason == "NotFound" or code == 404:
        return NotFound("it is not there", message, 'lab.get("pods") shows what is')
    if reason == "AlreadyExists":
        return AlreadyExists(
            "it is there already", message, "delete it first, or take another name"
        )
    if is_outage(status, code):
        return ApiSilent(
            "the API server cannot answer now",
            message,
            "once more; ./lab status",
            maybe_done=writes and code not in _NOTHING_DONE,
            of_service=code >= 502 and re.search(r"\bservice\b", message) is not None,
            retry_after_s=float(retry_after) if retry_after.isdecimal() else 0.0,
        )
    happened = f"the API server rejected the request ({reason or code})"
    if code == 409:
        hint = "look at the object as it is now, then once more"
        if message.startswith("Apply failed with"):  # the same again fails again
            one = "/".join(path.partition("?")[0].split("/")[-2:])
            hint = (
                f'lab.delete("{one}"), then run this cell again; or keep the value that the'
                " quoted program has set"
            )
        return Conflict(happened, message, hint, status=code, reason=reason)
    if code == 410:
        return Expired(happened, message, "list, then watch", status=code, reason=reason)
    hints = {
        401: "./lab up writes a new kubeconfig",
        403: "the second line names the rule: a quota, Pod Security, or your rights",
    }
    hint = hints.get(code, "fix what the second line names")
    if "RFC 1123" in message or "RFC 1035" in message:
        hint = 'a name such as "mine-2": lower-case letters, digits and -'
    return Refused(happened, message, hint, status=code, reason=reason)


def is_outage(status: dict, code: int) -> bool:
    """Will the same request do, later? A plain 500 is an answer: a misspelt field, for one.

    >>> is_outage({}, 503), is_outage({}, 500), is_outage({"reason": "ServerTimeout"}, 500)
    (True, False, True)
    >>> is_outage({"message": "etcdserver: leader changed"}, 500)
    True
    """
    if code != 500:
        return code in _OUTAGES
    is_stores = _STORE.match(str(status.get("message", ""))) is not None
    return is_stores or status.get("reason") in ("ServerTimeout", "Timeout")
