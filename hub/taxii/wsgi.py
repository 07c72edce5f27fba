"""The TAXII 2.1 server as one WSGI application: medallion's blueprints on our own Flask, behind our edge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import medallion
import orjson
from flask import Flask, request
from flask.json.provider import JSONProvider

from hub.access.signin import SignIn
from hub.admission.gate import Gate
from hub.errors import BadSettings
from hub.ops.uploads import Uploads
from hub.publish.collections import Collections
from hub.publish.publication import Publication
from hub.store.ports import Store
from hub.taxii.asked import ASKED, Front
from hub.taxii.backend import HubBackend, StoredBytes
from hub.taxii.edge import Edge
from hub.taxii.media import TAXII

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_RESERVED = ("taxii2",)


class _BytesAsTheyAre(JSONProvider):
    """Lets stored bytes through in both directions; everything else is small."""

    def dumps(self, obj: Any, **_options: Any) -> Any:
        return obj if isinstance(obj, StoredBytes) else orjson.dumps(obj)

    def loads(self, s: str | bytes, **_options: Any) -> StoredBytes:
        return StoredBytes(s.encode() if isinstance(s, str) else s)


def taxii_application(
    front: Front,
    collections: Collections,
    store: Store,
    gate: Gate,
    signin: SignIn,
    uploads: Uploads,
    fallback: WSGIApplication | None = None,
    publication: Publication | None = None,
) -> WSGIApplication:
    """Return an application that answers TAXII addresses and leaves all others to ``fallback``.

    TAXII's are ``/taxii2/``, everything below a declared API root, and whatever is asked for in TAXII's media type, so
    that an unknown API root is answered 404 in the right form. Paths are passed on as they came. ``uploads`` reads the
    bodies of all fronts of this process.

    Raises:
        BadSettings: a collection names an API root that ``front`` does not declare, or a root has a reserved name.
    """
    roots = {root.name for root in front.api_roots}
    if unknown := {one.api_root for one in collections if one.taxii} - roots:
        raise BadSettings(f"collections name API roots that are not declared: {', '.join(sorted(unknown))}")
    if not roots or roots.intersection(_RESERVED):
        raise BadSettings(f"there must be an API root, and none may be called {', '.join(_RESERVED)}")
    if front.public_url and not re.fullmatch(r"https://[^\s?#]+", front.public_url):
        raise BadSettings("public_url must be an https URL without a query (TAXII 2.1 section 4.1.1)")
    backend = HubBackend(front, collections, store, gate, publication)
    edge = Edge(medallion_views(backend), backend, signin, uploads)
    ours = roots.union(_RESERVED)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if fallback is not None and not _is_taxii(environ, ours):
            return fallback(environ, start_response)
        head = environ["REQUEST_METHOD"] == "HEAD"
        answer = edge.answer(environ)
        headers = [*answer.headers, ("X-Content-Type-Options", "nosniff")]
        if answer.status != 204:
            headers.append(("Content-Length", str(answer.length)))
        start_response(answer.status_line, headers)
        return [b""] if head else answer.pieces

    return application


def medallion_views(backend: HubBackend) -> Flask:
    """Return a Flask application with medallion's blueprints over a backend; every error in it is raised out of it."""
    views = Flask("hub.taxii", static_folder=None)
    views.json = _BytesAsTheyAre(views)
    views.config.update(PROPAGATE_EXCEPTIONS=True, TRAP_HTTP_EXCEPTIONS=True)
    views.medallion_backend = backend  # type: ignore[attr-defined]
    views.taxii_config = {"max_page_size": backend.front.page_size}  # type: ignore[attr-defined]
    medallion.register_blueprints(views)
    # The edge has checked the credentials; the views trust what it left in the environment and nothing else.
    medallion.auth.verify_password(lambda _user, _password: request.environ[ASKED].principal)
    # Its own handler prints whole configurations to standard error.
    medallion.log.removeHandler(medallion.ch)
    return views


def _is_taxii(environ: WSGIEnvironment, ours: set[str]) -> bool:
    first = environ.get("PATH_INFO", "").removeprefix("/").partition("/")[0]
    return first in ours or TAXII in environ.get("HTTP_ACCEPT", "").lower()
