"""Cookies: Zulip's names for them, and the header that sets one."""

from __future__ import annotations

SESSION_COOKIE = "sessionid"


def cookie_name(name: str, scheme: str) -> str:
    """Zulip's cookie names. Over https they have the prefix that makes browsers tie them to the host."""
    return f"__Host-{name}" if scheme == "https" else name


def cookie_header(name: str, value: str, scheme: str, *, max_age: int) -> bytes:
    """A Set-Cookie header for a cookie that scripts cannot read and that requests from other sites do not carry."""
    secure = "; Secure" if scheme == "https" else ""
    quoted = value or '""'
    text = f"{cookie_name(name, scheme)}={quoted}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{secure}"
    return text.encode("ascii")
