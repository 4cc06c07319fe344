"""The target of a redirect, and whether to follow it. Pure.

A redirected POST would become a GET and the change would be lost. A redirect to another site would send the key there.
So only GET and HEAD are followed, and only within the site.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

from keybearer.client.flow.steps import Request, Response
from keybearer.client.operations.parameters import PREFIX
from keybearer.errors import Redirected
from keybearer.zuliprc.credentials import is_plain_http

STATUSES = frozenset({301, 302, 303, 307, 308})
MOST = 5
"""The number of redirects in a row that are followed."""

_PORTS = {"http": 80, "https": 443}


def target(request: Request, response: Response, site: str, followed: int) -> str:
    """The URL to request next. Raises Redirected if the redirect must not be followed."""
    location = response.headers.get("location", "")
    try:
        there = urlsplit(urljoin(request.url, location))
        same = origin(there) == origin(urlsplit(site)) and there.username is None
    except ValueError:
        raise Redirected(f"{site} redirects to an invalid address", location="", hint="Check the site") from None
    if there.scheme not in _PORTS or not there.hostname:
        raise Redirected(f"{site} redirects to something other than a web address", location="", hint="Check the site")
    shown = f"{there.scheme}://{_host(there)}{there.path}"
    if not location or not same:
        suggestion = _site_of(there, request.url)
        raise Redirected(
            f"{site} redirects to {shown}",
            location=shown,
            hint=f"If that is your organization's server, change site to {suggestion}. {_what_was_sent(request, site)}",
        )
    if request.method not in {"GET", "HEAD"}:
        raise Redirected(
            f"{site} redirects {request.method} to {shown}",
            location=shown,
            hint="A call that changes something is not repeated elsewhere: it could be lost or made twice. If that "
            f"is the right address, change site to {_site_of(there, request.url)}. {_what_was_sent(request, site)}",
        )
    if followed >= MOST:
        raise Redirected(f"{site} redirects in a loop", location=shown, hint="Its operator has to fix that")
    return urldefrag(there.geturl()).url


def _what_was_sent(request: Request, site: str) -> str:
    if request.authorization is not None and is_plain_http(site):
        return (
            "Nothing was sent there, but the API key was just sent unencrypted over the network: "
            "regenerate it when the site is right"
        )
    return "Nothing was sent there"


def origin(url: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port, with the default port filled in."""
    return (url.scheme, (url.hostname or "").lower(), url.port or _PORTS.get(url.scheme))


def _host(url: SplitResult) -> str:
    """The host and port, without a user name before them."""
    return url.netloc.rpartition("@")[2]


def _site_of(there: SplitResult, asked: str) -> str:
    """The site that leads directly to the target of the redirect."""
    endpoint = PREFIX + urlsplit(asked).path.partition(PREFIX)[2]
    path = there.path.rstrip("/")
    prefix = path.removesuffix(endpoint.rstrip("/")) if path.endswith(endpoint.rstrip("/")) else ""
    return f"{there.scheme}://{_host(there)}{prefix}"
