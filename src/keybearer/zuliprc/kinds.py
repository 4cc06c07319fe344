"""Every kind of error and warning of resolving, and what each means.

The reference page lists these tables. A test compares them with the code that raises and warns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybearer.masking import masked

ERROR_KINDS: Mapping[str, str] = {
    "bad_boolean": "`insecure` is neither true nor false.",
    "bad_profile_name": "A profile has a name that is not letters, digits, `.`, `_` and `-`.",
    "bad_url": "The site is not an address that can be used.",
    "bundle_not_found": "The file or directory with trusted certificates does not exist.",
    "cert_not_found": "The client certificate, or its key, does not exist.",
    "config_not_found": "There are no credentials: the file does not exist, and nothing else gives them.",
    "conflicting_keys": "Two settings that mean one thing are both given and differ.",
    "duplicate_key": "A setting is there twice in one file.",
    "duplicate_section": "The section `[api]` is there twice in one file.",
    "encoding": "The text is not UTF-8.",
    "file_unreadable": "The file is there and cannot be read.",
    "interpolation": "A value refers to another by `%(name)s`.",
    "is_directory": "The path of the file is a directory's.",
    "key_without_cert": "`client_cert_key` is set and `client_cert` is not.",
    "legacy_file": "There is a `~/.humbugrc` of before 2013 and no `~/.zuliprc`.",
    "malformed_line": "A line is neither a setting, a section nor a comment.",
    "missing_email": "There is no email.",
    "missing_key": "There is no API key.",
    "missing_section": "The file has no section `[api]`.",
    "missing_site": "A connection is wanted and no site is set.",
    "no_section_header": "The file begins with settings and not with `[api]`.",
    "not_a_zulip_server": "Something answers at the site, and it is not Zulip.",
    "passcmd_failed": "The password command cannot be run, fails, or prints no key.",
    "passcmd_timeout": "The password command does not end in time.",
    "passcmd_unsafe": "A password command stands in a file that somebody else owns or can write.",
    "profile_not_found": "There is no profile of that name.",
    "suspicious_value": "A value has quotes around it, a comment behind it or a control character in it.",
    "swapped_identity": "The email is where the key belongs, and the key where the email belongs.",
    "usage": "An argument is of a type that cannot be used.",
}

WARNING_KINDS: Mapping[str, str] = {
    "credential_sent_to_other_site": "The key's own source names another site than the one it will be sent to.",
    "empty_argument": "An argument is the empty text. It counts, so that nothing else is used in its stead.",
    "invisible_character": "The email has a character in it that cannot be seen, or angle brackets around it.",
    "insecure": "The server's certificate will not be checked.",
    "mixed_identity": "Email and key come from different places, and may be of different accounts.",
    "odd_email_shape": "The email has no `@`, or a character that cannot log in.",
    "odd_key_shape": "The key has characters other than letters and digits, which Zulip's keys never have.",
    "plain_http": "The key will travel in clear to a host that is not this machine.",
    "readable_by_others": "Other accounts of this machine can read the file that holds the key.",
    "shadows_named_file": "A file was named explicitly, and variables go before what is in it.",
    "padded_value": "A variable or an argument has white space or a line end around its value, which is left out.",
    "unknown_setting": "A setting of `[api]` or a variable is not known; the likely one is named.",
    "unportable_value": "The file's email has a character that programs read in different ways: `%`, `#`, `;`, `=`, a "
    "double quote or a backslash.",
    "writable_by_others": "Other accounts of this machine can write the file, and so choose where the key is sent.",
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
