"""The TLS options of credentials, over real handshakes. Each test runs with both clients."""

from __future__ import annotations

import ipaddress
import logging
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keybearer import TLSOptions
from keybearer.client.http.tls import build_context
from keybearer.errors import TLSFailed, Unreachable
from tests.client.authority import DAY, NOW, Authority, Serve, credentials, reason_of
from tests.client.callers import Opener
from tests.client.scripted_server import serving
from tests.store.processes import in_a_child


def test_an_unknown_issuer_is_not_trusted(open_client: Opener, authority: Authority, serve: Serve) -> None:
    server = serve(authority.server_context())
    assert reason_of(open_client, server.site) == "unknown_issuer"
    assert server.seen == []


def test_a_bundle_with_the_issuer_is_trusted(open_client: Opener, authority: Authority, serve: Serve) -> None:
    server = serve(authority.server_context())
    assert open_client(credentials(server.site, cert_bundle=authority.bundle)).get_profile().user_id == 7


def test_a_bundle_with_the_servers_own_certificate_is_trusted(
    open_client: Opener, authority: Authority, serve: Serve
) -> None:
    certificate = authority.ca.issue_cert("127.0.0.1")
    leaf = authority.write("server.pem", certificate.cert_chain_pems[0].bytes())
    server = serve(authority.server_context(certificate))
    assert open_client(credentials(server.site, cert_bundle=leaf)).get_profile().user_id == 7


def write_self_signed(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate that is not an authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW - DAY, NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_path, certificate_path = directory / "own.key", directory / "own.pem"
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path


def test_a_self_signed_certificate_in_the_bundle_is_trusted(open_client: Opener, tmp_path: Path, serve: Serve) -> None:
    certificate, key = write_self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = serve(context)
    assert open_client(credentials(server.site, cert_bundle=str(certificate))).get_profile().user_id == 7
    assert reason_of(open_client, server.site) == "unknown_issuer"


def test_a_bundle_in_der_is_trusted(open_client: Opener, authority: Authority, serve: Serve) -> None:
    der = ssl.PEM_cert_to_DER_cert(Path(authority.bundle).read_text())
    server = serve(authority.server_context())
    bundle = authority.write("ca.der", der)
    assert open_client(credentials(server.site, cert_bundle=bundle)).get_profile().user_id == 7


def test_a_directory_of_certificates_is_trusted(
    open_client: Opener, authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    directory = tmp_path / "trusted"
    directory.mkdir()
    (directory / "another.crt").write_bytes(trustme.CA().cert_pem.bytes())
    shutil.copy(authority.bundle, directory / "ours.pem")
    (directory / "README").write_text("not a certificate")
    server = serve(authority.server_context())
    assert open_client(credentials(server.site, cert_bundle=str(directory))).get_profile().user_id == 7


def test_a_directory_that_openssl_has_hashed_is_trusted(
    open_client: Opener, authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    directory = tmp_path / "hashed"
    directory.mkdir()
    shutil.copy(authority.bundle, directory / "0123abcd.0")
    server = serve(authority.server_context())
    assert open_client(credentials(server.site, cert_bundle=str(directory))).get_profile().user_id == 7


def test_only_the_bundle_is_trusted(open_client: Opener, authority: Authority, serve: Serve) -> None:
    other = authority.write("other.pem", trustme.CA().cert_pem.bytes())
    server = serve(authority.server_context())
    assert reason_of(open_client, server.site, cert_bundle=other) == "unknown_issuer"


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"]
)
def test_a_bundle_without_a_certificate_is_reported(
    open_client: Opener, authority: Authority, serve: Serve, content: bytes
) -> None:
    server = serve(authority.server_context())
    bundle = authority.write("bad.pem", content)
    assert reason_of(open_client, server.site, cert_bundle=bundle) == "bad_bundle"


@pytest.mark.parametrize("closed", ["itself", "above"])
def test_an_unreadable_bundle_directory_is_reported(tmp_path: Path, closed: str) -> None:
    bundle = tmp_path / "above" / "certificates"
    bundle.mkdir(parents=True)
    (bundle if closed == "itself" else bundle.parent).chmod(0)

    def refused() -> None:
        if os.geteuid() == 0:
            os.setuid(4242)
        with pytest.raises(TLSFailed, match="cannot be read: Permission denied"):
            build_context(TLSOptions(cert_bundle=str(bundle)))

    try:
        assert in_a_child(refused) == 0
    finally:
        (bundle if closed == "itself" else bundle.parent).chmod(0o700)


def test_a_missing_bundle_and_an_empty_directory_are_reported(
    open_client: Opener, authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    server = serve(authority.server_context())
    (tmp_path / "empty").mkdir()
    assert reason_of(open_client, server.site, cert_bundle=str(tmp_path / "absent.pem")) == "bad_bundle"
    assert reason_of(open_client, server.site, cert_bundle=str(tmp_path / "empty")) == "bad_bundle"


def test_a_certificate_for_another_name_is_refused(open_client: Opener, authority: Authority, serve: Serve) -> None:
    server = serve(authority.server_context(authority.ca.issue_cert("other.example.com")))
    assert reason_of(open_client, server.site, cert_bundle=authority.bundle) == "name_mismatch"


def test_an_expired_certificate_is_refused(open_client: Opener, authority: Authority, serve: Serve) -> None:
    expired = authority.ca.issue_cert("127.0.0.1", not_before=NOW - 3 * DAY, not_after=NOW - DAY)
    server = serve(authority.server_context(expired))
    assert reason_of(open_client, server.site, cert_bundle=authority.bundle) == "expired"


def test_a_certificate_that_is_not_yet_valid_is_refused(
    open_client: Opener, authority: Authority, serve: Serve
) -> None:
    early = authority.ca.issue_cert("127.0.0.1", not_before=NOW + DAY, not_after=NOW + 3 * DAY)
    server = serve(authority.server_context(early))
    assert reason_of(open_client, server.site, cert_bundle=authority.bundle) == "not_yet_valid"


def test_insecure_works_and_warns(
    open_client: Opener, authority: Authority, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(authority.server_context(authority.ca.issue_cert("other.example.com")))
    with caplog.at_level(logging.WARNING, "keybearer.client"):
        assert open_client(credentials(server.site, insecure=True)).get_profile().user_id == 7
    assert "insecure" in caplog.text
    assert server.site in caplog.text


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_explicit_options_override_the_environment(
    open_client: Opener, authority: Authority, serve: Serve, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, authority.write("other.pem", trustme.CA().cert_pem.bytes()))
    server = serve(authority.server_context())
    assert open_client(credentials(server.site, cert_bundle=authority.bundle)).get_profile().user_id == 7
    assert open_client(credentials(server.site, insecure=True)).get_profile().user_id == 7
    monkeypatch.setenv(variable, authority.bundle)
    other = authority.write("third.pem", trustme.CA().cert_pem.bytes())
    assert reason_of(open_client, server.site, cert_bundle=other) == "unknown_issuer"


def test_by_default_pythons_certificates_are_trusted(
    open_client: Opener, authority: Authority, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.bundle)
    server = serve(authority.server_context())
    assert open_client(credentials(server.site)).get_profile().user_id == 7


# Client certificates


def test_tls_on_a_plain_port_is_reported(open_client: Opener) -> None:
    with serving() as plain:
        assert reason_of(open_client, plain.site.replace("http:", "https:")) == "not_tls"


def test_http_on_a_port_of_https_is_suspected(open_client: Opener, authority: Authority, serve: Serve) -> None:
    server = serve(authority.server_context())
    client = open_client(credentials(server.site.replace("https:", "http:")))
    with pytest.raises(Unreachable, match="the server may want https"):
        client.get_profile()


def test_if_python_has_no_certificates_certifis_bundle_is_used(tmp_path: Path) -> None:
    """As in a slim container, which has no certificates."""
    script = (
        "from keybearer.client.http.tls import build_context; from keybearer import TLSOptions;"
        "print(build_context(TLSOptions()).cert_store_stats()['x509_ca'])"
    )
    environ = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "none.pem"), "SSL_CERT_DIR": str(tmp_path / "none")}
    ran = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert int(ran.stdout) > 50


@pytest.mark.parametrize("sends_chain", [False, True])
def test_an_issuer_whose_certificate_the_server_does_not_send_is_named(
    open_client: Opener, tmp_path: Path, serve: Serve, sends_chain: bool
) -> None:
    root = trustme.CA(organization_name="Root Authority")
    middle = root.create_child_ca()
    unit = x509.load_pem_x509_certificate(middle.cert_pem.bytes()).subject.get_attributes_for_oid(
        NameOID.ORGANIZATIONAL_UNIT_NAME
    )
    leaf = middle.issue_cert("127.0.0.1")
    (tmp_path / "root.pem").write_bytes(root.cert_pem.bytes())
    (tmp_path / "leaf.pem").write_bytes(
        b"".join(one.bytes() for one in (leaf.cert_chain_pems if sends_chain else leaf.cert_chain_pems[:1]))
    )
    (tmp_path / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem", tmp_path / "key.pem")
    client = open_client(credentials(serve(context).site, cert_bundle=str(tmp_path / "root.pem")))
    if sends_chain:
        assert client.get_profile().user_id == 7
        return
    with pytest.raises(TLSFailed) as raised:
        client.get_profile()

    assert raised.value.reason == "unknown_issuer"
    assert str(unit[0].value) in raised.value.message
    assert "does not send" in raised.value.message
    assert "operator" in raised.value.hint
