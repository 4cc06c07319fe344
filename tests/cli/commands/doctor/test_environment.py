"""Checks of variables that shadow a setting, mislead, or name a proxy."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from tests.cli.commands.doctor.patients import KEY, Patient, zulip
from tests.client.scripted_server import EMAIL, html, refused, serving

OTHER_KEY = "x" * 32

FAR = "http://chat.example.invalid"


def test_a_stale_variable_that_overrides_the_file_is_reported(patient: Patient) -> None:
    patient.server.otherwise = zulip(profile=refused())
    report = patient.examined(ZULIP_API_KEY=OTHER_KEY)

    assert report.kinds == ["mixed_identity", "shadowed_setting", "key_refused"]
    shadow = report.the("shadowed_setting")
    assert shadow["place"] == "ZULIP_API_KEY"
    assert f"{patient.path}:3" in shadow["message"]
    assert OTHER_KEY not in report.done.out


def test_a_variable_with_the_same_value_as_the_file_is_not_reported(patient: Patient) -> None:
    report = patient.examined(ZULIP_EMAIL=EMAIL, ZULIP_API_KEY=KEY, ZULIP_SITE=f"{patient.server.site}/")
    assert report.kinds == []


def test_a_site_variable_that_differs_from_the_site_of_the_key_is_reported(patient: Patient) -> None:
    with serving() as other:
        other.otherwise = zulip()
        report = patient.examined(ZULIP_SITE=other.site)

    assert report.kinds == ["credential_sent_to_other_site", "shadowed_setting"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("ZULIP_KEY", "ZULIP_API_KEY"), ("ZULIP_EMIAL", "ZULIP_EMAIL"), ("ZULIPRC", "ZULIP_CONFIG"),
     ("ZULIP_CA_BUNDLE", "ZULIP_CERT_BUNDLE"), ("ZULIP_INSECURE", "ZULIP_ALLOW_INSECURE")],
)  # fmt: skip
def test_a_misspelt_variable_is_reported_with_the_likely_name(patient: Patient, name: str, meant: str) -> None:
    report = patient.examined(**{name: "whatever"})

    assert report.kinds == ["unknown_variable"]
    assert (report.the("unknown_variable")["place"], report.the("unknown_variable")["remedy"]) == (
        name, f"Did you mean {meant}?",
    )  # fmt: skip


def test_a_variable_similar_to_none_is_reported(patient: Patient) -> None:
    assert patient.examined(ZULIP_COLOUR="red").the("unknown_variable")["place"] == "ZULIP_COLOUR"


def test_variables_of_other_zulip_programs_are_ignored(patient: Patient) -> None:
    assert patient.examined(ZULIP_EDITOR_COMMAND="vi").kinds == []


def test_a_profile_that_a_named_file_overrides_is_reported(patient: Patient) -> None:
    report = patient.examined(ZULIP_PROFILE="work", ZULIP_CONFIG=str(patient.path))

    assert report.kinds == ["profile_ignored"]
    assert "ZULIP_CONFIG" in report.the("profile_ignored")["message"]


@pytest.mark.parametrize("name", ["ZULIP_EMAIL", "ZULIP_SITE"])
def test_quotes_in_a_variable_are_a_fault(patient: Patient, name: str) -> None:
    report = patient.offline(**{name: '"https://z.x"'})

    assert "suspicious_value" in report.kinds
    assert report.the("suspicious_value")["place"] == name


def test_an_empty_option_is_a_fault(patient: Patient) -> None:
    assert "empty_argument" in patient.offline("--email", "").kinds


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_is_reported_and_its_responses_count(patient: Patient, name: str) -> None:
    with serving() as proxy:
        proxy.otherwise = zulip()
        patient.write(patient.good_text.replace(patient.server.site, "http://chat.example.com"))
        address = proxy.site.replace("http://", "http://ann:proxypassword@")
        report = patient.examined(**{name: address})

    assert report.kinds == ["plain_http", "proxy"]
    assert "key_accepted" in report.good
    assert report.the("proxy")["place"] == name.upper()
    assert f"127.0.0.1:{proxy.port}" in report.the("proxy")["message"]
    assert "proxypassword" not in report.done.out
    assert len(proxy.seen) == 3


@pytest.fixture
def far(patient: Patient) -> Patient:
    """A person whose site is not on this machine."""
    patient.write(patient.good_text.replace(patient.server.site, FAR))
    return patient


def test_a_proxy_that_does_not_answer_is_a_fault(far: Patient) -> None:
    with serving() as gone:
        pass
    report = far.examined(HTTP_PROXY=gone.site)

    assert report.kinds == ["plain_http", "proxy", "proxy_failed"]
    assert far.server.seen == []


def test_a_response_from_the_proxy_itself_is_a_fault(far: Patient) -> None:
    with serving() as proxy:
        proxy.otherwise = html(403)
        report = far.examined(HTTP_PROXY=proxy.site)

    assert report.kinds == ["plain_http", "proxy", "not_a_zulip_server"]


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1080", "nonsense://x", "http://proxy:port"])
def test_an_invalid_proxy_is_a_fault(far: Patient, address: str) -> None:
    assert far.examined(HTTP_PROXY=address).kinds == ["plain_http", "proxy", "proxy_unusable"]


def test_a_proxy_without_an_address_is_a_fault(far: Patient) -> None:
    assert far.examined(HTTP_PROXY="http://[").kinds == ["plain_http", "proxy", "proxy_unusable"]


@pytest.mark.parametrize("exempt", ["chat.example.invalid", "*", "*.invalid", ".example.invalid:80"])
def test_a_proxy_is_not_reported_for_an_exempt_site(far: Patient, exempt: str) -> None:
    report = far.examined(HTTP_PROXY="http://127.0.0.1:9", NO_PROXY=exempt)

    assert report.kinds == ["plain_http", "name_unknown"]


def test_a_site_on_this_machine_needs_no_proxy(patient: Patient) -> None:
    assert patient.examined(HTTP_PROXY="http://127.0.0.1:9", ALL_PROXY="http://127.0.0.1:9").kinds == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_variable_of_other_programs_is_reported(patient: Patient, name: str) -> None:
    patient.write(patient.good_text.replace("http:", "https:"))
    assert patient.offline(**{name: "/etc/ca.pem"}).the("foreign_ca_variable")["place"] == name


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_variable_that_changes_the_trusted_certificates_is_reported(
    patient: Patient, tmp_path: Path, name: str
) -> None:
    patient.write(patient.good_text.replace("http:", "https:"))
    report = patient.offline(**{name: str(tmp_path)})

    assert report.kinds == ["moved_trust"]
    assert str(tmp_path) in report.the("moved_trust")["message"]
    assert "does not exist" in patient.offline(**{name: "/nowhere"}).the("moved_trust")["message"]


def test_a_missing_bundle_from_a_variable_of_other_programs_is_a_fault(patient: Patient) -> None:
    report = patient.offline(REQUESTS_CA_BUNDLE="/nowhere/ca.pem")

    assert report.kinds == ["bundle_not_found"]
    assert report.the("bundle_not_found")["place"] == "REQUESTS_CA_BUNDLE"


def test_without_tls_certificate_variables_are_not_reported(patient: Patient) -> None:
    assert patient.offline(REQUESTS_CA_BUNDLE=certifi.where(), SSL_CERT_FILE="/nowhere").kinds == []
