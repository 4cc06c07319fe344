"""Sends requests over httpx2, and turns its responses and errors into ours. The asynchronous transport uses it too."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2

from keybearer.client.flow.responses import proxy_wants_login
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Failure, Request, Response
from keybearer.client.http.handshake import explain, naming_issuer, probe
from keybearer.client.http.proxies import proxy_for
from keybearer.client.http.tls import build_context
from keybearer.errors import ConnectionFailed, TimedOut, TLSFailed, Unreachable
from keybearer.secret import Secret

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, whatever the timeout of the response."""

ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, OSError)
"""The errors when sending. In an event loop, a TLS alert after the handshake arrives as a plain ssl.SSLError."""

UNUSABLE_PROXY = (ValueError, ImportError, httpx2.InvalidURL)
"""What httpx2 raises for the address of a proxy that it cannot use."""


class Transport:
    """Sends requests for the synchronous client."""

    def __init__(self, state: ClientState, context: ssl.SSLContext | None = None) -> None:
        """Prepare to connect. Raises TLSFailed for certificate files that cannot be used, Unreachable for proxies.

        Pass an existing `context` to avoid a second prompt for the passphrase of a client certificate.
        """
        self.closed = False
        self._users: list[None] = []  # as a list, since threads and signal handlers change it in single steps
        self._state = state
        self._context = context or context_for(state)
        try:
            self._http = httpx2.Client(**http_options(self._context, state.required_site()))
        except UNUSABLE_PROXY as error:
            unusable = unusable_proxy(error)
        else:
            return
        raise unusable

    def send(self, request: Request) -> Response | Failure:
        """The response, or why there is none."""
        self._users.append(None)
        try:
            if self._http.is_closed:  # another thread has closed it since this one received it
                return Transport(self._state, self._context).send_once(request)
            return read(self._http.send(build(self._http, request)))
        except ERRORS as error:
            failed = failure(error, self._state)
        finally:
            self._users.pop()
            self._close_if_unused()
        look = look_closer(failed, self._state, self._context)
        return look() if look else failed

    def send_once(self, request: Request) -> Response | Failure:
        """As `send`, and close the connection."""
        self.closed = True
        return self.send(request)

    def close(self) -> None:
        """Close the connections, now or after the last request that uses them.

        Closing them during a request would lose its answer, and in a signal handler it would wait for itself.
        """
        self.closed = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self.closed and not self._users:
            self._http.close()


def context_for(state: ClientState) -> ssl.SSLContext:
    """The TLS context. For a plain http site it is an empty one, so that no certificate is read."""
    site = state.required_site()
    if urlsplit(site).scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return build_context(state.tls, site=site)


def http_options(context: ssl.SSLContext, site: str) -> dict[str, Any]:
    """The arguments for httpx2's clients, which send to this site only. Netrc and cookies are never used."""
    proxy = proxy_for(site)
    return {
        "verify": context,
        "trust_env": False,
        "proxy": proxy.url if proxy else None,
        "follow_redirects": False,
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        "headers": {"Accept": "application/json", "Accept-Language": "en"},
    }


def unusable_proxy(error: Exception) -> Unreachable:
    """The error for a proxy variable that httpx2 cannot use. Its value is not shown, since it may contain a login."""
    kind = (
        "of a type that needs the package socksio" if isinstance(error, ImportError) else "not the address of a proxy"
    )
    return Unreachable(
        f"A proxy variable (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) is {kind}",
        hint="Write it like http://proxy.example.com:3128, or unset it; NO_PROXY exempts hosts",
    )


def look_closer(failed: Failure, state: ClientState, context: ssl.SSLContext) -> Callable[[], Failure] | None:
    """A function that finds out more about a TLS failure, or whether a connection was closed at once because of TLS.

    None if there is nothing to find out. Behind a proxy the server cannot be asked directly.
    """
    site = state.site or ""
    error = failed.error
    if isinstance(error, TLSFailed) and error.reason == "unknown_issuer" and proxy_for(site) is None:
        return lambda: Failure(naming_issuer(error, site), failed.sent)
    if state.reached or not site.startswith("https:") or not failed.sent or not isinstance(failed.error, Unreachable):
        return None
    if proxy_for(site) is not None:
        return None

    def look() -> Failure:
        found = probe(site, context, has_client_certificate=bool(state.tls.client_cert))
        return Failure(found, failed.sent) if found else failed

    return look


def build(client: httpx2.Client | httpx2.AsyncClient, request: Request) -> httpx2.Request:
    """The request as an object of httpx2."""
    headers = {"User-Agent": request.user_agent}
    if request.authorization is not None:
        headers["Authorization"] = request.authorization.reveal()
    body: dict[str, Any] = {}
    if request.form is not None:
        pairs = [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in request.form]
        if request.files:
            body["data"] = dict(pairs)
            body["files"] = [
                (f"file{number or ''}", (one.name, one.content)) for number, one in enumerate(request.files)
            ]
        elif pairs:
            body["content"] = urlencode(pairs).encode("ascii")
            headers["Content-Type"] = "application/x-www-form-urlencoded"
    timeout = httpx2.Timeout(request.timeout, connect=min(CONNECT_TIMEOUT, request.timeout))
    return client.build_request(request.method, request.url, headers=headers, timeout=timeout, **body)


def read(response: httpx2.Response) -> Response:
    """The response as one of ours."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, headers, response.content)


def failure(error: Exception, state: ClientState) -> Failure:
    """The failure that an error of httpx2 means.

    Our error does not refer to that of httpx2, which contains the request and so the key.
    """
    site = state.site or ""
    sent = not isinstance(
        error,
        httpx2.ConnectError
        | httpx2.ConnectTimeout
        | httpx2.PoolTimeout
        | httpx2.ProxyError
        | httpx2.UnsupportedProtocol,
    )
    root = _root(error)
    if isinstance(root, ssl.SSLError) and not isinstance(root, ssl.SSLEOFError):
        return Failure(explain(root, site=site, has_client_certificate=bool(state.tls.client_cert)), sent)
    return Failure(_plain(error, root, site), sent)


_EXPLANATIONS: tuple[tuple[type[Exception], type[ConnectionFailed], str, str], ...] = (
    (
        httpx2.ConnectTimeout,
        TimedOut,
        "{site} did not accept the connection in time",
        "Check the address, the network and proxies",
    ),
    (
        httpx2.TimeoutException,
        TimedOut,
        "{site} did not answer in time",
        "Try again, or give the call a longer timeout",
    ),
    (
        httpx2.ProxyError,
        Unreachable,
        "The proxy refused to connect to {site}{why}",
        "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
    ),
    (
        httpx2.ConnectError,
        Unreachable,
        "No connection to {site}{why}",
        "Check that the server is running, and the port",
    ),
    (httpx2.InvalidURL, Unreachable, "{site} is not an address to which a connection is possible", "Correct the site"),
    (
        httpx2.UnsupportedProtocol,
        Unreachable,
        "{site} is not an address to which a connection is possible",
        "Correct the site",
    ),
    (httpx2.DecodingError, Unreachable, "The answer of {site} is garbled", "A proxy in between may be at fault"),
    (
        Exception,
        Unreachable,
        "{site} closed the connection{why}",
        "Try again; if it happens again, check the site{doubt}",
    ),
)
"""The error for each of httpx2's errors. The first match counts."""


def _plain(error: Exception, root: BaseException, site: str) -> ConnectionFailed:
    if isinstance(root, ssl.SSLEOFError):
        return TLSFailed(
            f"{site} closed the connection during the TLS handshake",
            reason="other",
            hint="Check the port, and whether a proxy or firewall is in between",
        )
    proxy = proxy_for(site)
    if proxy is not None and isinstance(error, httpx2.ProxyError) and str(error).startswith("407"):
        return proxy_wants_login()
    if proxy is not None and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        why = ": there is no such host" if isinstance(root, socket.gaierror) else _words(root)
        return Unreachable(
            f"The proxy for {site} cannot be reached{why}",
            hint=f"Check {proxy.variable}; NO_PROXY exempts hosts",
        )
    if isinstance(root, socket.gaierror):
        return Unreachable(f"There is no host {_host(site)!r}", hint="Check the site's spelling and the network")
    kind, text, hint = next((kind, text, hint) for match, kind, text, hint in _EXPLANATIONS if isinstance(error, match))
    doubt = ": the server may want https" if site.startswith("http:") else ""
    return kind(text.format(site=site, why=_words(root)), hint=hint.format(doubt=doubt))


def _root(error: BaseException) -> BaseException:
    """The last error of the system or of OpenSSL in the chain."""
    found = error
    seen = 0
    following: BaseException | None = error
    while following is not None and seen < 16:
        seen += 1
        if isinstance(following, OSError) and (following.errno is not None or isinstance(following, ssl.SSLError)):
            found = following
        following = following.__cause__ or following.__context__
    return found


def _words(root: BaseException) -> str:
    number = root.errno if isinstance(root, OSError) else None
    words = {
        errno.ECONNREFUSED: "no program listens on the port",
        errno.EHOSTUNREACH: "no route to the host",
        errno.ENETUNREACH: "the network is unreachable",
        errno.ECONNRESET: "it was reset",
    }
    return f": {words[number]}" if number in words else ""


def _host(site: str) -> str:
    return urlsplit(site).hostname or site
