"""`lit-vision dashboard [RUNS…]`: pages of runs that open from disk, and a server that follows running jobs.

No torch here.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lit_vision.errors import InputError
from lit_vision.report import collect
from lit_vision.report.dashboard import server
from lit_vision.report.dashboard.site import Site
from lit_vision.runs import folder as runs
from lit_vision.verbs.arguments import Parser

PORT = 8321


def run(argv: Sequence[str]) -> int:
    """Writes the pages, then serves them unless `--no-serve` is given; returns the exit code."""
    arguments = _parser().read(argv)
    site = Site([Path(path) for path in arguments.runs], Path(arguments.out) if arguments.out else None)
    page = site.write()
    for text in site.left_out:
        collect.warn(text)
    if arguments.serve:
        _serve(site, page, arguments.host, arguments.port)
    else:
        print(f"open {page}")
    return 0


def _parser() -> Parser:
    parser = Parser("lit-vision dashboard", description="Pages of runs in a browser.")
    parser.add_argument("runs", nargs="*", default=[str(runs.ROOT)], help="folders of runs, or runs (runs)")
    parser.add_argument("--out", metavar="FOLDER", help="where the pages go; the runs' own folders if left out")
    parser.add_argument(
        "--serve", action=argparse.BooleanOptionalAction, default=True, help="serve the pages, following running jobs"
    )
    parser.add_argument("--port", type=int, help=f"port ({PORT}, or a free one)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1: this machine only)")
    return parser


def _serve(site: Site, page: Path, host: str, port: int | None) -> None:
    serving = _listen(site, host, port)
    if not server.is_loopback(host):
        print(f"warning: anyone who can reach this machine at {host} can read these runs", file=sys.stderr)
    print(f"open {serving.url} (or {page}); Ctrl-C ends the server", flush=True)
    try:
        serving.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        serving.server_close()


def _listen(site: Site, host: str, port: int | None) -> server.Server:
    """The server at the port asked for, or at ours, or at a free one where ours is taken."""
    if port is not None:
        if not 0 <= port < 2**16:
            raise InputError(f"--port takes a number from 0 to 65535, got {port}")
        return server.Server(site, host, port)
    try:
        return server.Server(site, host, PORT)
    except InputError:
        return server.Server(site, host, 0)
