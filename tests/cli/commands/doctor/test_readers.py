"""The findings about other readers match their behaviour, and another type of file is named."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

import pytest
import zulip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybearer.errors import ResolutionError
from keybearer.store.files import read_zuliprc
from tests.cli.commands.doctor.patients import KEY, Patient
from tests.client.scripted_server import EMAIL

ODD_LINES = [
    "",
    "# a comment",
    "[zterm]",
    "[zterm]\ntheme=dark",
    "[zterm]\nno setting at all",
    "[zterm]\ntheme=dark\ntheme=light",
    "[zterm]\ntheme=dark\n[zterm]\ntheme=light",
    "[zterm]\ntheme=50%",
    "[DEFAULT]\ntheme=dark",
    "[DEFAULT]\ntheme=dark\ntheme=light",
    "insecure=",
    "insecure=false",
    "cert_bundle=",
    "client_cert=",
    "token=",
    "note=%(key)s",
    "note=50%",
]


class Bindings(zulip.Client):
    """The official client without the request that its constructor makes."""

    def get_server_settings(self) -> dict[str, Any]:
        return {"zulip_version": "12.0", "zulip_feature_level": 372}


def bindings_start(path: Path) -> bool:
    """Whether Zulip's Python bindings read the file."""
    try:
        Bindings(config_file=str(path))
    except (zulip.ZulipError, configparser.Error):
        return False
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    above=st.sampled_from(["", "[DEFAULT]\ntheme=dark\n", "[zterm]\nno setting\n"]),
    lines=st.lists(st.sampled_from(ODD_LINES), max_size=3),
)
def test_the_bindings_read_every_file_without_faults(patient: Patient, above: str, lines: list[str]) -> None:
    patient.write(above + patient.good_text + "".join(f"{line}\n" for line in lines))
    report = patient.offline()
    faults = [finding["kind"] for finding in report.findings if finding["severity"] == "fault"]

    assert bool(faults) or bindings_start(patient.path), patient.path.read_text()
    fixed = patient.offline("--fix", "--yes")
    left = [finding["kind"] for finding in fixed.findings if finding["severity"] == "fault"]
    assert bool(left) or bindings_start(patient.path), patient.path.read_text()


@pytest.mark.parametrize(
    ("more", "place"),
    [("[zterm]\nno setting\n", 6), ("[zterm]\na=1\na=2\n", 7), ("[zterm]\na=1\n[zterm]\n", 7)],
)
def test_a_line_of_another_section_that_stops_the_bindings_is_a_fault(patient: Patient, more: str, place: int) -> None:
    patient.write(patient.good_text + more)
    report = patient.offline()

    assert report.kinds == ["bindings_refuse"]
    assert report.the("bindings_refuse")["place"] == f"{patient.path}:{place}"
    assert not bindings_start(patient.path)


def test_an_empty_insecure_is_removed_since_the_bindings_refuse_it(patient: Patient) -> None:
    patient.write(f"{patient.good_text}insecure=\ncert_bundle =\n")

    assert set(patient.offline().kinds) == {"empty_setting"}
    assert patient.offline("--fix", "--yes").kinds == []
    assert patient.path.read_text() == patient.good_text


def test_settings_of_the_default_section_are_moved_into_api(patient: Patient) -> None:
    patient.write(f"[DEFAULT]\nkey={KEY}\n[api]\nemail={EMAIL}\nsite={patient.server.site}\n")
    report = patient.examined()

    assert report.kinds == ["default_section"]
    assert "key_accepted" in report.good
    assert patient.examined("--fix", "--yes").kinds == []
    assert patient.path.read_text() == f"[DEFAULT]\n[api]\nkey={KEY}\nemail={EMAIL}\nsite={patient.server.site}\n"


def test_a_value_that_zulip_js_reads_differently_is_reported(patient: Patient) -> None:
    patient.write(patient.good_text.replace(EMAIL, "a#b@example.com"))

    assert "read_differently" in patient.offline().kinds


def test_a_permission_that_zulip_terminal_refuses_is_reported_and_removed(patient: Patient) -> None:
    patient.write(mode=0o710)

    assert patient.offline().kinds == ["permission_for_others"]
    assert patient.offline("--fix", "--yes").kinds == []
    assert patient.path.stat().st_mode & 0o777 == 0o600


def test_the_mode_of_a_file_that_is_not_text_is_fixed(patient: Patient) -> None:
    data = f"[api]\nemail=é\nkey={KEY}\n".encode("latin-1")
    patient.write(data, mode=0o644)
    report = patient.offline("--fix", "--yes")

    assert report.kinds == ["encoding"]
    assert patient.path.read_bytes() == data
    assert patient.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\u00ad", "\u202e", "\u2066"])
def test_an_invisible_character_is_reported_and_removed(patient: Patient, hidden: str) -> None:
    for text in (f"{EMAIL}{hidden}", f"{hidden}{EMAIL}", EMAIL.replace("@", f"{hidden}@")):
        patient.write(patient.good_text.replace(EMAIL, text))
        report = patient.offline()

        assert report.kinds == ["invisible_character"]
        assert f"U+{ord(hidden):04X}" in report.the("invisible_character")["message"]
        warned = patient.keybearer("whoami").err
        assert f"U+{ord(hidden):04X}" in warned
        assert patient.offline("--fix", "--yes").kinds == []
        assert patient.path.read_text() == patient.good_text


def test_angle_brackets_are_removed(patient: Patient) -> None:
    patient.write(patient.good_text.replace(EMAIL, f"<{EMAIL}>"))

    assert "angle brackets" in patient.keybearer("whoami").err
    assert patient.offline().kinds == ["angle_brackets"]
    assert patient.offline("--fix", "--yes").kinds == []
    assert patient.path.read_text() == patient.good_text


def test_a_swapped_email_and_key_are_reported_and_fixed(patient: Patient) -> None:
    patient.write(f"# mine\n[api]\nemail={KEY}\nkey={EMAIL}\nsite={patient.server.site}\n")
    report = patient.offline()

    assert report.kinds == ["swapped_identity"]
    assert patient.examined("--fix", "--yes").kinds == []
    assert patient.path.read_text() == f"# mine\n{patient.good_text}"


SETTINGS = {"email": EMAIL, "key": KEY}


def lookalikes(site: str) -> dict[str, str]:
    return {
        "one line": f"[api] email={EMAIL} key={KEY} site={site}",
        "escaped line ends": f"[api]\\nemail={EMAIL}\\nkey={KEY}\\nsite={site}\\n",
        "JSON": json.dumps({"email": EMAIL, "api_key": KEY, "site": site}),
        "JSON with a section": json.dumps({"api": {**SETTINGS, "site": site}}, indent=2),
        "dotenv": f"# of the bot\nZULIP_EMAIL={EMAIL}\nZULIP_API_KEY='{KEY}'\nZULIP_SITE=\"{site}\"\nDEBUG=1\n",
        "shell": f"export ZULIP_EMAIL={EMAIL}\nexport ZULIP_API_KEY={KEY}\nexport ZULIP_SITE={site}\n",
        "PowerShell": f"$env:ZULIP_EMAIL = '{EMAIL}'\n$env:ZULIP_API_KEY = '{KEY}'\n$Env:ZULIP_SITE = '{site}'\n",
        "Dockerfile": f"ENV ZULIP_EMAIL={EMAIL}\nENV ZULIP_API_KEY={KEY}\nENV ZULIP_SITE={site}\n",
        "YAML": f"---\nemail: {EMAIL}\nkey: {KEY}\nsite: '{site}'\n",
        "YAML with a section": f"api:\n  email: {EMAIL}\n  key: {KEY}\n  site: {site}\n",
        "Markdown": f"```ini\n[api]\nemail={EMAIL}\nkey={KEY}\nsite={site}\n```\n",
    }


@pytest.mark.parametrize("kind", lookalikes(""))
def test_another_type_of_file_is_named_and_rewritten_as_a_zuliprc(patient: Patient, kind: str) -> None:
    patient.write(lookalikes(patient.server.site)[kind])
    with pytest.raises(ResolutionError) as raised:
        read_zuliprc(patient.path)
    refused = patient.keybearer("whoami")

    assert "This is a" in str(raised.value)
    assert "doctor --fix" in refused.complaint
    assert KEY not in refused.err
    assert patient.offline().kinds == ["not_a_zuliprc"]
    assert patient.examined("--fix", "--yes").kinds == []
    assert patient.path.read_text() == patient.good_text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!DOCTYPE html>\n<html><title>Log in</title>", "a web page"),
        ("<?xml version='1.0'?>\n<!DOCTYPE html><html></html>", "a web page"),
        ("<?xml version='1.0'?>\n<resources/>", "an XML file"),
        ("PK\x03\x04\x14", "a ZIP archive"),
        ("%PDF-1.7\n", "a PDF document"),
        ("  <html>", "a web page"),
        ("\ufeff<html>\r\n", "a web page"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6638643965393439\n", "an encrypted file"),
        ("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", "an encrypted file"),
        ("age-encryption.org/v1\n-> X25519 abc\n", "an encrypted file"),
        ("key: ENC[AES256_GCM,data:abc]\nsops:\n    kms: []\n", "an encrypted file"),
        ('{"email": "a@x.org"}', "a JSON file"),
        ('{"email": "a@x.org", "key": "a\\nsite=http://evil.example"}', "a JSON file"),
        ("{broken", "a JSON file"),
        ('{"email": "a@x.org", "username": "b@x.org", "key": "k"}', "a JSON file"),
        ("ZULIP_EMAIL=a@x.org\n", "a file of environment variables"),
    ],
)
def test_a_file_that_cannot_become_a_zuliprc_is_only_named(patient: Patient, text: str, said: str) -> None:
    patient.write(text)
    report = patient.offline("--fix", "--yes")

    assert report.kinds == ["not_a_zuliprc"]
    assert not report.the("not_a_zuliprc")["fixable"]
    assert said in report.the("not_a_zuliprc")["message"]
    assert patient.path.read_bytes() == text.encode()
    assert said in patient.keybearer("show").err
