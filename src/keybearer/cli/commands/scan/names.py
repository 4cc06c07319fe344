"""Decides from the name before a value what the value is. Pure."""

from __future__ import annotations

import re
from enum import Enum


class Name(Enum):
    """How specific the name before a value is."""

    ZULIP = "an API key of Zulip, such as ZULIP_API_KEY or zulipBotToken"
    API_KEY = "an API key of anything, such as api_key or botKey"
    KEY = "some secret, such as key, token or password"
    PRODUCT = "the key of a named product, such as STRIPE_KEY"
    OTHER = "something else, such as cache_key or sha256"


_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
_SPACED = re.compile(r"\b(api|bot|zulip)[ ](key|token)\b", re.IGNORECASE)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = re.compile(r"(.*?)(key|token|secret|password|passwd|passphrase|pass|pwd|pw|auth|credentials?)s?\Z")
_ASSIGNED = re.compile(r"[\"'`\])]{0,3}\s{0,4}(?:=>|:=|[=:])")

_ENDINGS = frozenset({"prod", "production", "dev", "test", "testing", "staging", "main", "old", "new", "default"})
_FILLERS = frozenset(
    {"a", "actually", "add", "argument", "as", "b", "base64", "body", "char", "const", "content", "data", "decode",
     "default", "description", "else", "encode", "encoding", "end", "env", "environ", "environment", "equal",
     "export", "f", "field", "final", "for", "from", "get", "getenv", "gx", "here", "in", "is", "it", "l", "let",
     "literal", "lower", "mut", "my", "name", "new", "null", "of", "option", "optional", "or", "os", "our",
     "overwrite", "param", "plain", "plaintext", "process", "property", "public", "quote", "r", "raw", "readonly",
     "required", "s", "secret", "sensitive", "set", "static", "str", "string", "system", "tag", "text", "that",
     "the", "this", "to", "true", "type", "u", "utf", "val", "value", "values", "var", "variable", "was", "with",
     "x", "your"}
)  # fmt: skip
_GENERIC = frozenset(
    {"access", "account", "admin", "alert", "alerts", "api", "args", "auth", "basic", "body", "bot", "bots", "cfg",
     "chat", "client", "conf", "config", "credential", "credentials", "data", "default", "dev", "env", "environ",
     "hook", "http", "integration", "key", "login", "main", "my", "new", "notification", "notifier", "notify",
     "old", "options", "opts", "param", "params", "pass", "password", "process", "prod", "realm", "robot", "secret",
     "secrets", "self", "sender", "server", "service", "settings", "site", "spec", "stream", "test", "testing",
     "the", "this", "token", "user", "username", "users", "value", "webhook", "x", "your"}
)  # fmt: skip
_NOT_OF_AN_API = frozenset(
    {"aes", "cache", "camo", "captcha", "cert", "certificate", "cookie", "csrf", "dedup", "dict", "encrypt",
     "encryption", "etag", "event", "foreign", "gpg", "group", "hash", "hmac", "host", "idempotency", "index",
     "jwt", "license", "lock", "lookup", "map", "memcache", "memcached", "message", "object", "partition", "pgp",
     "primary", "private", "pubkey", "public", "query", "queue", "recaptcha", "redis", "row", "rsa", "salt",
     "session", "shared", "sign", "signing", "sort", "ssh", "ssl", "storage", "tls", "topic", "translation"}
)  # fmt: skip


def name_before(text: str) -> Name | None:
    """The name of the value that begins where `text` ends. None if there is no name near it."""
    text = _SPACED.sub(r"\1_\2", text)
    unknown = 0
    for match in reversed(list(_IDENTIFIER.finditer(text))):
        parts = [part.lower() for part in _PART.findall(match[0])]
        while len(parts) > 1 and parts[-1] in _ENDINGS:
            parts.pop()
        if secret := _SECRET.match(parts[-1]):
            return _meaning(match[0].lower(), [*parts[:-1], secret[1]] if secret[1] else parts[:-1])
        called_or_tag = text.startswith("(", match.end()) or text[: match.start()].endswith(("<", "</"))
        if called_or_tag or _FILLERS.issuperset(parts):
            continue
        if _ASSIGNED.match(text, match.end()) or unknown:
            return Name.OTHER if _ASSIGNED.match(text, match.end()) else None
        unknown += 1
    return None


def _meaning(name: str, qualifiers: list[str]) -> Name:
    if _NOT_OF_AN_API.intersection(qualifiers):
        return Name.OTHER
    if "zulip" in name or "humbug" in name:
        return Name.ZULIP
    if any(part not in _GENERIC and "api" not in part and "bot" not in part for part in qualifiers):
        return Name.PRODUCT
    return Name.API_KEY if any("api" in part or "bot" in part for part in qualifiers) else Name.KEY
