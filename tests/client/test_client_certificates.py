"""Client certificates, over real handshakes. Each test runs with both clients."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from keybearer import TLSOptions
from keybearer.client.http.tls import build_context
from keybearer.errors import TLSFailed
from tests.client.authority import DAY, NOW, Authority, Serve, credentials, reason_of
from tests.client.callers import Opener
from tests.client.scripted_server import ScriptedServer


@pytest.fixture
def client_files(authority: Authority) -> dict[str, str]:
    """The files of a client certificate, in common forms."""
    certificate = authority.ca.issue_cert("bot@example.com")
    chain = b"".join(one.bytes() for one in certificate.cert_chain_pems)
    key = certificate.private_key_pem.bytes()
    encrypted = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    return {
        "cert": authority.write("client.pem", chain),
        "key": authority.write("client.key", key),
        "both": authority.write("both.pem", key + chain),
        "encrypted": authority.write("encrypted.key", encrypted),
        "another key": authority.write("another.key", authority.ca.issue_cert("x@y.org").private_key_pem.bytes()),
    }


@pytest.fixture
def demanding(authority: Authority, serve: Serve) -> ScriptedServer:
    """A server that requires a client certificate from our authority."""
    return serve(authority.server_context(client_ca=authority.ca))


def test_a_client_certificate_and_its_key_are_sent(
    open_client: Opener, authority: Authority, demanding: ScriptedServer, client_files: dict[str, str]
) -> None:
    tls = {"cert_bundle": authority.bundle, "client_cert": client_files["cert"], "client_cert_key": client_files["key"]}
    assert open_client(credentials(demanding.site, **tls)).get_profile().user_id == 7


def test_a_client_certificate_with_its_key_in_one_file_is_sent(
    open_client: Opener, authority: Authority, demanding: ScriptedServer, client_files: dict[str, str]
) -> None:
    tls = {"cert_bundle": authority.bundle, "client_cert": client_files["both"]}
    assert open_client(credentials(demanding.site, **tls)).get_profile().user_id == 7


def test_a_client_certificate_is_sent_with_insecure_too(
    open_client: Opener, demanding: ScriptedServer, client_files: dict[str, str]
) -> None:
    assert open_client(credentials(demanding.site, insecure=True, client_cert=client_files["both"])).get_profile()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_requires_a_certificate_is_reported(
    open_client: Opener, authority: Authority, demanding: ScriptedServer, method: str
) -> None:
    with pytest.raises(TLSFailed) as caught:
        client = open_client(credentials(demanding.site, cert_bundle=authority.bundle))
        client.request(method, "messages", {"content": "x" * 100_000} if method == "POST" else None)
    assert caught.value.reason == "client_certificate_required"
    assert demanding.seen == []


def test_before_tls_1_3_a_server_that_requires_a_certificate_is_reported_too(
    open_client: Opener, authority: Authority, serve: Serve
) -> None:
    context = authority.server_context(client_ca=authority.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = serve(context)
    assert reason_of(open_client, server.site, cert_bundle=authority.bundle) == "client_certificate_required"


def test_a_certificate_of_another_issuer_is_refused(
    open_client: Opener, authority: Authority, serve: Serve, client_files: dict[str, str]
) -> None:
    server = serve(authority.server_context(client_ca=trustme.CA()))
    reason = reason_of(open_client, server.site, cert_bundle=authority.bundle, client_cert=client_files["both"])
    assert reason == "bad_client_certificate"


def test_an_expired_client_certificate_is_refused(
    open_client: Opener, authority: Authority, demanding: ScriptedServer
) -> None:
    expired = authority.ca.issue_cert("bot@example.com", not_before=NOW - 3 * DAY, not_after=NOW - DAY)
    both = authority.write("expired.pem", expired.private_key_and_cert_chain_pem.bytes())
    reason = reason_of(open_client, demanding.site, cert_bundle=authority.bundle, client_cert=both)
    assert reason == "bad_client_certificate"


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("cert", None, "no private key"),
        ("cert", "another key", "does not belong"),
        ("cert", "encrypted", "encrypted"),
        ("key", None, "no PEM certificate"),
        ("cert", "cert", "no private key"),
        ("absent", None, "cannot be read"),
        ("cert", "absent", "cannot be read"),
    ],
)
def test_each_fault_of_a_client_certificate_is_reported(
    client_files: dict[str, str], cert: str, key: str | None, said: str
) -> None:
    files = {**client_files, "absent": "/nowhere/absent"}
    with pytest.raises(TLSFailed, match=said) as caught:
        build_context(TLSOptions(client_cert=files[cert], client_cert_key=files[key] if key else None))
    assert caught.value.reason == "bad_client_certificate"
    assert files[key or cert] in str(caught.value)


def test_the_first_call_reports_a_fault_of_a_client_certificate(
    open_client: Opener, demanding: ScriptedServer, client_files: dict[str, str]
) -> None:
    assert reason_of(open_client, demanding.site, client_cert=client_files["cert"]) == "bad_client_certificate"


@pytest.mark.parametrize(("typed", "said"), [("open sesame", "usable"), ("open barley", "is wrong")])
def test_on_a_terminal_the_client_asks_for_the_passphrase_of_a_key(
    client_files: dict[str, str], typed: str, said: str
) -> None:
    script = (
        "import sys; from keybearer import TLSOptions; from keybearer.client.http.tls import build_context\n"
        "try: build_context(TLSOptions(client_cert=sys.argv[1], client_cert_key=sys.argv[2])); print('usable')\n"
        "except Exception as error: print(error)"
    )
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", script, client_files["cert"], client_files["encrypted"]]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True):
        os.close(theirs)
        shown = b""
        while b"Passphrase of" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, typed.encode() + b"\n")
        with contextlib.suppress(OSError):  # this means that the other end of the terminal is closed
            while chunk := os.read(ours, 1000):
                shown += chunk
    os.close(ours)
    assert said in shown.decode()
    assert typed not in shown.decode()
