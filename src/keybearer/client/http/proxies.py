"""The proxy for a site. Only this module decides: calls, their errors and `keybearer doctor` ask it.

Variables are read as other programs read them: HTTPS_PROXY or HTTP_PROXY by the site's scheme, else ALL_PROXY;
the lower-case names go first. NO_PROXY lists exemptions: hosts with all names below them (`corp.example`,
`.corp.example` and `*.corp.example` mean the same), hosts with a port, addresses, networks, or `*`. On Windows and
macOS, the system's settings are used if no variable is set.

A site on this machine never gets a proxy, since the key would leave the machine without need.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from keybearer.zuliprc.hosts import is_loopback

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: the variable that names it, its URL, and its address without a login, for people."""

    variable: str
    url: str = field(repr=False)
    address: str


def proxy_for(site: str) -> Proxy | None:
    """The proxy that calls to this site go through; None if they go to the site directly."""
    parts = urlsplit(site)
    host = parts.hostname or ""
    proxies = _variables() or _of_system(host)
    chosen = next((scheme for scheme in (parts.scheme, "all") if scheme in proxies), None)
    if chosen is None or is_loopback(host) or _is_exempt(parts, proxies.get("no", "")):
        return None
    url = proxies[chosen] if "://" in proxies[chosen] else f"http://{proxies[chosen]}"
    return Proxy(f"{chosen}_proxy".upper(), url, _without_login(url))


def _is_exempt(site: SplitResult, exemptions: str) -> bool:
    host, port = (site.hostname or "").rstrip("."), site.port or _PORTS.get(site.scheme)
    for one in exemptions.replace(",", " ").split():
        if one == "*" or _covers(one, host):
            return True
        try:
            entry = urlsplit(one if "://" in one else f"//{one}")
            name, only = (entry.hostname or "").rstrip("."), entry.port
        except ValueError:  # neither a host nor a host with a port
            continue
        name = name.removeprefix("*").removeprefix(".")
        if name and (host == name or host.endswith(f".{name}")) and only in {None, port}:
            return True
    return False


def _covers(network: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False


def _variables() -> dict[str, str]:
    """The value of each variable that is set and not empty, by what is before `_proxy` in its name."""
    found = {}
    for scheme in ("http", "https", "all", "no"):
        upper = os.environ.get(f"{scheme}_proxy".upper(), "")
        if scheme == "http" and "REQUEST_METHOD" in os.environ:
            upper = ""  # a CGI program: HTTP_PROXY is a header of the request
        found[scheme] = os.environ.get(f"{scheme}_proxy", upper)
    return {scheme: value for scheme, value in found.items() if value}


def _of_system(host: str) -> dict[str, str]:
    """The proxies of Windows' or macOS's settings, unless these exempt the host."""
    if sys.platform not in {"win32", "darwin"}:
        return {}
    import urllib.request  # noqa: PLC0415 - loads slowly

    return {} if urllib.request.proxy_bypass(host) else urllib.request.getproxies()


def _without_login(url: str) -> str:
    try:
        shown = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        shown = ""
    return shown or "of no address"
