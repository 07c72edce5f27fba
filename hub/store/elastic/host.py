"""Connections to one host of the cluster, with little patience for a machine that says nothing at all."""

from __future__ import annotations

from typing import Any

import elastic_transport
from elastic_transport import HttpHeaders, Urllib3HttpNode
from elastic_transport.client_utils import DEFAULT, DefaultType
from urllib3 import Timeout
from urllib3.exceptions import ConnectTimeoutError

TO_CONNECT = 3.0
"""Seconds in which a host takes a connection, with TLS, or is away: without power not even a refusal comes back."""


class Host(Urllib3HttpNode):
    """A node of the client that tells a host that is away from one that takes long to answer."""

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> Any:
        """Make a request.

        Raises:
            elastic_transport.ConnectionError: the host is away; it got nothing of the request.
        """
        answer_in = self.config.request_timeout if isinstance(request_timeout, DefaultType) else request_timeout
        limits = Timeout(connect=TO_CONNECT, read=answer_in)
        try:
            # It goes to urllib3 as it is.
            return super().perform_request(method, target, body, headers, limits)  # type: ignore[arg-type]
        except elastic_transport.ConnectionTimeout as error:
            if any(isinstance(cause, ConnectTimeoutError) for cause in error.errors):
                raise elastic_transport.ConnectionError(error.message, errors=error.errors) from error
            raise
