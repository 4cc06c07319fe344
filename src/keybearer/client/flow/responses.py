"""Turns a response into the answer, or into a typed error that says what to do next. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from keybearer.client.flow.steps import Response
from keybearer.errors import (
    AccountDeactivated,
    APIError,
    AuthenticationRefused,
    ClientError,
    EventQueueLost,
    InvalidAPIKey,
    MalformedAPIKey,
    NotAZulipServer,
    OrganizationDeactivated,
    PasswordRefused,
    RateLimited,
    ServerFailed,
    TLSFailed,
    Unreachable,
    WrongSite,
)
from keybearer.masking import masked_json
from keybearer.secret import Secret
from keybearer.wording import counted

DEFAULT_WAIT = 5.0
"""Seconds to wait if a server limits calls without saying for how long."""

LONGEST_WAIT = 86_400.0
"""The most seconds that a server may ask to wait. Zulip's longest window is a day; anything above is a fault."""


class CallContext(NamedTuple):
    """Facts about a call for the text of an error. `secrets` never appear there, even if the server repeats them."""

    method: str
    path: str
    site: str
    email: str = ""
    secrets: tuple[Secret, ...] = ()


def judge(response: Response, context: CallContext) -> Mapping[str, Any] | ClientError:
    """The JSON of the response, or the error that it means, for the caller to raise."""
    if context.method in {"HEAD", "OPTIONS"} and response.status < 400:
        return {}
    answer = _json_object(response.body)
    if answer is None or "result" not in answer:
        return _not_from_zulip(response, context)
    if response.status < 400 and answer["result"] != "error":
        return answer
    if answer["result"] != "error":
        return _not_from_zulip(response, context)
    return _error_of(response, masked_json(answer, [one.reveal() for one in context.secrets]), context)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


AuthenticationError = type[AuthenticationRefused]

_BY_CODE: dict[str, AuthenticationError] = {
    "AUTHENTICATION_FAILED": PasswordRefused,
    "PASSWORD_AUTH_DISABLED": PasswordRefused,
    "PASSWORD_RESET_REQUIRED": PasswordRefused,
    "USER_DEACTIVATED": AccountDeactivated,
    "REALM_DEACTIVATED": OrganizationDeactivated,
    "NONEXISTENT_SUBDOMAIN": WrongSite,
    "INVALID_API_KEY": InvalidAPIKey,
}
_BY_MESSAGE: dict[str, AuthenticationError] = {
    "Malformed API key": MalformedAPIKey,
    "Invalid API key": InvalidAPIKey,
    "Account is deactivated": AccountDeactivated,
    "This organization has been deactivated": OrganizationDeactivated,
    "Account is not associated with this subdomain": WrongSite,
    "Invalid subdomain": WrongSite,
}
"""With HTTP Basic, Zulip sends the code UNAUTHORIZED for all of these: only the text distinguishes them."""

_HINTS: dict[str, str] = {
    "AUTHENTICATION_FAILED": "Check the email and the password; without a password, sign in another way and get the "
    "API key in the settings, under Account & privacy",
    "PASSWORD_AUTH_DISABLED": "Get the API key in the settings, under Account & privacy, and use it",
    "PASSWORD_RESET_REQUIRED": "Set a new password on the site first",
    "BAD_EVENT_QUEUE_ID": "Register a new queue",
    "REQUEST_VARIABLE_MISSING": "Pass it by name",
    "INSUFFICIENT_SCOPE": "Use a key that has the scope: `keybearer key add --scope` creates one, with the account key",
    "NETWORK_NOT_ALLOWED": "Use it from its networks, or create another key",
    "BEYOND_OWN_GRANT": "Use the account key, or a key that has at least the same rights",
}
_NARROW_HINT = "Older servers accept narrows of event queues only as pairs of texts, without negation"
_HINT_OF: dict[AuthenticationError, str] = {
    InvalidAPIKey: "A newer key may have replaced it, or email, key and site may not belong together: get the zuliprc "
    "again from the settings, or with `keybearer login`",
    MalformedAPIKey: "A key is 32 letters and digits: copy it again, whole",
    AccountDeactivated: "A bot's owner can reactivate it with `keybearer bot reactivate`; for a person, ask an "
    "administrator of the organization",
    OrganizationDeactivated: "An owner of the organization can reactivate it",
    WrongSite: "Check the site: each organization of a server has an address of its own",
}


def _error_of(response: Response, answer: Mapping[str, Any], context: CallContext) -> ClientError:
    text = str(answer.get("msg", "")).strip().rstrip(".") or f"The server answered with status {response.status}"
    code = str(answer.get("code", ""))
    status = response.status
    refused = _BY_MESSAGE.get(str(answer.get("refusal", "")))
    if refused is None and (status == 429 or code == "RATE_LIMIT_HIT"):
        wait = retry_after(response, answer)
        return RateLimited(
            f"{text} ({context.site})",
            retry_after=wait,
            answer=answer,
            hint=f"Try again in {counted(math.ceil(wait), 'second')}",
        )
    # After too many refused keys from one address, Keybearer's server reports the limit and the refusal. Waiting does
    # not fix a bad key, and a good one is never limited.
    refusal = refused or _BY_MESSAGE.get(text) or _BY_CODE.get(code)
    if refusal is not None or status == 401:
        kind = refusal or AuthenticationRefused
        who = f" for {context.email}" if context.email else ""
        hint = _HINTS.get(code) or _HINT_OF.get(kind) or _hint_for_other_refusals(text)
        return kind(f"{text} ({context.site}{who})", code=code, status=status, answer=answer, hint=hint)
    if code == "BAD_EVENT_QUEUE_ID" or text.startswith("Bad event queue id"):
        return EventQueueLost(text, code=code, status=status, answer=answer, hint=_HINTS["BAD_EVENT_QUEUE_ID"])
    if status >= 500:
        return ServerFailed(
            f"The server failed: {text} (status {status}, {context.site})", code=code, status=status, answer=answer
        )
    hint = _HINTS.get(code) or (_NARROW_HINT if "narrow" in text else "")
    return APIError(f"{text} ({context.method} {context.path})", code=code, status=status, answer=answer, hint=hint)


def _hint_for_other_refusals(text: str) -> str:
    if "incoming webhook" in text:
        return "An incoming webhook bot can only send messages: use a bot of another type"
    return "" if "authentication" not in text else "Use a client with credentials"


def retry_after(response: Response, answer: Mapping[str, Any]) -> float:
    """The seconds to wait: from the body, else from the header (seconds, or a date relative to the server's)."""
    header = response.headers.get("retry-after", "")
    for text in (answer.get("retry-after"), header):
        try:
            seconds = float(str(text))
        except ValueError:
            continue
        if seconds <= LONGEST_WAIT:  # and so not nan
            return max(0.0, seconds)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few servers send a date, and it loads slowly

    try:
        until = parsedate_to_datetime(header)
        seconds = (until - parsedate_to_datetime(response.headers.get("date", ""))).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_WAIT
    return max(0.0, seconds) if seconds <= LONGEST_WAIT else DEFAULT_WAIT


def _not_from_zulip(response: Response, context: CallContext) -> ClientError:
    """The error for a response that is not Zulip's JSON: from a proxy, another program, or Zulip's 404 page."""
    site, status = context.site, response.status
    for words, error in _nginx_errors(site):
        if words in response.body[:4096]:
            return error
    if status == 429:
        wait = retry_after(response, {})
        return RateLimited(
            f"Too many calls ({site})", retry_after=wait, hint=f"Try again in {counted(math.ceil(wait), 'second')}"
        )
    if status == 407:
        return proxy_wants_login()
    if status >= 500:
        return ServerFailed(f"The server failed (status {status}, {site})", status=status, hint="Try again later")
    what = "a page" if b"<html" in response.body[:4096].lower() else "something else"
    return NotAZulipServer(
        f"{site} answered {context.method} {context.path} with status {status} and {what} instead of Zulip's JSON",
        hint="Check the site: the address of the organization, as in the browser, without the path of a page",
    )


def proxy_wants_login() -> Unreachable:
    """The error for a proxy that asks for a login, however it did."""
    return Unreachable("The proxy requires a login", hint="Put it into the proxy variable: http://user:password@…")


def _nginx_errors(site: str) -> tuple[tuple[bytes, ClientError], ...]:
    """The pages about TLS of nginx, which is in front of most Zulip servers, and the error for each."""
    return (
        (
            b"No required SSL certificate was sent",
            TLSFailed(
                f"{site} requires a client certificate",
                reason="client_certificate_required",
                hint="Set client_cert (and client_cert_key) to the certificate that its operator gave you",
            ),
        ),
        (
            b"The SSL certificate error",
            TLSFailed(
                f"{site} does not accept the client certificate",
                reason="bad_client_certificate",
                hint="Check that client_cert is the one that its operator gave you, and that it has not expired",
            ),
        ),
        (
            b"HTTP request was sent to HTTPS port",
            NotAZulipServer(
                f"{site} needs https, but the site begins with http", hint="Change site to begin with https://"
            ),
        ),
    )
