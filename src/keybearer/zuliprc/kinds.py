"""Every kind of error and warning of resolving, and its meaning.

The reference page lists these tables. A test compares them with the code that raises and warns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybearer.masking import masked

ERROR_KINDS: Mapping[str, str] = {
    "bad_boolean": "`insecure` is not true or false.",
    "bad_profile_name": "A profile has a name that is not letters, digits, `.`, `_` and `-`.",
    "bad_url": "The site is not an address that can be used.",
    "bundle_not_found": "The file or directory with trusted certificates does not exist.",
    "cert_not_found": "The client certificate, or its key, does not exist.",
    "config_not_found": "There are no credentials: the file does not exist, and no other source has them.",
    "conflicting_keys": "Two names of one setting are both given, with different values.",
    "duplicate_key": "A setting occurs twice in one file.",
    "duplicate_section": "The section `[api]` occurs twice in one file.",
    "encoding": "The text is not UTF-8.",
    "file_unreadable": "The file exists but cannot be read.",
    "interpolation": "A value refers to another by `%(name)s`.",
    "is_directory": "The path of the file is that of a directory.",
    "key_without_cert": "`client_cert_key` is set, but `client_cert` is not.",
    "legacy_file": "There is a `~/.humbugrc` from before 2013, but no `~/.zuliprc`.",
    "malformed_line": "A line is not a setting, a section or a comment.",
    "missing_email": "There is no email.",
    "missing_key": "There is no API key.",
    "missing_section": "The file has no section `[api]`.",
    "missing_site": "A connection is needed, but no site is set.",
    "no_section_header": "The file begins with settings and not with `[api]`.",
    "not_a_zulip_server": "The server at the site is not a Zulip server.",
    "passcmd_failed": "The password command cannot be run, fails, or prints no key.",
    "passcmd_timeout": "The password command does not end in time.",
    "passcmd_unsafe": "A password command is in a file that another user owns or can write.",
    "profile_not_found": "There is no profile with this name.",
    "suspicious_value": "A value has quotes around it, a comment after it or a control character in it.",
    "swapped_identity": "The email and the key are swapped.",
    "usage": "An argument has a wrong type.",
}

WARNING_KINDS: Mapping[str, str] = {
    "credential_sent_to_other_site": "The source of the key names another site than the one that will get the key.",
    "empty_argument": "An argument is an empty text. It counts as a value, so no other source is used.",
    "invisible_character": "The email has an invisible character in it, or angle brackets around it.",
    "insecure": "The server's certificate will not be checked.",
    "mixed_identity": "Email and key come from different sources, and may belong to different accounts.",
    "odd_email_shape": "The email has no `@`, or a character with which no login is possible.",
    "odd_key_shape": "The key has characters other than letters and digits, which Zulip's keys never have.",
    "plain_http": "The key will be sent unencrypted to another machine.",
    "readable_by_others": "Other accounts of this machine can read the file with the key.",
    "shadows_named_file": "A file was named explicitly, but variables override some of its settings.",
    "padded_value": "A variable or an argument has white space or a line end around its value, which is ignored.",
    "unknown_setting": "A setting of `[api]` or a variable is unknown; the likely one is named.",
    "unportable_value": "The file's email has a character that programs read in different ways: `%`, `#`, `;`, `=`, a "
    "double quote or a backslash.",
    "writable_by_others": "Other accounts of this machine can change the file, and so where the key is sent.",
}


@dataclass(frozen=True, slots=True)
class ResolutionWarning:
    """A problem of valid credentials that their owner should know. `place` is as in ResolutionError."""

    kind: str
    message: str
    place: str = ""

    def __post_init__(self) -> None:
        for name in ("message", "place"):
            object.__setattr__(self, name, masked(getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message
