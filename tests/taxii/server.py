"""The TAXII server that the tests run in a process of its own: real store, real gate, real web server."""

from __future__ import annotations

import os
from pathlib import Path

from hub.access.accounts import Accounts
from hub.access.signin import SignIn
from hub.admission.gate import Gate
from hub.admission.warninglists import WarningLists
from hub.ops.logs import configure_logs
from hub.ops.uploads import Uploads
from hub.publish.collections import Collections
from hub.taxii.asked import ApiRoot, Front
from hub.taxii.wsgi import taxii_application
from tests.stores import store_in

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ["TAXII_TEST_DATA"])
FRONT = Front(
    contact="soc@city.example",
    api_roots=(ApiRoot("hub", "City Threat Hub"), ApiRoot("second", "Another root", "For the tests")),
    max_body=1_000_000,
    public_url=os.environ.get("TAXII_TEST_URL", ""),
)


def nothing_here(environ, start_response):
    """Stand where the hub's other pages are."""
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"not TAXII"]


configure_logs("error", "json")
store = store_in(DATA)
collections = Collections.load([ROOT / "feeds" / "collections", DATA / "collections"])
gate = Gate(store, WarningLists.load(ROOT / "rules", None), "city")
application = taxii_application(
    FRONT, collections, store, gate, SignIn(Accounts(store)), Uploads(128, FRONT.max_body), nothing_here
)
