"""The server as processes: one that watches the port and the workers, and the workers that answer."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import gc
import logging
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from starlette.types import ASGIApp

from keybearer.errors import FileError, KeybearerError, SettingError
from keybearer.server import event_loop
from keybearer.server.app import create_app_from_environ
from keybearer.server.http.shared_limits import SharedWindows
from keybearer.server.logs import logging_config
from keybearer.server.metrics import published
from keybearer.server.services import server_data, setup
from keybearer.server.services.messaging import old_uploads
from keybearer.server.settings import VARIABLES, Settings
from keybearer.server.storage import data_dir
from keybearer.server.workers import BACKLOG, Supervisor, connections_within, raise_descriptor_limit

STOP_WITHIN = 10
"""Seconds that a worker may take to finish its work when the server stops."""

TAKEN_WITHIN = 60_000
"""Milliseconds after which a connection is closed if its client does not read what is sent to it."""

FEW_CONNECTIONS = 4096
"""The server warns at the start if a worker may hold fewer connections than this. Every program that waits for events
holds one.
"""

READY_WITHIN = 60.0
PROBE_EVERY = 0.02

_M_ARENA_MAX = -8
"""The number of this setting in glibc's `mallopt`."""

_log = logging.getLogger(__name__)


def serve(settings: Settings, tell: Callable[[str], None]) -> None:
    """Run the server until SIGTERM or SIGINT. `tell` is called with lines for the operator as they become true.

    An empty data directory is set up first. Raises KeybearerError before answering any request if the server cannot
    run.
    """
    with listening(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        check_tls(settings)
        if settings.limits_url:
            SharedWindows(settings.limits_url)  # reports here, and not in each worker, that its package is missing
        data_dir.make(settings.data_dir)
        with data_dir.locked(settings.data_dir, site_of(settings)):
            lines = asyncio.run(_prepare(settings))
            _run(settings, listener, lines, tell)


async def _prepare(settings: Settings) -> list[str]:
    await server_data.prepare(settings)
    async with server_data.opened(settings) as context:
        files = await old_uploads.move_into_database(context)
        moved = [f"{files.written} uploaded files have moved into the database."] if files.written else []
        token = await setup.create_setup_link(context)
        site = site_of(settings)
        if token is not None:
            link = f"{site}/setup/{token.reveal()}/"
            return [f"Keybearer is ready at {site}", "Create the organization here; the link works once:", link]
        realm = await context.realm.find()
        assert realm is not None
        return [f"Keybearer is ready at {site}", f"Sign in at {realm.site}/login/", *moved]


def site_of(settings: Settings) -> str:
    """The address at which a browser on this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  recognised, not bound
    scheme, usual = ("https", 443) if settings.uses_tls else ("http", 80)
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if settings.port == usual else f"{scheme}://{host}:{settings.port}"


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket at that port that no other program shares, or at a free port if it is 0. Raises SettingError.

    Connections inherit its options, so that a connection is closed in time if its client is gone or does not read an
    answer.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise SettingError(VARIABLES["host"], f"{host!r} is not an address of this machine") from None
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as listener:
        # Connections left behind by a stopped server do not block the port. Another listener does.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TAKEN_WITHIN)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise _bind_error(error, host, port) from None
        yield listener


def _bind_error(error: OSError, host: str, port: int) -> KeybearerError:
    if error.errno == errno.EADDRINUSE:
        return SettingError(
            VARIABLES["port"],
            f"port {port} of {host} is used by another program",
            hint="Stop that one (it may be another Keybearer), or choose another port with --port.",
        )
    if error.errno == errno.EACCES:
        return SettingError(
            VARIABLES["port"], f"this user lacks the rights for port {port}", hint="Choose port 1024 or higher."
        )
    return SettingError(VARIABLES["host"], f"cannot listen on {host}: {error.strerror}")


def check_tls(settings: Settings) -> None:
    """Raise FileError or SettingError unless the certificate, its key and the authority can be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    for path in (settings.tls_cert, settings.tls_key, settings.tls_client_ca):
        if path is not None:
            _check_readable(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An encrypted key is refused, because the server cannot ask anybody for its password.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: "")
    except (ssl.SSLError, ValueError):
        raise SettingError(
            VARIABLES["tls_cert"],
            f"{settings.tls_cert} and {settings.tls_key} are not a certificate and its key",
            hint="Use two PEM files that belong together. The key must not be encrypted.",
        ) from None
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except ssl.SSLError:
            raise SettingError(
                VARIABLES["tls_client_ca"], f"{settings.tls_client_ca} holds no certificate", hint="Use a PEM file."
            ) from None


def _check_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None


def _run(settings: Settings, listener: socket.socket, lines: list[str], tell: Callable[[str], None]) -> None:
    os.environ.update(settings.to_environ())
    connections = connections_within(raise_descriptor_limit())
    lines.append(f"Each worker holds up to {connections} connections at once.")
    if connections < FEW_CONNECTIONS:
        _log.warning(
            "the limit on open files allows each worker only %d connections: raise it with "
            "`ulimit -Hn`, or with LimitNOFILE= in a systemd unit",
            connections,
        )
    server = granian(settings, listener, connections)
    server.on_startup(partial(_report_when_ready, settings, listener.getsockname()[0], lines, tell))
    address = settings.metrics_address
    with nullcontext() if address is None else published(*address):
        server.serve(target_loader=partial(load_application, os.getpid(), connections), wrap_loader=False)


def granian(settings: Settings, listener: socket.socket, connections: int, loop: str = event_loop.NAME) -> Supervisor:
    """Granian as Keybearer runs it, with the event loop that Granian knows by that name. What it serves is passed when
    it is started.
    """
    return Supervisor(
        listener,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=loop,
        workers=settings.workers,
        backpressure=connections,
        http=HTTPModes.http1,  # with HTTP/2, Granian never closes an idle connection
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=logging_config(settings.log_format, settings.log_level),
        log_access=False,  # a query string may hold a key (Zulip's webhooks): the front door writes lines without it
        ssl_cert=settings.tls_cert,
        ssl_key=settings.tls_key,
        ssl_ca=settings.tls_client_ca,
        ssl_client_verify=settings.tls_client_ca is not None,
        workers_kill_timeout=STOP_WITHIN,
    )


def load_application(parent: int, connections: int, on_started: Callable[[], None]) -> ASGIApp:
    """The application for a worker that may hold this many connections. A worker also ends when its parent is
    killed.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # a forked worker has its parent's handlers, which end nothing here
        signal.signal(number, signal.SIG_DFL)
    _share_memory_between_threads()
    threading.Thread(target=_exit_with_parent, args=(parent,), name="keybearer-parent-watch", daemon=True).start()
    application = create_app_from_environ(connections, on_started)
    # What is loaded now lives as long as the worker. Scanning it for garbage again and again costs a tenth of each
    # request, and requests leave almost no garbage.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return application.answer


def _share_memory_between_threads() -> None:
    """Let the threads of this process use the same memory. By itself, glibc gives each thread a part of its own, and
    what is free in one part is of no use to the others. Other C libraries have no such setting.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _report_when_ready(settings: Settings, address: str, lines: list[str], tell: Callable[[str], None]) -> None:
    def watch() -> None:
        if _wait_for_answer(settings, address):
            for line in lines:
                tell(line)

    threading.Thread(target=watch, name="keybearer-ready", daemon=True).start()


def _wait_for_answer(settings: Settings, address: str) -> bool:
    """Wait until a worker answers. False if none does in time, which the workers' own log explains."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104  recognised, not bound
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        time.sleep(PROBE_EVERY)
        try:
            with socket.create_connection((reachable, settings.port), timeout=5) as connection:
                if _is_answered(connection, tls=settings.uses_tls):
                    return True
        except OSError:
            continue
    return False


def _is_answered(connection: socket.socket, *, tls: bool) -> bool:
    if tls:  # a handshake is enough, and nothing more is possible if client certificates are required
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.wrap_socket(connection).close()
        return True
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return bool(connection.recv(1))
