"""Every kind of finding: its severity, its meaning, and what `--fix` does about it.

The guide lists these tables. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from keybearer.zuliprc.kinds import ERROR_KINDS, WARNING_KINDS

Severity = Literal["good", "warning", "fault"]
"""With a fault, something fails, fails in some programs, or reveals the key. A warning works but should be known."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`fix` says what `--fix` does. It is empty if `--fix` can do nothing."""

    severity: Severity
    meaning: str
    fix: str = ""


def _good(meaning: str) -> Kind:
    return Kind("good", meaning)


def _warning(meaning: str, fix: str = "") -> Kind:
    return Kind("warning", meaning, fix)


def _fault(meaning: str, fix: str = "") -> Kind:
    return Kind("fault", meaning, fix)


FILE_KINDS: Mapping[str, Kind] = {
    "file_read": _good("The file can be read."),
    "not_ours": _fault("The file belongs to another account of this machine, which can change it."),
    "interrupted_change": _fault("A replacement of the key was interrupted; the new key may be in the file beside it."),
    "not_a_zuliprc": _fault("The file is something else: a web page, JSON, YAML, a `.env` file, an encrypted file, "
                            "Markdown, or a zuliprc in one line.", "Writes a zuliprc, if email and key are certain."),
    "bindings_refuse": _fault("Another section has a line that keeps Zulip's Python bindings from reading the file."),
    "passcmd_of_ours": _warning("The key comes from a `passcmd`, which only Keybearer reads."),
    "read_differently": _warning("zulip-js reads another value, because of a `#`, a `;` or a backslash in it."),
    "default_section": _warning("A setting is in `[DEFAULT]`, which only Keybearer and the bindings read.",
                                "Moves it into `[api]`."),
    "angle_brackets": _fault("A value has angle brackets around it, as in `<bot@example.com>`.", "Removes them."),
    "empty_setting": _fault("`insecure` or a certificate file is empty, which Zulip's Python bindings refuse.",
                            "Removes the line."),
    "single_percent": _fault("A value has a single `%` in it, which Zulip's Python bindings cannot read.",
                             "Writes `%%`."),
    "permission_for_others": _warning("Other users have a permission on the file that zulip-terminal refuses.",
                                      "Sets the mode to 600."),
    "old_file": _warning("There is a `~/.humbugrc` but no `~/.zuliprc`, so Zulip's Python bindings do not start."),
    "byte_order_mark": _fault("The file begins with a byte order mark, which Zulip's Python bindings cannot read.",
                              "Removes it."),
    "line_ends": _warning("Lines end in CR or CRLF, which some programs read as part of the value.",
                          "Changes the line ends to LF."),
    "loose_form": _warning("A setting has spaces, a colon or capitals before its value; half of the programs do "
                           "not read it.", "Writes it as `name=value`."),
    "misspelt_setting": _fault("A setting of `[api]` is unknown, but similar to a known one.",
                               "Renames it to the known one."),
    "one_bundle_name": _warning("The bundle is set only as `client_bundle`, which Zulip's Python bindings ignore.",
                                "Adds `cert_bundle` with the same value."),
    "relative_path": _warning("A path is relative or begins with `~`; programs resolve it differently.",
                              "Writes the absolute path."),
    "second_account": _warning("Another section has a key too; many programs ignore sections and read the last."),
    "site_shape": _warning("The site is not in its normal form; some programs build wrong addresses from it.",
                           "Writes the normal form."),
}  # fmt: skip
"""Findings about the file, in addition to the errors and warnings of resolving."""

ENVIRONMENT_KINDS: Mapping[str, Kind] = {
    "shadowed_setting": _warning("A variable overrides another value in the file."),
    "unknown_variable": _warning("A variable begins with `ZULIP` and is unknown; the likely one is named."),
    "profile_ignored": _warning("`ZULIP_PROFILE` is set, but a file was named, which takes precedence."),
    "proxy": _warning("Calls go through a proxy that a variable names."),
    "proxy_unusable": _fault("A variable names a proxy that cannot be used."),
    "proxy_failed": _fault("The proxy that a variable names returns no response from the server."),
    "foreign_ca_variable": _warning("`REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE` is set. It sets the trusted certificates "
                                    "if there is no `cert_bundle`, and in Zulip's Python bindings always."),
    "moved_trust": _warning("`SSL_CERT_FILE` or `SSL_CERT_DIR` sets the trusted certificates."),
}  # fmt: skip
"""Findings about environment variables, in addition to the warnings of resolving."""

KEY_KINDS: Mapping[str, Kind] = {
    "credentials_found": _good("There are an email and a key."),
    "key_malformed": _fault("The key is not 32 letters and digits; no server accepts it."),
    "key_mistyped": _fault("The key begins like Keybearer's keys, but its checksum is wrong: it is mistyped. "
                           "Removed if the server accepts it."),
}  # fmt: skip
"""Findings about the key without asking the server."""

TLS_KINDS: Mapping[str, Kind] = {
    "bad_bundle": _fault("The bundle cannot be read, or has no certificate."),
    "bundle_expired": _fault("All certificates of the bundle have expired."),
    "bad_client_certificate": _fault("The client certificate or its key cannot be used, or the server refuses it."),
    "client_certificate_expired": _fault("The client certificate has expired."),
    "client_certificate_expiring": _warning("The client certificate expires within 30 days."),
    "client_key_readable": _warning("Other accounts of this machine can read the client certificate's key."),
    "certificate_valid": _good("The server's certificate is valid."),
    "unknown_issuer": _fault("The server's certificate is from an issuer that is not trusted, or its chain is broken."),
    "name_mismatch": _fault("The server's certificate is for another name."),
    "certificate_expired": _fault("The server's certificate has expired."),
    "certificate_not_yet_valid": _fault("The server's certificate is not valid yet."),
    "certificate_expiring": _warning("The server's certificate expires within 30 days."),
    "client_certificate_required": _fault("The server requires a client certificate."),
    "not_tls": _fault("The site is https, but the server does not use TLS."),
    "tls_failed": _fault("The TLS handshake failed for another reason."),
}  # fmt: skip
"""Certificates on both sides."""

SERVER_KINDS: Mapping[str, Kind] = {
    "connected": _good("The server accepts connections."),
    "name_unknown": _fault("The site's host name cannot be resolved."),
    "connection_refused": _fault("No program listens on the site's port."),
    "connection_timeout": _fault("No connection is made in time."),
    "unreachable": _fault("There is no route to the site's host."),
    "no_answer": _fault("The server accepts the connection but does not answer."),
    "redirected": _fault("The site redirects to another address."),
    "server_failed": _fault("The server reports that it failed."),
    "rate_limited": _fault("The server has received too many calls, so nothing could be tried."),
    "refused": _fault("The server refuses the call for another reason."),
    "server_told": _good("A Zulip server answers, with its version and feature level."),
    "old_server": _warning("The server is too old for this client, or says so."),
    "clock_skew": _warning("This machine's clock and the server's are more than a minute apart."),
    "key_accepted": _good("The server accepts the key."),
    "named_key": _good("The key is a named one, with its name, scopes and end."),
    "key_ends_soon": _warning("The key ends within a week."),
    "key_refused": _fault("The server does not know the key, or it belongs to another email."),
    "account_deactivated": _fault("The account is deactivated."),
    "organization_deactivated": _fault("The organization is deactivated."),
    "wrong_site": _fault("The key is for another organization of this server, or this address has no organization."),
    "incoming_webhook_bot": _warning("The key is that of an incoming webhook bot, which can only send messages."),
    "email_mismatch": _warning("The account has a different email from the credentials."),
}
"""Findings about the server and the network."""

_GRAVE = frozenset(
    {"empty_argument", "invisible_character", "odd_email_shape", "readable_by_others", "writable_by_others"}
)
"""Warnings of resolving that are faults for the doctor: nothing fails at once, but they must be fixed."""

_FIXES: Mapping[str, str] = {
    "bad_url": "Removes a user name, a query and a fragment.",
    "duplicate_key": "Keeps the first, if both have the same value.",
    "duplicate_section": "Joins the two, if they are adjacent and have no conflicting values.",
    "encoding": "Writes UTF-16, as Windows creates it, as UTF-8.",
    "invisible_character": "Removes invisible characters.",
    "malformed_line": "Moves an indented setting to the beginning of its line.",
    "missing_section": "Renames `[API]` and `[ api ]` to `[api]`, and also the only section if it has the account.",
    "no_section_header": "Puts `[api]` above the first setting.",
    "passcmd_unsafe": "Sets the mode to 600, if that is the fault.",
    "readable_by_others": "Sets the mode to 600.",
    "suspicious_value": "Removes quotes, and moves a comment to its own line.",
    "swapped_identity": "Swaps the two, if both are in the file.",
    "writable_by_others": "Sets the mode to 600.",
}
"""What `--fix` does about errors and warnings of resolving."""

REMEDIES: Mapping[str, str] = {
    "credential_sent_to_other_site": "Set email, key and site together in one place",
    "empty_argument": "Give it a value, or omit the option",
    "invisible_character": "Type the email again, or copy it without the characters around it",
    "insecure": "Set cert_bundle to the server's certificate or its issuer's, and remove insecure",
    "mixed_identity": "Set email and key together in one place",
    "odd_email_shape": "Write the email of the account as in the settings of your organization",
    "padded_value": "Set it without the line end, for example with: printf %s",
    "plain_http": "Write https:// in the site",
    "refused": "Ask the server's operator what it means",
    "server_failed": "Try again later; if it happens again, ask the server's operator",
    "tls_failed": "Check the site and its port; if they are right, ask the server's operator",
    "unportable_value": "If programs read this file differently, give the account another email",
}
"""The remedies for findings without a hint of their own: warnings of resolving, and some errors of a server."""

RESOLVING_KINDS: Mapping[str, Kind] = {
    **{kind: Kind("fault", meaning, _FIXES.get(kind, "")) for kind, meaning in ERROR_KINDS.items()},
    **{
        kind: Kind("fault" if kind in _GRAVE else "warning", meaning, _FIXES.get(kind, ""))
        for kind, meaning in WARNING_KINDS.items()
    },
}
"""The errors and warnings of resolving, which every command reports."""

KINDS: Mapping[str, Kind] = {
    **RESOLVING_KINDS,
    **FILE_KINDS,
    **ENVIRONMENT_KINDS,
    **KEY_KINDS,
    **TLS_KINDS,
    **SERVER_KINDS,
}
"""Every kind by its name."""
