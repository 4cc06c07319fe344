"""Every kind of finding: how grave it is, what it means, and what `--fix` does about it.

The guide lists these tables; a test holds it to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from keybearer.zuliprc.kinds import ERROR_KINDS, WARNING_KINDS

Severity = Literal["good", "warning", "fault"]
"""A fault does not work, works for some programs only, or gives the key away; a warning works and should be known."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`fix` says what `--fix` does, empty where it can do nothing."""

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
    "interrupted_change": _fault("A change of the key was interrupted; the new key may be in the file beside."),
    "not_a_zuliprc": _fault("The file is something else: a web page, JSON, YAML, a `.env` file, an encrypted file, "
                            "Markdown, or a zuliprc in one line.", "Writes a zuliprc, if email and key are certain."),
    "bindings_refuse": _fault("Another section has a line that keeps Zulip's Python bindings from reading the file."),
    "passcmd_of_ours": _warning("The key comes from a `passcmd`, which only Keybearer reads."),
    "read_differently": _warning("zulip-js reads another value, because of a `#`, a `;` or a backslash in it."),
    "default_section": _warning("A setting is in `[DEFAULT]`, which only Keybearer and the bindings read.",
                                "Moves it into `[api]`."),
    "angle_brackets": _fault("A value has angle brackets around it, as in `<bot@example.com>`.", "Takes them off."),
    "empty_setting": _fault("`insecure` or a certificate file is empty, which Zulip's Python bindings refuse.",
                            "Removes the line."),
    "single_percent": _fault("A value has a single `%` in it, which Zulip's Python bindings stumble over.",
                             "Writes `%%`."),
    "permission_for_others": _warning("Others have a permission on the file that zulip-terminal refuses.",
                                      "Makes the mode 600."),
    "old_file": _warning("There is a `~/.humbugrc` and no `~/.zuliprc`; Zulip's Python bindings do not start then."),
    "byte_order_mark": _fault("The file begins with a byte order mark, which Zulip's Python bindings stumble over.",
                              "Takes it off."),
    "line_ends": _warning("Lines end in CR or CRLF, which some programs take for part of the value.",
                          "Ends them in LF."),
    "loose_form": _warning("A setting has blanks, a colon or capitals in front of its value; half of the programs do "
                           "not read it.", "Writes it as `name=value`."),
    "misspelt_setting": _fault("A setting of `[api]` is not known, and was likely meant to be another.",
                               "Gives it the likely name."),
    "one_bundle_name": _warning("The bundle is set as `client_bundle` only, which Zulip's Python bindings ignore.",
                                "Adds `cert_bundle`, which says the same."),
    "relative_path": _warning("A path is relative, or begins with `~`; programs start it at different places.",
                              "Writes the absolute path."),
    "second_account": _warning("Another section has a key too; many programs ignore sections and read the last."),
    "site_shape": _warning("The site is not in its one form; some programs make wrong addresses of it.",
                           "Writes the one form."),
}  # fmt: skip
"""What can be wrong with the file, beside what resolving refuses or warns of."""

ENVIRONMENT_KINDS: Mapping[str, Kind] = {
    "shadowed_setting": _warning("A variable goes before another value in the file."),
    "unknown_variable": _warning("A variable begins with `ZULIP` and is not known; the likely one is named."),
    "profile_ignored": _warning("`ZULIP_PROFILE` is set, and a file was named, which goes before it."),
    "proxy": _warning("Calls go through a proxy that a variable names."),
    "proxy_unusable": _fault("A variable names a proxy that cannot be used."),
    "proxy_failed": _fault("The proxy that a variable names gives no answer of the server's."),
    "foreign_ca_variable": _warning("`REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE` is set: it says what is trusted where no "
                                    "`cert_bundle` does, and in Zulip's Python bindings even where one does."),
    "moved_trust": _warning("`SSL_CERT_FILE` or `SSL_CERT_DIR` says which certificates are trusted."),
}  # fmt: skip
"""What variables of the environment do, beside what resolving warns of."""

KEY_KINDS: Mapping[str, Kind] = {
    "credentials_found": _good("There are an email and a key."),
    "key_malformed": _fault("The key is not 32 letters and digits; no server accepts it."),
    "key_mistyped": _fault("The key begins as Keybearer's keys do, and its checksum does not fit: it is mistyped. "
                           "Withdrawn where the server accepts it."),
}  # fmt: skip
"""What can be said of the key without asking the server."""

TLS_KINDS: Mapping[str, Kind] = {
    "bad_bundle": _fault("The bundle cannot be read, or holds no certificate."),
    "bundle_expired": _fault("All certificates of the bundle have expired."),
    "bad_client_certificate": _fault("The client certificate or its key cannot be used, or the server refuses it."),
    "client_certificate_expired": _fault("The client certificate has expired."),
    "client_certificate_expiring": _warning("The client certificate expires within 30 days."),
    "client_key_readable": _warning("Other accounts of this machine can read the client certificate's key."),
    "certificate_valid": _good("The server's certificate is good."),
    "unknown_issuer": _fault("The server's certificate is from an issuer that is not trusted, or its chain is broken."),
    "name_mismatch": _fault("The server's certificate is for another name."),
    "certificate_expired": _fault("The server's certificate has expired."),
    "certificate_not_yet_valid": _fault("The server's certificate is not valid yet."),
    "certificate_expiring": _warning("The server's certificate expires within 30 days."),
    "client_certificate_required": _fault("The server demands a client certificate."),
    "not_tls": _fault("The site is https, and something else than TLS answers."),
    "tls_failed": _fault("The TLS handshake failed for another reason."),
}  # fmt: skip
"""Certificates on both sides."""

SERVER_KINDS: Mapping[str, Kind] = {
    "connected": _good("The server takes connections."),
    "name_unknown": _fault("The site's host name cannot be resolved."),
    "connection_refused": _fault("Nothing listens at the site's port."),
    "connection_timeout": _fault("The connection does not come about in time."),
    "unreachable": _fault("There is no way to the site's host."),
    "no_answer": _fault("The server takes the connection and does not answer."),
    "redirected": _fault("The site is somewhere else."),
    "server_failed": _fault("The server answers that it failed."),
    "rate_limited": _fault("The server has had too many calls, so that nothing could be tried."),
    "refused": _fault("The server refuses the call for another reason."),
    "server_told": _good("A Zulip server answers, with its version and feature level."),
    "old_server": _warning("The server is too old for this client, or says so."),
    "clock_skew": _warning("This machine's clock and the server's are more than a minute apart."),
    "key_accepted": _good("The server accepts the key."),
    "named_key": _good("The key is a named one, with its name, scopes and end."),
    "key_ends_soon": _warning("The key ends within a week."),
    "key_refused": _fault("The server does not know the key, or not for this email."),
    "account_deactivated": _fault("The account is deactivated."),
    "organization_deactivated": _fault("The organization is deactivated."),
    "wrong_site": _fault("The key is of another organization of this server, or none is at this address."),
    "incoming_webhook_bot": _warning("The key is good, and an incoming webhook bot's: all it can do is send messages."),
    "email_mismatch": _warning("The account's email is another one than that of the credentials."),
}
"""What the server says, and what stands between."""

_GRAVE = frozenset(
    {"empty_argument", "invisible_character", "odd_email_shape", "readable_by_others", "writable_by_others"}
)
"""Warnings of resolving that a doctor calls faults: nothing breaks at once, and all of them have to be fixed."""

_MENDED: Mapping[str, str] = {
    "bad_url": "Takes off a user name, a query and a fragment.",
    "duplicate_key": "Keeps the first, where both say the same.",
    "duplicate_section": "Joins the two, where they stand one after the other and contradict nowhere.",
    "encoding": "Writes UTF-16, which Windows makes, as UTF-8.",
    "invisible_character": "Takes out what cannot be seen.",
    "malformed_line": "Moves an indented setting to the beginning of its line.",
    "missing_section": "Writes `[API]` and `[ api ]` as `[api]`, and so the only section, if the account is in that.",
    "no_section_header": "Puts `[api]` above the first setting.",
    "passcmd_unsafe": "Makes the mode 600, where that is what is wrong.",
    "readable_by_others": "Makes the mode 600.",
    "suspicious_value": "Takes quotes off, and puts a comment into a line of its own.",
    "swapped_identity": "Exchanges the two, where both are in the file.",
    "writable_by_others": "Makes the mode 600.",
}
"""What `--fix` does about what resolving refuses or warns of."""

REMEDIES: Mapping[str, str] = {
    "credential_sent_to_other_site": "Give email, key and site together, in one place",
    "empty_argument": "Give it a value, or leave the option out",
    "invisible_character": "Type the email again, or copy it without what is around it",
    "insecure": "Set cert_bundle to the server's certificate or its issuer's, and take insecure out",
    "mixed_identity": "Give email and key together, in one place",
    "odd_email_shape": "Write the email of the account, as the settings of your organization show it",
    "padded_value": "Set it without the line end, as with: printf %s",
    "plain_http": "Write https:// in the site",
    "refused": "Ask the server's operator what it means",
    "server_failed": "Try again later; if it stays, ask the server's operator",
    "tls_failed": "Check the site and its port; if they are right, ask the server's operator",
    "unportable_value": "If programs that read this file do not agree, give the account another email",
}
"""What to do about that which comes without a word about it: warnings of resolving, and some of a server's errors."""

RESOLVING_KINDS: Mapping[str, Kind] = {
    **{kind: Kind("fault", meaning, _MENDED.get(kind, "")) for kind, meaning in ERROR_KINDS.items()},
    **{
        kind: Kind("fault" if kind in _GRAVE else "warning", meaning, _MENDED.get(kind, ""))
        for kind, meaning in WARNING_KINDS.items()
    },
}
"""What resolving refuses or warns of, as every command does."""

KINDS: Mapping[str, Kind] = {
    **RESOLVING_KINDS,
    **FILE_KINDS,
    **ENVIRONMENT_KINDS,
    **KEY_KINDS,
    **TLS_KINDS,
    **SERVER_KINDS,
}
"""Every kind by its name."""
