"""Server processes: the web server, the background worker beside it, and a clean end of both."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels

from hub.errors import AddressInUse, BadSettings

_HEAD = 65_536
"""Bytes of a request's head at most, about; 1,000 ids in a query fit."""

_OTHER_FILES = 512
_PARENT_CHECK = 1.0
"""Seconds after which a worker notices that its parent was killed."""


def check_front(host: str, port: int, tls: tuple[Path, Path] | None) -> None:
    """Make sure that the port can be listened on and that the TLS files (certificate chain, key) can be used.

    Raises:
        AddressInUse: another program has the port, or the address is not this machine's.
        BadSettings: a TLS file cannot be read, or the key does not belong to the certificate.
    """
    if tls is not None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*tls)
        except ssl.SSLError as error:
            fault = f"tls_cert {tls[0].name} and tls_key {tls[1].name} cannot be used: {error.reason or 'no PEM'}"
            raise BadSettings(fault) from None
        except OSError as error:
            raise BadSettings(f"tls_cert {tls[0].name} or tls_key {tls[1].name}: {error.strerror}") from None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise AddressInUse(f"port {port} needs more rights: choose one above 1023") from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise AddressInUse(f"{host} is no address of this machine: choose another with --host") from None
            raise AddressInUse(
                f"port {port} on {host} is taken by another program: stop it, or choose another with --port"
            ) from None


def serve(
    target: str,
    *,
    host: str,
    port: int,
    processes: int,
    threads: int,
    connections: int,
    idle: float,
    tls: tuple[Path, Path] | None,
    background: Callable[[], None] | None,
) -> None:
    """Serve a WSGI application factory until SIGTERM or SIGINT; both end it cleanly.

    Args:
        target: ``module:factory``; called in each server process, so settings come from the environment.
        host, port: where. processes: of the web server. threads, connections: of each of them, at most.
        idle: seconds that a request's head may take and a connection may be idle.
        tls: certificate and key files in PEM, or None.
        background: run in a process of its own beside the server; must be importable by name and end on SIGTERM.

    Raises:
        AddressInUse, BadSettings: see `check_front`.
    """
    check_front(host, port, tls)
    _allow_files(connections + _OTHER_FILES)
    server = Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=processes,
        blocking_threads=threads,
        backpressure=connections,
        # Only in this mode is a connection that never says anything closed; and no client of TAXII needs HTTP/2.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=round(idle * 1000), max_buffer_size=_HEAD),
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        log_access=False,
        log_level=LogLevels.error,
        websockets=False,
        ssl_cert=tls[0] if tls else None,
        ssl_key=tls[1] if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    worker = None
    if background is not None:
        worker = multiprocessing.get_context("spawn").Process(target=background, name="threathub-worker")
        worker.start()
    try:
        server.serve()
    finally:
        if worker is not None:
            worker.terminate()
            worker.join(8)
            if worker.is_alive():
                worker.kill()


def _allow_files(number: int) -> None:
    """Raise this process's limit of open files, and that of those it starts, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM, SIGINT and the parent's death set, for a background process."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()

    def watch() -> None:
        while not stop.wait(_PARENT_CHECK):
            if os.getppid() != parent:
                stop.set()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    return stop
