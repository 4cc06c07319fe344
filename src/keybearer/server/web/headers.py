"""The headers of every answer of the site."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # `no-referrer` would leave nothing to check against forgery over https. This policy tells other sites nothing
    # either.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)",
}
TRANSPORT_SECURITY = "max-age=31536000"
NO_STORE = "no-store"


def with_headers(send: Send, scheme: str) -> Send:
    """A `send` that adds the headers to the answer. An answer without caching headers must not be stored."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", NO_STORE)
            if headers["cache-control"] == NO_STORE:
                headers.add_vary_header("Cookie, X-Asked-For")
            if scheme == "https":
                headers.setdefault("strict-transport-security", TRANSPORT_SECURITY)
        await send(message)

    return sending
