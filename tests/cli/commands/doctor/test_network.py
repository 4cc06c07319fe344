"""Checks of the connection: the host name, the connection, the handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

import pytest
import trustme

from tests.cli.commands.doctor.authorities import Authority, point_to
from tests.cli.commands.doctor.patients import Patient, zulip
from tests.client.scripted_server import serving


@pytest.fixture
def authority(patient: Patient) -> Authority:
    directory = patient.keybearer.home / "certificates"
    directory.mkdir()
    return Authority(directory)


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The site of a server that handles each connection with `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def hang_up(connection: socket.socket) -> None:
    """Reset the connection, so that writing to it fails."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def test_a_name_that_cannot_be_resolved_is_a_fault(patient: Patient) -> None:
    point_to(patient, "https://zulip.invalid")
    report = patient.examined()

    assert report.kinds == ["name_unknown"]
    assert "zulip.invalid" in report.the("name_unknown")["message"]


def test_a_port_without_a_listener_is_a_fault(patient: Patient) -> None:
    with serving() as gone:
        pass
    point_to(patient, gone.site)
    report = patient.examined()

    assert report.kinds == ["connection_refused"]
    assert str(gone.port) in report.the("connection_refused")["message"]


def test_a_connection_that_times_out_is_a_fault(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        address = listener.getsockname()
        for _ in range(4):  # nothing accepts them: the queue is full, so further connections get no answer
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(address)
        point_to(patient, f"http://127.0.0.1:{address[1]}")
        report = patient.examined("--timeout", "0.3")

    assert report.kinds == ["connection_timeout"]
    assert "0.3 seconds" in report.the("connection_timeout")["message"]


def test_a_host_without_a_route_is_a_fault(patient: Patient) -> None:
    point_to(patient, "https://255.255.255.255")
    assert patient.examined("--timeout", "1").kinds == ["unreachable"]


@pytest.mark.parametrize("answer", [hang_up, say_nothing])
def test_a_server_that_accepts_the_connection_but_does_not_answer_is_a_fault(
    patient: Patient, answer: Callable[[socket.socket], None]
) -> None:
    with answering(answer) as address:
        point_to(patient, f"http://{address}")
        assert patient.examined("--timeout", "0.3").kinds == ["no_answer"]


def test_a_server_that_does_not_answer_over_tls_is_a_fault(patient: Patient) -> None:
    with answering(say_nothing) as address:
        point_to(patient, f"https://{address}")
        assert patient.examined("--timeout", "0.3").kinds == ["no_answer"]


def test_an_interrupted_handshake_is_a_fault(patient: Patient) -> None:
    with answering(hang_up) as address:
        point_to(patient, f"https://{address}")
        assert patient.examined().kinds == ["tls_failed"]


def test_a_valid_certificate_is_reported_with_its_expiry(patient: Patient, authority: Authority) -> None:
    with authority.serving() as server:
        point_to(patient, server.site, cert_bundle=authority.bundle)
        report = patient.examined()

    assert report.kinds == []
    assert "is good until 20" in report.the("certificate_valid")["message"]
    assert "key_accepted" in report.good


def test_an_untrusted_issuer_is_a_fault(patient: Patient, authority: Authority) -> None:
    with authority.serving() as server:
        point_to(patient, server.site)
        report = patient.examined()

    assert report.kinds == ["unknown_issuer"]
    assert "cert_bundle" in report.the("unknown_issuer")["remedy"]
    assert server.seen == []


def test_a_chain_with_a_missing_certificate_is_a_fault(patient: Patient, authority: Authority) -> None:
    middle = authority.ca.create_child_ca()
    leaf = middle.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    alone = authority.write("alone.pem", leaf.private_key_pem.bytes() + leaf.cert_chain_pems[0].bytes())
    context.load_cert_chain(alone)
    with serving(context) as server:
        point_to(patient, server.site, cert_bundle=authority.bundle)
        assert patient.examined().kinds == ["unknown_issuer"]


@pytest.mark.parametrize(
    ("begins", "ends", "kinds"),
    [
        (-400, -1, ["certificate_expired"]),
        (1, 400, ["certificate_not_yet_valid"]),
        (-400, 29, ["certificate_expiring"]),
        (-400, 31, []),
    ],
)
def test_the_validity_of_a_certificate_is_reported(
    patient: Patient, authority: Authority, begins: int, ends: int, kinds: list[str]
) -> None:
    with authority.serving(begins=begins, ends=ends) as server:
        point_to(patient, server.site, cert_bundle=authority.bundle)
        assert patient.examined().kinds == kinds


def test_an_expired_certificate_is_reported_even_with_insecure(patient: Patient, authority: Authority) -> None:
    with authority.serving(ends=-1) as server:
        point_to(patient, server.site, insecure="true")
        assert patient.examined().kinds == ["insecure", "certificate_expired"]


def test_a_certificate_for_another_name_is_a_fault(patient: Patient, authority: Authority) -> None:
    with authority.serving("other.example.com") as server:
        point_to(patient, server.site, cert_bundle=authority.bundle)
        assert patient.examined().kinds == ["name_mismatch"]


def test_a_required_client_certificate_is_reported(patient: Patient, authority: Authority) -> None:
    with authority.serving(client_ca=authority.ca) as server:
        point_to(patient, server.site, cert_bundle=authority.bundle)
        assert patient.examined().kinds == ["client_certificate_required"]


def test_an_accepted_client_certificate_has_no_fault(patient: Patient, authority: Authority) -> None:
    with authority.serving(client_ca=authority.ca) as server:
        point_to(patient, server.site, cert_bundle=authority.bundle, client_cert=authority.client_certificate())
        report = patient.examined()

    assert report.kinds == []
    assert "key_accepted" in report.good


def test_a_refused_client_certificate_is_reported(patient: Patient, authority: Authority) -> None:
    with authority.serving(client_ca=trustme.CA()) as server:
        point_to(patient, server.site, cert_bundle=authority.bundle, client_cert=authority.client_certificate())
        assert patient.examined().kinds == ["bad_client_certificate"]


def test_https_on_a_plain_port_is_a_fault(patient: Patient) -> None:
    point_to(patient, patient.server.site.replace("http:", "https:"))
    assert patient.examined().kinds == ["not_tls"]


def test_with_a_broken_bundle_the_connection_is_still_checked(patient: Patient) -> None:
    point_to(patient, "https://zulip.invalid", cert_bundle="/nowhere/ca.pem")
    assert patient.examined().kinds == ["bundle_not_found", "name_unknown"]


def test_an_international_host_name_is_reached(patient: Patient) -> None:
    point_to(patient, "https://bücher.invalid")
    assert patient.examined().kinds == ["name_unknown"]


def test_plain_http_has_no_findings_about_certificates(patient: Patient) -> None:
    patient.server.otherwise = zulip()
    assert "certificate_valid" not in patient.examined().good
