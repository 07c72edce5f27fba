"""The requests that the engine makes, through the official client, with the hub's errors.

Nothing is ever sent twice by itself: whether a request may be repeated is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import elastic_transport
import elasticsearch
import orjson
from elastic_transport import ObjectApiResponse, Serializer
from elasticsearch import Elasticsearch

from hub.errors import BadSettings, HubError
from hub.store.elastic.faults import TooSlow, answered, lost_moment, mapped
from hub.store.elastic.host import Host

Source = dict[str, Any]
GONE = 404
CONFLICT = 409
PINNED_FOR = "10m"
SERVER_WAIT = "5s"
"""How long Elasticsearch itself waits for a shard before it says that there is none."""
_SOON = "500ms"
"""The same where somebody only wants to know."""
_NEVER = 2**62
"""The number of a write that never was."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the cluster is and who asks.

    Attributes:
        hosts: such as ``https://es1.city.example:9200``. prefix: what the names of the hub's indices begin with.
        user, password: of basic authentication; no user is no authentication.
        authority: PEM file with the authority that signed the cluster's certificates, else the system's are asked.
    """

    hosts: tuple[str, ...]
    prefix: str
    user: str = ""
    password: str = field(default="", repr=False)
    authority: Path | None = None


class Got(NamedTuple):
    """A document as it stands, and the marks by which a write can say "if it is still that one"."""

    source: Source
    seq_no: int
    primary_term: int


class Json(Serializer):
    """JSON by orjson, under the media type that the client uses; what is JSON already goes out as it is."""

    mimetype = "application/vnd.elasticsearch+json"

    def dumps(self, data: Any) -> bytes:
        """Write a request's body."""
        return data if isinstance(data, bytes) else orjson.dumps(data)

    def loads(self, data: bytes) -> Any:
        """Read an answer's body."""
        return orjson.loads(data)


class Cluster:
    """One process's connections to the cluster; safe for threads.

    Args:
        address: where it is. patience: seconds to wait for one answer.

    Raises:
        BadSettings: an address cannot be read, or the authority's file is not there.
    """

    def __init__(self, address: Address, patience: float) -> None:
        self.prefix = address.prefix
        self._hosts = len(address.hosts)
        options: dict[str, Any] = {}
        if address.user:
            options["basic_auth"] = (address.user, address.password)
        if address.authority is not None:
            if not address.authority.is_file():
                raise BadSettings("store_ca names a file that is not there or cannot be read")
            if any(host.startswith("https:") for host in address.hosts):
                options["ca_certs"] = str(address.authority)
        try:
            self.client = Elasticsearch(
                list(address.hosts),
                serializers={Json.mimetype: Json()},
                max_retries=0,
                retry_on_timeout=False,
                request_timeout=patience,
                connections_per_node=32,
                node_class=Host,
                **options,
            )
        except ValueError as error:
            raise BadSettings("store names a host or a port that cannot be: https://host:9200/prefix") from error

    def create(self, index: str, id: str, source: bytes) -> bool:
        """Create a document; False when there is one of that id.

        Raises:
            Missing: there is no such index; writing never makes one.
        """
        with mapped():
            try:
                self.client.index(
                    index=index,
                    id=id,
                    document=_raw(source),
                    op_type="create",
                    require_alias=True,
                    timeout=SERVER_WAIT,
                )
            except elasticsearch.ConflictError:
                return False
        return True

    def get(self, index: str, id: str) -> Got | None:
        """Read a document as it stands now, also one that is not yet acknowledged to its writer."""
        with mapped():
            try:
                answer = self.again(lambda: self.client.get(index=index, id=id))
            except elasticsearch.NotFoundError as error:
                if "found" not in error.body:
                    raise
                return None
        return Got(answer["_source"], answer["_seq_no"], answer["_primary_term"])

    def read_many(self, index: str, ids: Sequence[str], fields: Sequence[str] | None = None) -> list[Source | None]:
        """Read documents as they stand now, in the order of ``ids``; those of a shard from one copy, in that order."""
        asked: dict[str, Any] = {} if fields is None else {"source_includes": list(fields)}
        with mapped():
            answer = self.again(lambda: self.client.mget(index=index, ids=list(ids), **asked))
        return _sources(answer["docs"])

    def read_each(self, places: Sequence[tuple[str, str]]) -> list[Source | None]:
        """Read documents of several indices as `read_many` does, each by index and id."""
        docs = [{"_index": index, "_id": id} for index, id in places]
        with mapped():
            answer = self.again(lambda: self.client.mget(docs=docs))
        return _sources(answer["docs"])

    def touch(self, index: str, id: str, mark: str, got: Got) -> bool:
        """Write a mark into a document if it is still the one that was read; False when it is not.

        The acknowledgement proves what a read cannot: that the document is on every copy that counts.
        """
        with mapped():
            try:
                self.client.update(
                    index=index,
                    id=id,
                    doc={"confirmed": mark},
                    detect_noop=False,
                    if_seq_no=got.seq_no,
                    if_primary_term=got.primary_term,
                    timeout=SERVER_WAIT,
                )
            except (elasticsearch.ConflictError, elasticsearch.NotFoundError):
                return False
        return True

    def check_writes(self, indices: Iterable[str]) -> None:
        """Ask for writes that never take effect, because they are for a document that was never so.

        Raises:
            StoreUnavailable, StoreFull, Missing: what any write would get.
        """
        never: dict[str, Any] = {"id": "~never", "document": {}, "if_seq_no": _NEVER, "if_primary_term": 1}
        with mapped():
            for index in indices:
                # Refused as a conflict, by the primary.
                with suppress(elasticsearch.ConflictError):
                    self.again(
                        lambda: self.client.index(index=index, require_alias=True, timeout=_SOON, **never)  # noqa: B023
                    )

    def write(
        self, index: str, version: int, documents: Iterable[tuple[str, bytes]], *, refresh: bool = False
    ) -> list[str]:
        """Write documents, each unless a later version of it is there; return the ids of those that were refused.

        Refused are documents that the mapping does not take. All others are on every copy that counts.

        Raises:
            Missing: there is no such index; writing never makes one.
        """
        return self._bulk(index, [(id, version, source) for id, source in documents], b"external_gte", refresh)

    def copy(self, index: str, documents: Sequence[tuple[str, int, bytes]]) -> list[str]:
        """Write documents of other indices with their versions, each unless that or a later version of it is there.

        Returns:
            The ids of those that the mapping does not take.
        """
        return self._bulk(index, documents, b"external", refresh=False)

    def _bulk(
        self, index: str, documents: Sequence[tuple[str, int, bytes]], version_type: bytes, refresh: bool
    ) -> list[str]:
        if not documents:
            return []
        operations: list[Any] = []
        for id, version, source in documents:
            action = b'{"index":{"_id":"%s","version":%d,"version_type":"%s"}}'
            operations += (action % (id.encode(), version, version_type), source)
        with mapped():
            answer = self.client.bulk(
                index=index, operations=operations, refresh=refresh, require_alias=True, timeout=SERVER_WAIT
            )
        refused = []
        if answer["errors"]:
            for (id, _, _), item in zip(documents, answer["items"], strict=True):
                # While a node fails the answer's key is not always the one that was asked for.
                (result,) = item.values()
                status = result["status"]
                if status == 400:
                    refused.append(id)
                elif status >= 300 and status != CONFLICT:
                    error = result.get("error") or {}
                    raise answered(status, str(error.get("type", "")), str(error.get("reason", "")))
        return refused

    def search(self, index: str, body: Mapping[str, Any]) -> Source:
        """Search one index; an answer that is not from every shard is an error."""
        with mapped():
            answer = self.again(
                lambda: self.client.search(
                    index=index, allow_partial_search_results=False, track_total_hits=False, **body
                )
            )
        if answer["timed_out"]:
            raise TooSlow("Elasticsearch took too long over a search; try again.")
        return dict(answer.body)

    @contextmanager
    def pinned(self, index: str) -> Iterator[str]:
        """Hold the present state of an index for `search_pinned`."""
        with mapped():
            pin = self.again(lambda: self.client.open_point_in_time(index=index, keep_alive=PINNED_FOR))["id"]
        try:
            yield pin
        finally:
            # It ends by itself, and may have been lost with a node.
            with suppress(HubError), mapped():
                self.client.close_point_in_time(id=pin)

    def search_pinned(self, pin: str, body: Mapping[str, Any]) -> Source:
        """Search a state that is held; an answer that is not from every shard is an error."""
        held = {"id": pin, "keep_alive": PINNED_FOR}
        with mapped():
            try:
                answer = self.again(lambda: self.client.search(pit=held, allow_partial_search_results=False, **body))
            except elasticsearch.NotFoundError as error:
                raise lost_moment() from error
        return dict(answer.body)

    def again(self, ask: Callable[[], ObjectApiResponse[Any]]) -> ObjectApiResponse[Any]:
        """Ask what does no harm twice; where one of several nodes cannot be reached, ask another."""
        for _ in range(self._hosts - 1):
            try:
                return ask()
            except elastic_transport.ConnectionError:
                continue
        return ask()

    def refresh(self, index: str) -> None:
        """Make what was written visible to searches, on every copy."""
        with mapped():
            self.again(lambda: self.client.indices.refresh(index=index))

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _sources(items: Sequence[Mapping[str, Any]]) -> list[Source | None]:
    for item in items:
        if "error" in item:
            raise answered(503, item["error"].get("type", ""), item["error"].get("reason", ""))
    return [item["_source"] if item["found"] else None for item in items]


def _raw(source: bytes) -> Any:
    """Pass JSON on as it is: the serializer takes bytes, the client's types only say mappings."""
    return source
