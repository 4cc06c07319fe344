"""Warnings about valid credentials."""

from __future__ import annotations

from typing import Any

import pytest

from keybearer.zuliprc.kinds import WARNING_KINDS
from tests.zuliprc.resolving import GOOD, PATH, resolve_text, warned


def test_the_file_of_the_web_app_causes_no_warning() -> None:
    assert warned(resolve_text()) == []


def test_key_and_email_from_different_sources_cause_a_warning() -> None:
    assert warned(resolve_text(environ={"ZULIP_API_KEY": "k"})) == ["mixed_identity"]
    assert warned(resolve_text(email="b@x.org")) == ["mixed_identity"]
    assert warned(resolve_text(environ={"ZULIP_API_KEY": "k", "ZULIP_EMAIL": "b@x.org"})) == []


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        ({"site": "other.x"}, {}),
        ({}, {"ZULIP_SITE": "other.x"}),
        ({"site": "http://z.x"}, {}),
        ({"site": "z.x:444"}, {}),
    ],
)
def test_a_key_for_another_site_than_that_of_its_file_causes_a_warning(
    arguments: dict[str, Any], environ: dict[str, str]
) -> None:
    warning = resolve_text(environ=environ, **arguments).warnings[0]

    assert warning.kind == "credential_sent_to_other_site"
    assert warning.place == ("ZULIP_SITE" if environ else "argument site")


@pytest.mark.parametrize("site", ["https://z.x/", "Z.X", "https://z.x:443/api"])
def test_the_same_site_in_another_form_causes_no_warning(site: str) -> None:
    assert warned(resolve_text(site=site)) == []


def test_a_key_from_a_command_causes_the_same_warning() -> None:
    resolution = resolve_text("[api]\nemail=a@x.org\npasscmd=p\nsite=z.x\n", site="y.x")

    assert warned(resolution) == ["credential_sent_to_other_site"]


def test_a_file_without_a_site_or_with_a_key_that_is_not_used_has_no_other_site() -> None:
    assert warned(resolve_text("[api]\nemail=a@x.org\nkey=k\n", site="y.x")) == []
    assert warned(resolve_text(site="y.x", api_key="k", email="a@x.org")) == []


def test_plain_http_to_another_machine_causes_a_warning() -> None:
    assert warned(resolve_text(GOOD.replace("https:", "http:"))) == ["plain_http"]
    assert warned(resolve_text(GOOD.replace("https://z.x", "http://127.0.0.1:9991"))) == []


def test_insecure_causes_a_warning() -> None:
    assert warned(resolve_text(f"{GOOD}insecure=true\n")) == ["insecure"]


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [(0o600, []), (0o400, []), (0o700, []), (0o640, ["readable_by_others"]), (0o604, ["readable_by_others"]),
     (0o620, ["writable_by_others"]), (0o666, ["readable_by_others", "writable_by_others"]), (None, [])],
)  # fmt: skip
def test_permissions_of_others_on_the_file_cause_a_warning(mode: int | None, kinds: list[str]) -> None:
    assert warned(resolve_text(mode=mode)) == kinds


def test_a_readable_file_without_a_secret_causes_no_warning() -> None:
    assert warned(resolve_text("[api]\nemail=a@x.org\npasscmd=p\n", mode=0o644)) == []


def test_variables_that_override_a_named_file_cause_a_warning() -> None:
    environ = {"ZULIP_EMAIL": "b@x.org", "ZULIP_API_KEY": "k"}
    warning = resolve_text(environ=environ, named=True).warnings[0]

    assert (warning.kind, warning.place) == ("shadows_named_file", PATH)
    assert "ZULIP_EMAIL" in warning.message
    assert "ZULIP_API_KEY" in warning.message
    assert warned(resolve_text(environ=environ, named=False)) == []
    assert warned(resolve_text("[zterm]\n", environ=environ, named=True)) == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [("clientcert", "client_cert"), ("client-cert-key", "client_cert_key"), ("certbundle", "client_bundle"),
     ("ssl_bundle", ""), ("api_key", "key"), ("zulip_site", "site"), ("e-mail", "email"), ("insecur", "insecure"),
     ("pass_cmd", "passcmd"), ("colour", "")],
)  # fmt: skip
def test_the_warning_for_an_unknown_setting_has_its_line_and_the_likely_name(key: str, meant: str) -> None:
    (warning,) = resolve_text(f"{GOOD}{key}=x\n").warnings

    assert (warning.kind, warning.place) == ("unknown_setting", f"{PATH}:5")
    assert (f"mean {meant}?" in warning.message) == bool(meant)
    assert key not in warning.message.replace(meant, "") or key in meant


@pytest.mark.parametrize(
    ("variable", "meant"),
    [("ZULIP_URL", "ZULIP_SITE"), ("ZULIP_INSECURE", "ZULIP_ALLOW_INSECURE"), ("ZULIP_CLIENT_CERT", "ZULIP_CERT"),
     ("ZULIP_APIKEY", "ZULIP_API_KEY"), ("ZULIP_EMIAL", "ZULIP_EMAIL"), ("ZULIP_CONFIG_FILE", "ZULIP_CONFIG")],
)  # fmt: skip
def test_a_misspelt_variable_causes_a_warning(variable: str, meant: str) -> None:
    (warning,) = resolve_text(environ={variable: "x"}).warnings

    assert (warning.kind, warning.place) == ("unknown_setting", variable)
    assert meant in warning.message


@pytest.mark.parametrize("variable", ["ZULIP_EDITOR_COMMAND", "ZULIP_BOTSERVER_CONFIG", "ZULIP_X", "PATH"])
def test_variables_of_other_programs_cause_no_warning(variable: str) -> None:
    assert warned(resolve_text(environ={variable: "x"})) == []


def test_a_variable_for_another_program_beside_the_right_one_causes_no_warning() -> None:
    assert warned(resolve_text(environ={"ZULIP_REALM": "https://z.x", "ZULIP_SITE": "https://z.x"})) == []


@pytest.mark.parametrize("key", ["k-1", "k 1", "k\u200b1", "ключ"])
def test_a_key_of_an_unusual_form_resolves_with_a_warning(key: str) -> None:
    resolution = resolve_text(f"[api]\nemail=a@x.org\nkey={key}\n")

    assert resolution.api_key.reveal() == key
    assert warned(resolution) == ["odd_key_shape"]


@pytest.mark.parametrize("length", [1, 31, 33, 500])
def test_the_length_of_a_key_causes_no_warning(length: int) -> None:
    assert warned(resolve_text(f"[api]\nemail=a@x.org\nkey={'k' * length}\n")) == []


@pytest.mark.parametrize("email", ["ann", "a:b@x.org", "a b@x.org"])
def test_an_email_that_cannot_log_in_causes_a_warning(email: str) -> None:
    assert warned(resolve_text(f"[api]\nemail={email}\nkey=k\n")) == ["odd_email_shape"]


@pytest.mark.parametrize("email", ["50%off@x.org", "a#b@x.org", "a;b@x.org", "a=b@x.org", 'a"b@x.org', "a\\b@x.org"])
def test_an_email_in_a_file_that_programs_read_differently_causes_a_warning(email: str) -> None:
    assert warned(resolve_text(f"[api]\nemail={email}\nkey=k\n")) == ["unportable_value"]
    assert warned(resolve_text(None, email=email, api_key="k")) == []


@pytest.mark.parametrize("email", ["a+b@x.org", "o'brien@x.org", "josé@x.org", "{a}@x.org"])
def test_an_email_that_is_only_unusual_causes_no_warning(email: str) -> None:
    assert warned(resolve_text(f"[api]\nemail={email}\nkey=k\n")) == []


def test_no_warning_shows_a_key() -> None:
    canary = "kbCanaryCanaryCanaryCanaryCanary"
    resolution = resolve_text(
        f"[api]\n{canary}=x\nemail=a@x.org\nkey={canary}-\nsite=http://z.x\n",
        environ={"ZULIP_SITE": "y.x", "ZULIP_URL": canary},
        mode=0o666,
        named=True,
    )

    assert len(resolution.warnings) >= 6
    assert canary not in " ".join(f"{warning!r} {warning}" for warning in resolution.warnings)
    assert {warning.kind for warning in resolution.warnings} <= set(WARNING_KINDS)
