"""The one HTTP client (httpx): for programs on this machine, and for the world outside.

httpx takes a tenth of a second to import, and every `./lab` reads this file: hence the imports
inside the functions.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

HERE = ("127.0.0.1", "::1", "localhost")


def load() -> None:
    """Import httpx: beside something that is waited for, or before a clock runs."""
    import httpx

    httpx.HTTPTransport(verify=False).close()  # brings the rest


def client(timeout_s: float) -> httpx.Client:
    """Follow redirects; each connect, and each wait for more, takes at most `timeout_s` seconds.

    Uses HTTP_PROXY and HTTPS_PROXY where NO_PROXY does not say otherwise, to this machine
    never. Trusts whom the machine trusts: a company's own authority too.
    """
    import httpx

    return httpx.Client(
        transport=_transport(),
        timeout=timeout_s,
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},  # a checksum is one of what is sent
    )


def status(
    url: str, *, method: str = "GET", headers: dict[str, str] | None = None, timeout_s: float = 5
) -> int:
    """The HTTP status that is answered there; 0 when nothing is, or no HTTP."""
    import httpx

    try:
        with client(timeout_s) as web, web.stream(method, url, headers=headers) as answer:
            return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return 0


def _transport() -> httpx.BaseTransport:
    from urllib.request import getproxies, proxy_bypass

    import httpx

    class Transport(httpx.BaseTransport):
        """The environment's proxies as Python and curl read them, redirect by redirect.

        httpx reads ALL_PROXY too, and gives up when that names a SOCKS proxy.
        """

        def __init__(self) -> None:
            self._ways: dict[tuple[str, str], httpx.HTTPTransport] = {}

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            scheme, url = request.url.scheme, request.url
            is_direct = url.host in HERE or proxy_bypass(url.netloc.decode())
            proxy = "" if is_direct else getproxies().get(scheme, "")
            if (scheme, proxy) not in self._ways:
                self._ways[scheme, proxy] = self._way(scheme, proxy)
            return self._ways[scheme, proxy].handle_request(request)

        def _way(self, scheme: str, proxy: str) -> httpx.HTTPTransport:
            # without TLS nobody is to be trusted, and to read whom takes its time
            trusted = ssl.create_default_context() if scheme == "https" else False
            url = proxy if "://" in proxy else f"http://{proxy}"
            try:
                return httpx.HTTPTransport(verify=trusted, proxy=url if proxy else None)
            except (ValueError, ImportError) as error:  # of a kind that httpx does not know
                raise httpx.ProxyError(str(error)) from None

        def close(self) -> None:
            for way in self._ways.values():
                way.close()

    return Transport()
