"""The web server: its limits, its checks before the start, and a clean end."""

from __future__ import annotations

import errno
import resource
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels

from hub.errors import AddressInUse, BadSettings
from hub.ops.door import DoorPlan, run_door
from hub.ops.processes import kept_running

_HEAD = 65_536
"""Bytes of a request's head at most, about; 1,000 ids in a query fit."""

_OTHER_FILES = 512


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
    client_ca: Path | None = None,
    door: DoorPlan | None = None,
) -> None:
    """Serve a WSGI application factory until SIGTERM or SIGINT; both end it cleanly.

    Args:
        target: ``module:factory``; called in each server process, so settings come from the environment.
        host, port: where. processes: of the web server. threads, connections: of each of them, at most.
        idle: seconds that a request's head may take and a connection may be idle.
        tls: certificate and key files in PEM, or None.
        background: run in a process of its own beside the server, see `kept_running`.
        client_ca: authorities (PEM) one of which every client must have a certificate of, or None.
        door: a second listener, for clients with certificates, in a process of its own, or None.

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
        ssl_ca=client_ca,
        ssl_client_verify=client_ca is not None,
    )
    with ExitStack() as beside:
        if background is not None:
            beside.enter_context(kept_running(background))
        if door is not None:
            beside.enter_context(kept_running(partial(run_door, door)))
        server.serve()


def _allow_files(number: int) -> None:
    """Raise this process's limit of open files, and that of those it starts, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
