"""Checks of the certificate files on this machine."""

from __future__ import annotations

import contextlib
import datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from keybearer.client.http.certificates import certificate, certificates
from tests.cli.commands.doctor.authorities import DAY, NOW, Authority, point_to
from tests.cli.commands.doctor.patients import Patient

SITE = "https://chat.example.com"


@pytest.fixture
def authority(patient: Patient) -> Authority:
    directory = patient.keybearer.home / "certificates"
    directory.mkdir()
    return Authority(directory)


@pytest.mark.parametrize("setting", ["cert_bundle", "client_cert"])
def test_a_missing_file_is_a_fault(patient: Patient, setting: str) -> None:
    point_to(patient, SITE, **{setting: "/nowhere/file.pem"})
    kind = "bundle_not_found" if setting == "cert_bundle" else "cert_not_found"
    report = patient.offline()

    assert report.kinds == [kind]
    assert report.the(kind)["place"] == f"{patient.path}:5"


def test_each_missing_file_is_reported(patient: Patient) -> None:
    point_to(patient, SITE, cert_bundle="/nowhere/a", client_cert="/nowhere/b", client_cert_key="/nowhere/c")
    assert patient.offline().kinds == ["bundle_not_found", "cert_not_found", "cert_not_found"]


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_a_bundle_without_a_certificate_is_a_fault(patient: Patient, authority: Authority, content: bytes) -> None:
    point_to(patient, SITE, cert_bundle=authority.write("bad.pem", content))
    report = patient.offline()

    assert report.kinds == ["bad_bundle"]
    assert report.the("bad_bundle")["place"] == f"{patient.path}:5"


def test_an_empty_directory_of_certificates_is_a_fault(patient: Patient, authority: Authority) -> None:
    point_to(patient, SITE, cert_bundle=str(authority.directory))
    assert patient.offline().kinds == ["bad_bundle"]


def test_a_bundle_of_expired_certificates_is_a_fault(patient: Patient, authority: Authority) -> None:
    expired = authority.ca.issue_cert("127.0.0.1", not_before=NOW - 3 * DAY, not_after=NOW - DAY)
    own = expired.cert_chain_pems[0].bytes()
    point_to(patient, SITE, cert_bundle=authority.write("expired.pem", own))
    assert patient.offline().kinds == ["bundle_expired"]

    point_to(patient, SITE, cert_bundle=authority.write("both.pem", own + authority.ca.cert_pem.bytes()))
    assert patient.offline().kinds == []


def test_a_valid_client_certificate_has_no_fault(patient: Patient, authority: Authority) -> None:
    point_to(patient, SITE, client_cert=authority.client_certificate())
    assert patient.offline().kinds == []


@pytest.mark.parametrize(
    ("days", "kinds"), [(-1, ["client_certificate_expired"]), (10, ["client_certificate_expiring"]), (31, [])]
)
def test_the_expiry_of_a_client_certificate_is_reported(
    patient: Patient, authority: Authority, days: int, kinds: list[str]
) -> None:
    point_to(patient, SITE, client_cert=authority.client_certificate(days))
    assert patient.offline().kinds == kinds


def test_a_client_certificate_key_that_others_can_read_is_reported(patient: Patient, authority: Authority) -> None:
    point_to(patient, SITE, client_cert=authority.client_certificate(mode=0o644))
    assert patient.offline().kinds == ["client_key_readable"]


def test_the_key_of_another_certificate_is_a_fault(patient: Patient, authority: Authority) -> None:
    other = authority.write("other.key", authority.ca.issue_cert("x@y.org").private_key_pem.bytes())
    point_to(patient, SITE, client_cert=authority.client_certificate(), client_cert_key=other)
    report = patient.offline()

    assert report.kinds == ["bad_client_certificate"]
    assert "does not belong" in report.the("bad_client_certificate")["message"]


def test_a_certificate_without_its_key_is_a_fault(patient: Patient, authority: Authority) -> None:
    issued = authority.ca.issue_cert("x@y.org").cert_chain_pems[0].bytes()
    point_to(patient, SITE, client_cert=authority.write("cert.pem", issued))
    report = patient.offline()

    assert report.kinds == ["bad_client_certificate"]
    assert "no private key" in report.the("bad_client_certificate")["message"]


def test_faults_of_bundle_and_client_certificate_are_reported_together(patient: Patient, authority: Authority) -> None:
    point_to(patient, SITE, cert_bundle=authority.write("a.pem", b"a"), client_cert=authority.write("b.pem", b"b"))
    assert patient.offline().kinds == ["bad_bundle", "bad_client_certificate"]


def test_with_an_invalid_tls_setting_the_server_is_not_asked(patient: Patient) -> None:
    point_to(patient, patient.server.site, insecure="perhaps")
    assert patient.examined().kinds == ["bad_boolean"]
    assert patient.server.seen == []


def test_insecure_is_reported(patient: Patient) -> None:
    point_to(patient, SITE, insecure="true")
    report = patient.offline()

    assert report.kinds == ["insecure"]
    assert report.done.err == ""


def test_the_passphrase_of_a_key_is_asked_for_once(patient: Patient, authority: Authority) -> None:
    issued = authority.ca.issue_cert("bot@example.com")
    encrypted = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    chain = b"".join(one.bytes() for one in issued.cert_chain_pems)
    with authority.serving(client_ca=authority.ca) as server:
        point_to(
            patient,
            server.site,
            cert_bundle=authority.bundle,
            client_cert=authority.write("client.pem", chain),
            client_cert_key=authority.write("client.key", encrypted),
        )
        done = patient.keybearer.on_terminal("doctor", answers={"Passphrase of": "open sesame\n"})

    assert done.code == 0
    assert done.out.count("Passphrase of") == 1
    assert "The key is accepted" in done.out


@pytest.fixture(scope="module")
def issuer() -> trustme.CA:
    return trustme.CA()


@settings(max_examples=40, deadline=None)
@given(
    begins=st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2090, 1, 1)),  # noqa: DTZ001 - hypothesis wants it so
    days=st.integers(1, 40_000),
)
def test_the_dates_of_a_certificate_are_read_correctly(
    issuer: trustme.CA, begins: datetime.datetime, days: int
) -> None:
    begins = begins.replace(microsecond=0, tzinfo=datetime.UTC)
    ends = begins + datetime.timedelta(days=days)
    pem = issuer.issue_cert("x.org", not_before=begins, not_after=ends).cert_chain_pems[0].bytes()

    found = next(iter(certificates(pem + issuer.cert_pem.bytes())))
    assert (found.begins, found.ends) == (begins, ends)


@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 400))
def test_bytes_that_are_not_a_certificate_have_no_dates(
    issuer: trustme.CA, noise: bytes, start: int, length: int
) -> None:
    der = x509.load_pem_x509_certificate(issuer.cert_pem.bytes()).public_bytes(serialization.Encoding.DER)
    for data in (noise, der[:start], der[: start + 1] + noise + der[start + 1 + length :]):
        with contextlib.suppress(ValueError):
            assert certificate(data).begins.tzinfo is datetime.UTC
