"""What is recorded about every request: its metrics, and a log line if that is enabled."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import final

from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.http.admission import Admission
from keybearer.server.http.request import Request
from keybearer.server.metrics import Metrics

PROXY_NAMED_EVERY = timedelta(hours=1)
"""How often the log mentions a proxy that is not trusted."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger(__name__)


@final
class RequestLog:
    """Records each request when it is answered.

    A line has the pattern of the path and no query, because a path may contain a token and a query a key.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], datetime], *, writes_lines: bool) -> None:
        self._metrics = metrics
        self._writes_lines = writes_lines
        self.is_on = writes_lines or metrics.is_on
        """Whether anything is recorded about a request that did not come through a proxy."""
        self._proxies: OnceEvery[str] = OnceEvery(PROXY_NAMED_EVERY, clock)

    def note(self, admission: Admission, path: str, status: int, seconds: float) -> None:
        """Record a request to a path with this pattern and its status. The status is 0 if the client had
        disconnected.
        """
        request = admission.request
        if request.untrusted_proxy is not None:
            self._name_proxy(request.untrusted_proxy)
        if not self.is_on:
            return
        self._metrics.note_request(f"{_method(request)} {path}", status, seconds)
        if self._writes_lines:
            self._write(admission, path, status, seconds)

    def _write(self, admission: Admission, path: str, status: int, seconds: float) -> None:
        request, identified = admission.request, admission.identified
        account_id = None if identified is None else identified.caller.id
        fields = {
            "method": _method(request),
            "route": path,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "account_id": account_id,
            "address": request.origin.address,
        }
        who = "nobody known" if account_id is None else f"account {account_id}"
        what = "answered with %(status)d in" if status else "abandoned by its client after"
        _log.info(
            f"%(method)s %(route)s {what} %(milliseconds).1f ms, for {who} from %(address)s",
            fields,
            extra=fields,
        )

    def _name_proxy(self, address: str) -> None:
        # Anybody can send such headers, but a proxy is usually in the same network. All strangers share one line.
        if self._proxies.is_due(address if _is_near(address) else "strangers"):
            _log.warning(
                "a request from %s has the headers of a proxy, but this proxy is not trusted, so they are "
                "ignored: if that is your proxy, set KEYBEARER_TRUSTED_PROXIES=%s",
                address,
                address,
            )


def _method(request: Request) -> str:
    """The method, by a name from a fixed list. A method that a client invents gets no series of its own."""
    method = "HEAD" if request.is_head else request.method
    return method if method in METHODS else "other"


def _is_near(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False
