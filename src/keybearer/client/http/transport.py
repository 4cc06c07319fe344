"""Sends requests over httpcore2, and turns its errors into ours. The asynchronous transport uses it too."""

from __future__ import annotations

import errno
import importlib
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore2

from keybearer.client.flow.responses import proxy_wants_login
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Failure, Request, Response
from keybearer.client.http.encoding import Body, Garbled, UnusableAddress, decoded, encoded, host_in_ascii
from keybearer.client.http.handshake import explain, naming_issuer, probe
from keybearer.client.http.proxies import proxy_for
from keybearer.client.http.tls import build_context
from keybearer.errors import ConnectionFailed, TimedOut, TLSFailed, Unreachable

ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
    OSError,
    UnusableAddress,
    Garbled,
)
"""The errors when sending. In an event loop, a TLS alert after the handshake arrives as a plain ssl.SSLError."""

UNUSABLE_PROXY = (ValueError, ImportError)
"""What `pool_options` raises for the address of a proxy that cannot be used."""


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
            self._pool = httpcore2.ConnectionPool(**pool_options(self._context, state.required_site()))
        except UNUSABLE_PROXY as error:
            unusable = unusable_proxy(error)
        else:
            return
        raise unusable

    def send(self, request: Request) -> Response | Failure:
        """The response, or why there is none."""
        self._users.append(None)
        try:
            with self._pool.stream(**encoded(request)) as response:
                body = Body()
                for part in response.iter_stream():
                    body.add(part)
                return decoded(response, body.whole())
        except ERRORS as error:
            failed = failure(error, self._state)
        except BaseException as error:  # noqa: BLE001 - such as Ctrl-C; the frames of httpcore2 have the key
            raise error.with_traceback(None) from None
        finally:
            self._users.pop()
            self._close_if_unused()
        look = look_closer(failed, self._state, self._context)
        return look() if look else failed

    def close(self) -> None:
        """Close the connections, now or after the last request that uses them.

        Closing them during a request would lose its answer, and in a signal handler it would wait for itself.
        """
        self.closed = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self.closed and not self._users:
            self._pool.close()  # if another thread sends a request just now, that opens a connection and closes it


def context_for(state: ClientState) -> ssl.SSLContext:
    """The TLS context. For a plain http site it is an empty one, so that no certificate is read."""
    site = state.required_site()
    if urlsplit(site).scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return build_context(state.tls, site=site)


def pool_options(context: ssl.SSLContext, site: str) -> dict[str, Any]:
    """The arguments for httpcore2's connection pools. Raises ValueError or ImportError for an unusable proxy."""
    return {
        "ssl_context": context,
        "proxy": _proxy_of(site),
        "max_connections": 100,
        "max_keepalive_connections": 20,
        "keepalive_expiry": 5.0,
    }


def _proxy_of(site: str) -> httpcore2.Proxy | None:
    found = proxy_for(site)
    if found is None:
        return None
    parts = urlsplit(found.url)
    host = host_in_ascii(parts.hostname or "")
    if parts.scheme not in {"http", "https", "socks5", "socks5h"} or not host:
        raise ValueError("not the address of a proxy")
    host.encode("idna")  # raises UnicodeError for labels that are empty or too long, as looking up the host would
    if parts.scheme.startswith("socks"):
        importlib.import_module("socksio")  # an optional package, which httpcore2 loads only when it connects
        logging.getLogger("httpcore2.socks").setLevel(logging.INFO)  # at DEBUG, its log has the login
    login = (unquote(parts.username or "").encode(), unquote(parts.password or "").encode())
    return httpcore2.Proxy(
        httpcore2.URL(scheme=parts.scheme, host=host, port=parts.port, target="/"),
        auth=login if any(login) else None,
    )


def unusable_proxy(error: Exception) -> Unreachable:
    """The error for a proxy variable that cannot be used. Its value is not shown, since it may contain a login."""
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


def failure(error: Exception, state: ClientState) -> Failure:
    """The failure that one of ERRORS means.

    Our error does not refer to the other one, whose frames have the request and so the key.
    """
    site = state.site or ""
    sent = not isinstance(
        error,
        httpcore2.ConnectError
        | httpcore2.ConnectTimeout
        | httpcore2.PoolTimeout
        | httpcore2.ProxyError
        | httpcore2.UnsupportedProtocol
        | UnusableAddress,
    )
    root = _root(error)
    if isinstance(root, ssl.SSLError) and not isinstance(root, ssl.SSLEOFError):
        return Failure(explain(root, site=site, has_client_certificate=bool(state.tls.client_cert)), sent)
    return Failure(_plain(error, root, site), sent)


_EXPLANATIONS: tuple[tuple[type[Exception], type[ConnectionFailed], str, str], ...] = (
    (
        httpcore2.ConnectTimeout,
        TimedOut,
        "{site} did not accept the connection in time",
        "Check the address, the network and proxies",
    ),
    (
        httpcore2.TimeoutException,
        TimedOut,
        "{site} did not answer in time",
        "Try again, or give the call a longer timeout",
    ),
    (
        httpcore2.ProxyError,
        Unreachable,
        "The proxy refused to connect to {site}{why}",
        "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
    ),
    (
        httpcore2.ConnectError,
        Unreachable,
        "No connection to {site}{why}",
        "Check that the server is running, and the port",
    ),
    (UnusableAddress, Unreachable, "{site} is not an address to which a connection is possible", "Correct the site"),
    (
        httpcore2.UnsupportedProtocol,
        Unreachable,
        "{site} is not an address to which a connection is possible",
        "Correct the site",
    ),
    (Garbled, Unreachable, "The answer of {site} is garbled", "A proxy in between may be at fault"),
    (
        Exception,
        Unreachable,
        "{site} closed the connection{why}",
        "Try again; if it happens again, check the site{doubt}",
    ),
)
"""The error for each of ERRORS. The first match counts."""


def _plain(error: Exception, root: BaseException, site: str) -> ConnectionFailed:
    if isinstance(root, ssl.SSLEOFError):
        return TLSFailed(
            f"{site} closed the connection during the TLS handshake",
            reason="other",
            hint="Check the port, and whether a proxy or firewall is in between",
        )
    proxy = proxy_for(site)
    if proxy is not None and isinstance(error, httpcore2.ProxyError) and str(error).startswith("407"):
        return proxy_wants_login()
    if proxy is not None and isinstance(error, httpcore2.ConnectError | httpcore2.ConnectTimeout):
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
