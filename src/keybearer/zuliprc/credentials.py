"""The content of a zuliprc as frozen values, and the normal form of a site."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from keybearer.errors import ResolutionError
from keybearer.masking import masked_repr
from keybearer.secret import Secret
from keybearer.zuliprc.hosts import is_loopback

SITE_HINT = "A site looks like https://chat.example.com"

_LONGEST_SITE = 2000
_NEVER_IN_A_SITE = re.compile(r"[\x00-\x20\x7f-\x9f\s\\<>\"]")
_LABEL = r"\w(?:[\w-]{0,61}\w)?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?\Z")
_LONE_SCHEME = re.compile(r"https?:(?![0-9])", re.IGNORECASE)


@masked_repr
@dataclass(frozen=True, slots=True)
class TLSOptions:
    """Options for TLS. Paths are absolute. Resolving has checked that the files exist, but not their content."""

    client_cert: str | None = None
    client_cert_key: str | None = None
    cert_bundle: str | None = None
    insecure: bool = False


@masked_repr
@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's credentials.

    `site` is normalised (`https://chat.example.com`, no trailing slash, no `/api`) or None if none is set.
    `token` is the service token of an outgoing webhook bot, None for other accounts. A key or token that is passed as
    plain text becomes a Secret, so that no repr shows it.

    Raises ResolutionError of kind `usage` for a key or token that is neither text nor a Secret.
    """

    email: str
    api_key: Secret
    site: str | None = None
    token: Secret | None = None
    tls: TLSOptions = field(default_factory=TLSOptions)

    def __post_init__(self) -> None:
        for name in ("api_key", "token"):
            value: object = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, Secret(value))
            elif not isinstance(value, Secret) and not (value is None and name == "token"):
                kind = type(value).__name__
                object.__setattr__(self, name, Secret(""))  # the frames of the error refer to this object
                raise ResolutionError("usage", f"{name} must be text or a Secret, not {kind}", hint="Pass it as a str")


def normalise_site(text: str) -> str:
    """The normal form: scheme and host in lower case, sub-path kept, no trailing slash, no `/api`, no `/api/v1`.

    A missing scheme becomes http if the host is this machine (`is_loopback`), else https. Normalising twice gives the
    same result. Raises ResolutionError of kind `bad_url`, without the text.
    """
    text = text.strip()
    if not text:
        raise _bad_url("The site is empty")
    if len(text) > _LONGEST_SITE or _NEVER_IN_A_SITE.search(text):
        raise _bad_url("The site has a space or another character that an address cannot have, or is far too long")
    if "?" in text or "#" in text:
        raise _bad_url("The site has a query or a fragment")
    if "://" not in text:
        if text.startswith("/") or _LONE_SCHEME.match(text):
            raise _bad_url("The site is only part of an address")
        text = f"//{text}"
    split = _split(text)
    if split is None:
        raise _bad_url("The site is not an address")
    parts, port = split
    if parts.scheme not in {"", "http", "https"}:
        raise _bad_url("The site's scheme is neither https nor http")
    if "@" in parts.netloc:
        raise _bad_url("The site has a user name or password in it")
    host = parts.hostname or ""
    if not _is_host(host, bracketed="[" in parts.netloc) or port == 0 or parts.netloc.endswith(":"):
        raise _bad_url("The site has no host, or an invalid host or port")
    scheme = parts.scheme or ("http" if is_loopback(host) else "https")
    address = f"[{host}]" if "[" in parts.netloc else host
    return f"{scheme}://{address}{'' if port is None else f':{port}'}{_without_api(parts.path)}"


def is_plain_http(site: str) -> bool:
    """Whether calls to this normalised site would send the key unencrypted over a network."""
    return site.startswith("http://") and not is_loopback(urlsplit(site).hostname or "")


def same_site(one: str, other: str) -> bool:
    """Whether two normalised sites are the same. A default port makes no difference."""
    return one == other or _with_port(one) == _with_port(other)


def _with_port(site: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(site)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme), parts.path


def _split(text: str) -> tuple[SplitResult, int | None] | None:
    """The parts and the port; None if they are invalid. The error would contain the text, so it is not passed on."""
    try:
        parts = urlsplit(text)
        return parts, parts.port
    except ValueError:
        return None


def _is_host(host: str, *, bracketed: bool) -> bool:
    if not bracketed:
        return _HOST_NAME.match(host) is not None
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _without_api(path: str) -> str:
    """Cut repeatedly until nothing changes, so that normalising twice gives the same result."""
    while True:
        shorter = path.rstrip("/").removesuffix("/api").removesuffix("/api/v1")
        if shorter == path:
            return path
        path = shorter


def _bad_url(message: str) -> ResolutionError:
    return ResolutionError("bad_url", message, hint=SITE_HINT)
