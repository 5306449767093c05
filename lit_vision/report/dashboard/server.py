"""The dashboard on localhost, following running jobs. No torch here.

An address is looked up among the pages of the site and never becomes a path, so nothing else can be read through it.
Pages are made when asked for; `live.json` beside each tells an open page what has changed since it was made.
"""

import ipaddress
import socket
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lit_vision.errors import InputError
from lit_vision.report.dashboard import render
from lit_vision.report.dashboard.site import PAGE, Found, Site

NEWS = "live.json"
SECONDS = 3  # between two questions for news
LOCAL = ("localhost", "127.0.0.1", "::1")
SCRIPT = "text/javascript; charset=utf-8"
HTML, JSON, TEXT = "text/html; charset=utf-8", "application/json; charset=utf-8", "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """Serves a site; `serve_forever` runs it.

    Args:
        site: Its pages.
        host: Address to listen at.
        port: Port; 0 takes a free one.

    Raises:
        InputError: If the address or the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, site: Site, host: str, port: int) -> None:
        self.site = site
        self.host = host
        self.lock = threading.Lock()  # requests come in threads, and the site remembers what it read
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise InputError(
                f"cannot listen at {host}, port {port} ({error.strerror}); choose another --port"
            ) from None

    @property
    def url(self) -> str:
        """Where the first page is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_address[1]}/"

    def answer(self, path: str, since: str) -> tuple[HTTPStatus, str, str]:
        """Status, type and content for a decoded path; `since` is the stamp that the asking page has."""
        folder, _, name = path.removeprefix("/").rpartition("/")
        if path == f"/{render.library_name()}":
            return HTTPStatus.OK, SCRIPT, render.library()
        if name not in ("", PAGE, NEWS):
            return HTTPStatus.NOT_FOUND, TEXT, "no such page"
        with self.lock:
            try:
                return self._page(self.site.scan(), folder, name, since)
            except InputError as error:
                return HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, str(error)

    def _page(self, found: Sequence[Found], folder: str, name: str, since: str) -> tuple[HTTPStatus, str, str]:
        by_key = {entry.key: entry for entry in found}
        entry = by_key.get(folder)
        if entry is None and folder:
            return HTTPStatus.NOT_FOUND, TEXT, "no such page"
        stamp = entry.stamp if entry else self.site.stamp(found)
        if name == NEWS and stamp == since:
            return HTTPStatus.NO_CONTENT, TEXT, ""
        content = self.site.run_content(entry) if entry else self.site.content(found)
        if name == NEWS:
            self.site.write(found)  # so that the file on the disk tells the same
            return HTTPStatus.OK, JSON, render.live(content, stamp)
        return HTTPStatus.OK, HTML, render.page(content, stamp, self.site.to_root(folder), SECONDS)


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for hosts that are this machine."""

    server: Server
    server_version = "lit-vision"
    sys_version = ""

    def do_GET(self) -> None:
        """A page or its news."""
        self._reply(body=True)

    def do_HEAD(self) -> None:
        """The same without content."""
        self._reply(body=False)

    def _reply(self, body: bool) -> None:
        if not allowed(self.headers.get("Host", ""), self.server.host):
            return self._send(HTTPStatus.FORBIDDEN, TEXT, "this host name is not served", body)
        parts = urlsplit(self.path)
        since = parse_qs(parts.query).get("since", [""])[0]
        return self._send(*self.server.answer(unquote(parts.path), since), body)

    def _send(self, status: HTTPStatus, kind: str, text: str, body: bool) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in _headers(kind).items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body and content:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line a request would bury everything else."""


def _headers(kind: str) -> dict[str, str]:
    return {
        "Content-Type": kind,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed(header: str, host: str) -> bool:
    """Whether a request's Host header names this machine.

    A page of elsewhere may let its own name point here (DNS rebinding) and would then read what we answer; the header
    still says that name. The port may differ, as through an SSH tunnel.

    Args:
        header: `name`, `name:port` or `[address]:port`.
        host: Address that the server listens at.
    """
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if name in LOCAL or name == host.lower():
        return True
    if is_loopback(host):
        return False
    try:
        ipaddress.ip_address(name)
        return True  # a bare address belongs to no foreign domain
    except ValueError:
        return name in (socket.gethostname().lower(), socket.getfqdn().lower())
