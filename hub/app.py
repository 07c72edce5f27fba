"""The composition root: builds a whole hub from settings. The only place that knows everything."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import structlog

from connectors.feeds import Feed, load_feeds
from connectors.http import Http
from connectors.runner import FeedStatus, Progress, run
from connectors.sensors import formats
from connectors.sensors.declaration import Sensor, sensors
from hub.access.accounts import Accounts
from hub.access.audit import Audit, person
from hub.access.callers import Callers
from hub.access.certificates import Certificates
from hub.access.client_address import Networks, Proxies
from hub.access.guesses import Guesses
from hub.access.limits import MEGABYTE, Limits, Rates
from hub.access.principal import Principal
from hub.access.signin import SignIn
from hub.admission.gate import Gate
from hub.admission.quarantine import Quarantine
from hub.admission.readdressing import Readdressing
from hub.admission.warninglists import WarningLists
from hub.background import Background
from hub.correlate.city import City
from hub.correlate.engine import Correlation
from hub.correlate.ingest import EventReceipt
from hub.correlate.matching import Hit
from hub.errors import BadSettings, HubError, NoSuchFile, NotFound
from hub.feeding import FeedRecords, FeedRun, ImportOnce, report, report_bug
from hub.model import times
from hub.model.ids import derived_id
from hub.ops.door import DoorPlan, check_authorities
from hub.ops.leases import Leases, kept_up
from hub.ops.logs import configure_logs
from hub.ops.probes import Probes
from hub.ops.processes import end_with_parent, stop_on_signals
from hub.ops.requests import with_request_ids
from hub.ops.serving import check_front, serve
from hub.ops.uploads import Uploads
from hub.ops.worker import run_jobs
from hub.publish.collections import Collections
from hub.publish.desk import Desk
from hub.publish.explanation import Explainer
from hub.publish.finding import Finder
from hub.publish.publication import Publication, publication_of
from hub.publish.sharing import uses_of
from hub.settings import DOOR, Settings, export_settings, load_settings
from hub.store.moving import Movable
from hub.store.opening import open_store
from hub.store.retention import Retention

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SHIPPED = Path(__file__).resolve().parents[1]
"""Where the declarations that come with the hub lie: ``feeds/`` and ``rules/``."""


@dataclass(frozen=True)
class Hub:
    """A whole hub over one store. Made by `open_hub`; `close` it."""

    settings: Settings
    store: Movable
    audit: Audit
    accounts: Accounts
    collections: Collections
    warning_lists: WarningLists
    gate: Gate
    quarantine: Quarantine
    correlation: Correlation
    feeds: dict[str, Feed]
    sensors: dict[str, Sensor]
    records: FeedRecords
    publication: Publication

    def close(self) -> None:
        """Give back what is held."""
        self.store.close()

    def feed(self, name: str) -> Feed:
        """Return a declared feed.

        Raises:
            NotFound: there is none of that name.
        """
        if name not in self.feeds:
            raise NotFound(f"there is no feed {name}; `threathub feed list` shows all")
        return self.feeds[name]

    def run_feed(
        self, feed: Feed, progress: Progress = lambda _: None, *, secrets: Mapping[str, str] | None = None
    ) -> FeedStatus:
        """Fetch a feed once, now; ``secrets`` replaces the settings' own.

        Raises:
            Conflict: another run of it, in any process, was faster; what this one committed before stays.
        """
        if secrets is None:
            secrets = {name: secret.get_secret_value() for name, secret in self.settings.feed_secrets.items()}
        connector, _ = feed.parts()
        http = Http(feed.allow_networks, feed.certificate_authorities, secrets=secrets.__getitem__)
        once = FeedRun(self.gate, self.store)
        return run(feed, connector, once, once, http, times.now, progress, report)

    def import_feed(self, path: Path, connector: str | None, collection: str) -> Feed:
        """Return a feed for one import by hand: the city's own account, the connector by the file's name.

        Raises:
            NotFound: there is no such collection.
        """
        if collection not in {one.key for one in self.collections}:
            raise NotFound(f"there is no collection {collection}; `threathub collection list` shows all")
        if connector is None:
            name = path.name.removesuffix(".gz")
            connector = "stix" if path.is_dir() or name.endswith((".json", ".stix", ".stix2")) else "delimited"
        return Feed(
            name="import",
            folder=Path.cwd(),
            title="Imported by hand",
            connector=connector,
            organisation=self.settings.organisation,
            collections=(collection,),
            marking=self.settings.tlp,
            licence="as the file says",
            revised=date.today(),
        )

    def import_path(self, path: Path, feed: Feed, progress: Progress = lambda _: None) -> FeedStatus:
        """Read one file or folder as a feed would, now; the feed's own cursor and record stay as they are."""
        settings = {name: value for name, value in feed.settings.items() if name not in ("url", "path", "pattern")}
        feed = feed.model_copy(update={"settings": {**settings, "path": str(path.resolve())}})
        connector, _ = feed.parts()
        once = ImportOnce(self.gate)
        return run(feed, connector, once, once, Http(), times.now, progress, report_bug)

    def ingest_log(self, path: Path, sensor: str, progress: Callable[[int], None] = lambda _: None) -> EventReceipt:
        """Read a log of a declared sensor into the ledger, from where an earlier reading of it ended.

        Raises:
            NotFound: there is no such sensor. NoSuchFile, NotThatFormat: see `EventIngest.run`.
        """
        declared = self.sensor(sensor)
        return self.correlation.events.run(path, declared.log_format, declared, progress=progress)

    def match_log(self, path: Path, sensor: str) -> Iterator[Hit]:
        """Match a log without storing anything; ``sensor`` is a declared sensor or the name of a format."""
        declared = self.sensors.get(sensor)
        if declared is None:
            if sensor not in formats():
                known = ", ".join((*formats(), *self.sensors))
                raise NotFound(f"there is no log format or sensor {sensor}; there are {known}")
            declared = Sensor(name=sensor, title=sensor, format=sensor, role="network")
        yield from self.correlation.events.match(path, declared.log_format, declared)

    def sensor(self, name: str) -> Sensor:
        """Return a declared sensor.

        Raises:
            NotFound: there is none of that name.
        """
        if name not in self.sensors:
            raise NotFound(f"there is no sensor {name}; declared are {', '.join(self.sensors)}")
        return self.sensors[name]

    def shared_with(self, group: str) -> list[str]:
        """Return what is shared with a group: collections, open advisories, feeds."""
        feeds = (f"feed {feed.name}" for feed in self.feeds.values() if group in feed.groups)
        return [*uses_of(group, self.collections, self.publication.publisher.book), *feeds]

    def principal(self, user: str, token: str | None = None) -> Principal:
        """Return what an account, or one of its tokens, may do, without a sign-in: for explaining, never for serving.

        Raises:
            NotFound: there is no such account or token.
        """
        return SignIn(self.accounts).principal_of(user, token)

    @property
    def readdressing(self) -> Readdressing:
        """What tightens and loosens markings."""
        published = frozenset(one.key for one in self.collections if one.published)
        return Readdressing(self.store, self.audit, self.warning_lists, self.settings.organisation, published)

    @property
    def explainer(self) -> Explainer:
        """What explains who sees what."""
        return Explainer(self.store, self.collections, self.settings.organisation)

    @property
    def certificates(self) -> Certificates:
        """The client certificates that sign in here."""
        return Certificates(self.store, self.audit)

    def guesses(self) -> Guesses:
        """Return the counts of wrong passwords that this hub's server processes share; `Guesses.close` it."""
        return Guesses(self.settings.data)

    def _counts(self) -> tuple[Guesses, Limits]:
        """Return what counts guesses and budgets; without room on disk each server process counts for itself."""
        settings = self.settings
        posted = settings.limit_posted * MEGABYTE
        rates = Rates(settings.limit_requests, settings.limit_organisation, settings.limit_refused, posted)
        try:
            return self.guesses(), Limits(rates, settings.data)
        except NoSuchFile as error:
            structlog.get_logger("hub.access").warning("counts are not shared by server processes", why=error.message)
            return Guesses(), Limits(rates)

    @property
    def background(self) -> Background:
        """What workers share."""
        retention = Retention(self.store, self.settings.ledger_days)
        return Background(
            self.store, self.feeds, self.records, self.run_feed, self.correlation, self.publication, retention
        )

    def application(self) -> WSGIApplication:
        """Return the web application: TAXII, the API, probes, and the signpost at ``/``."""
        from hub.api.application import PREFIX, api_application
        from hub.taxii.asked import ApiRoot, Front
        from hub.taxii.wsgi import taxii_application

        settings = self.settings
        front = Front(
            title=settings.title,
            contact=settings.contact,
            api_roots=(
                ApiRoot("hub", settings.title),
                *(ApiRoot(name, one.title, one.description) for name, one in settings.api_roots.items()),
            ),
            page_size=settings.page_size,
            max_body=settings.max_body,
            public_url=settings.public_url,
        )
        monitoring = Networks("metrics_for", settings.metrics_for)
        probes = Probes(self.store, settings.title, self.feed_failures, self.background.shares, monitoring)
        signin = SignIn(self.accounts, self.audit, *self._counts(), self.certificates)
        desk = Desk(self.publication, self.accounts)
        uploads = Uploads(settings.uploads, settings.max_body)
        finder = Finder(self.store, self.collections)
        api = api_application(desk, finder, signin, self.audit, settings.title, uploads)

        def others(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            chosen = api if environ.get("PATH_INFO", "").startswith(f"{PREFIX}/") else probes
            return chosen(environ, start_response)

        return taxii_application(
            front, self.collections, self.store, self.gate, signin, uploads, others, publication=self.publication
        )

    def feed_failures(self) -> dict[str, int]:
        """Return how often each enabled feed failed in a row."""
        records = self.records.load_all(feed.name for feed in self.records.switched_on(self.feeds.values()))
        return {name: record.status.consecutive_failures for name, record in records.items()}


def open_hub(settings: Settings, *, create: bool = False) -> Hub:
    """Open the hub of a data folder.

    Args:
        settings: where it is and how it behaves. create: make the folder and the store if they are not there.

    Raises:
        NoSuchFile: there is no hub in that folder (and ``create`` is off), it cannot be made, or a declared file is
            missing.
        BadSettings: a declaration is wrong.
        StoreUnavailable, StoreCorrupt, StoreVersion: the store cannot be used.
    """
    if create:
        make_folder(settings.data)
    store = _store(settings, create)
    try:
        return _composed(settings, store)
    except BaseException:
        store.close()
        raise


def _store(settings: Settings, create: bool) -> Movable:
    try:
        return open_store(
            settings.store_address,
            access=settings.store_access,
            patience=settings.store_patience,
            create=create,
        )
    except NoSuchFile:
        where = "the store" if settings.store else str(settings.data)
        raise NoSuchFile(f"there is no hub in {where}: make one with `threathub init --data {settings.data}`") from None


def _composed(settings: Settings, store: Movable) -> Hub:
    feeds = load_feeds(_folders("feeds", "sources", settings.feeds))
    collections = Collections.load(_folders("feeds", "collections", settings.feeds))
    warning_lists = WarningLists.load(
        SHIPPED / "rules", settings.assets, cache=settings.cache or settings.data / "cache"
    )
    gate = Gate(store, warning_lists, home=settings.organisation)
    trust = {f"feed:{feed.name}": feed.trust for feed in feeds.values()}
    correlation = _correlation(settings, store, gate, warning_lists, trust)
    sensors_declared = declared_sensors(settings)
    audit = Audit(store, person())
    accounts = Accounts(store, audit)
    publication = publication_of(
        store,
        gate,
        collections,
        accounts,
        trusted=frozenset(settings.trusted_organisations),
        silence=settings.silent_hours * times.HOUR,
        grace=settings.expiry_grace_hours * times.HOUR,
    )
    return Hub(
        settings,
        store,
        audit,
        accounts,
        collections,
        warning_lists,
        gate,
        Quarantine(store),
        correlation,
        feeds,
        sensors_declared,
        FeedRecords(store),
        publication,
    )


def _correlation(
    settings: Settings, store: Movable, gate: Gate, lists: WarningLists, trust: Mapping[str, int]
) -> Correlation:
    return Correlation(
        store,
        gate,
        lists,
        city_of(settings),
        [SHIPPED / "rules", *([_there("rules", settings.rules)] if settings.rules else [])],
        networks_known=settings.assets is not None,
        trust=trust,
        interval=settings.sighting_minutes * times.MINUTE,
    )


def city_of(settings: Settings) -> City:
    """Return the city that runs this hub, with the same identity at every start."""
    identity = derived_id("identity", "city", settings.organisation)
    return City(settings.organisation, settings.organisation_title, identity, settings.tlp)


def declared_sensors(settings: Settings) -> dict[str, Sensor]:
    """Return the declared sensors, the city's own replacing shipped ones of the same name."""
    return {
        name: one for folder in _folders("feeds", "sensors", settings.feeds) for name, one in sensors(folder).items()
    }


def check_declarations(settings: Settings) -> dict[str, int]:
    """Read every declaration as a start would, over an empty store, and count them.

    Raises:
        BadSettings, NoSuchFile: the first that is wrong.
    """
    cache = settings.cache or settings.data / "cache"
    _check_networks(settings)
    with TemporaryDirectory() as folder:
        trial = {"data": Path(folder), "store": "", "cache": cache if cache.is_dir() else None}
        hub = open_hub(settings.model_copy(update=trial), create=True)
        try:
            hub.application()
        finally:
            hub.close()
    return {
        "feeds": len(hub.feeds),
        "collections": len(list(hub.collections)),
        "sensors": len(hub.sensors),
        "rules": len(hub.correlation.rules),
    }


def _own(settings: Settings) -> dict[str, object]:
    """Return the settings that are not the defaults, without secrets, for the audit log."""
    return settings.model_dump(
        mode="json", exclude_defaults=True, exclude={"feed_secrets", "proxy_secret", "store_password"}
    )


def _folders(kind: str, part: str, own: Path | None) -> list[Path]:
    shipped = [SHIPPED / kind / part]
    return [*shipped, own / part] if own is not None and (_there(kind, own) / part).is_dir() else shipped


def _there(setting: str, folder: Path) -> Path:
    if not folder.is_dir():
        raise BadSettings(f"setting {setting!r} names a folder that is not there: {folder.name}")
    return folder


def make_folder(data: Path) -> None:
    """Make a data folder, for its owner only.

    Raises:
        NoSuchFile: it cannot be made there.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise NoSuchFile(f"the folder {data} cannot be made: {error.strerror}; name another with --data") from None


def _check_networks(settings: Settings) -> None:
    Proxies(settings.proxies)
    Networks("metrics_for", settings.metrics_for)


def web_application() -> WSGIApplication:
    """Return the web application of the hub that the environment's settings name (a server process's factory)."""
    end_with_parent()
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    secret = settings.proxy_secret.get_secret_value() if settings.proxy_secret else ""
    callers = Callers(Proxies(settings.proxies), secret, os.environ.pop(DOOR, ""))
    return with_request_ids(open_hub(settings).application(), callers)


def background_work() -> None:
    """Do the background work of the hub that the environment's settings name, until told to stop."""
    stop = stop_on_signals()
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    try:
        hub = open_hub(settings)
    except HubError as error:
        # Whoever started this process starts it again, until the store answers.
        structlog.get_logger().error("background work cannot begin", code=error.code, why=error.message)
        sys.exit(1)
    try:
        work = hub.background
        leases = Leases(hub.store, work.pieces, round(settings.lease_seconds * times.SECOND))
        with kept_up(leases, stop):
            run_jobs(work.jobs(leases), stop)
    finally:
        hub.close()


def serve_hub(settings: Settings) -> None:
    """Serve a hub until told to stop; its processes get the settings through the environment.

    Raises:
        AddressInUse: the port is taken.
        BadSettings: the TLS files cannot be used, or ``proxies`` or ``metrics_for`` is impossible.
        NoSuchFile: there is no hub in the data folder.
    """
    tls = (settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    check_front(settings.host, settings.port, tls)
    _check_networks(settings)  # an impossible one must be told here, not by each server process
    if settings.tls_client_ca is not None:
        check_authorities(settings.tls_client_ca)
    door = _door(settings)
    if door is not None:
        check_front(door.host, door.port, None)
        os.environ[DOOR] = door.secret
    export_settings(settings)
    hub = open_hub(settings)
    hub.audit.record("serve", f"{settings.host}:{settings.port}", details=_own(settings))
    hub.close()
    serve(
        "hub.app:web_application",
        host=settings.host,
        port=settings.port,
        processes=settings.processes,
        threads=settings.threads + settings.uploads,
        connections=settings.connections,
        idle=settings.idle_seconds,
        tls=tls,
        background=background_work if settings.worker else None,
        client_ca=settings.tls_client_ca if door is None else None,
        door=door,
    )


def _door(settings: Settings) -> DoorPlan | None:
    if not (settings.certificate_port and settings.tls_cert and settings.tls_key and settings.tls_client_ca):
        return None
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
    return DoorPlan(
        settings.host,
        settings.certificate_port,
        settings.tls_cert,
        settings.tls_key,
        settings.tls_client_ca,
        anywhere.get(settings.host, settings.host),
        settings.port,
        secrets.token_urlsafe(32),
    )
