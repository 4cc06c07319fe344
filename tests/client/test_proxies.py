"""The proxy of a call, its errors and `keybearer doctor`, which is decided in one place."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.http.proxies import proxy_for
from keybearer.errors import Unreachable
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials
from tests.client.callers import Opener
from tests.client.scripted_server import EMAIL, KEY, ScriptedServer

PROXY = "http://ann:proxypassword@proxy.example:3128"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("site", "variable", "chosen"),
    [
        ("https://chat.example.com", "HTTPS_PROXY", True),
        ("https://chat.example.com", "https_proxy", True),
        ("https://chat.example.com", "ALL_PROXY", True),
        ("https://chat.example.com", "HTTP_PROXY", False),
        ("http://chat.example.com", "HTTP_PROXY", True),
        ("http://chat.example.com", "HTTPS_PROXY", False),
        ("http://localhost:9991", "HTTP_PROXY", False),
        ("http://chat.localhost", "HTTP_PROXY", False),
        ("http://127.0.0.53:9991", "ALL_PROXY", False),
        ("http://[::1]:9991", "ALL_PROXY", False),
        ("http://localhost.example.com", "HTTP_PROXY", True),
    ],
)
def test_the_variable_of_the_scheme_names_the_proxy_but_never_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, site: str, variable: str, chosen: bool
) -> None:
    monkeypatch.setenv(variable, PROXY)
    found = proxy_for(site)

    assert (found is not None) == chosen
    if found is not None:
        assert (found.variable, found.url, found.address) == (variable.upper(), PROXY, "proxy.example:3128")
        assert "proxypassword" not in repr(found)


@pytest.mark.parametrize(
    ("exempt", "site", "is_exempt"),
    [
        ("*", "https://chat.example.com", True),
        ("chat.example.com", "https://chat.example.com", True),
        ("CHAT.example.com", "https://chat.example.com", True),
        ("example.com", "https://chat.example.com", True),
        (".example.com", "https://chat.example.com", True),
        ("*.example.com", "https://chat.example.com", True),
        ("x.org, *.example.com", "https://chat.example.com", True),
        ("ample.com", "https://chat.example.com", False),
        ("chat.example.com:443", "https://chat.example.com", True),
        ("chat.example.com:8443", "https://chat.example.com", False),
        ("chat.example.com:8443", "https://chat.example.com:8443", True),
        ("https://chat.example.com", "https://chat.example.com", True),
        ("https://chat.example.com/", "https://chat.example.com", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("2001:db8::/32", "https://[2001:db8::7]", True),
        ("chat.example.com.", "https://chat.example.com", True),
        ("[, :x, chat.example.com:port", "https://chat.example.com", False),
    ],
)
def test_no_proxy_exempts_hosts_ports_networks_and_subdomains(
    monkeypatch: pytest.MonkeyPatch, exempt: str, site: str, is_exempt: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", exempt)

    assert (proxy_for(site) is None) == is_exempt


@given(exemptions=st.text(st.sampled_from("abc.*:/[]0123456789, -@%"), max_size=30))
def test_any_text_in_no_proxy_is_handled(exemptions: str) -> None:
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("HTTPS_PROXY", PROXY)
        environ.setenv("NO_PROXY", exemptions)
        proxy_for("https://chat.example.com:8443")


@pytest.fixture
def refusing() -> Iterator[str]:
    """A proxy that requires a login for a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_proxy_that_requires_a_login_is_reported_as_such(
    open_client: Opener, refusing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", refusing)
    far = Credentials(EMAIL, Secret(KEY), "https://chat.example.invalid")
    with pytest.raises(Unreachable, match="The proxy requires a login"):
        open_client(far, retry=RetryPolicy(attempts=1)).get_profile()


@pytest.mark.parametrize("exempt", ["*.example.invalid", "chat.example.invalid:80", "http://chat.example.invalid"])
def test_a_call_and_its_error_agree_about_the_proxy(
    open_client: Opener, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("http_proxy", server.site)
    monkeypatch.setenv("no_proxy", exempt)
    far = Credentials(EMAIL, Secret(KEY), "http://chat.example.invalid")
    with pytest.raises(Unreachable, match="There is no host") as raised:
        open_client(far, retry=RetryPolicy(attempts=1)).get_profile()

    assert "proxy" not in str(raised.value).lower()
    assert server.seen == []
