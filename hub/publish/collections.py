"""Collections: what is shared, with whom, under which address. Declared in TOML, one file each, never in code.

Who may read a collection is part of every store query (`Collections.scope`); who may see an object inside it is
decided by its audience. The city puts files of its own into a second folder; a file of the same name replaces ours.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hub.access.principal import ROLES, Principal, roles_held
from hub.errors import BadSettings
from hub.model.audience import TLP, Decision, Purpose
from hub.store.ports import Scope

STIX_21 = "application/stix+json;version=2.1"

_GRANT = rf"^(everyone|role:({'|'.join(ROLES)})|(organisation|group):[a-z0-9][a-z0-9._-]*)$"

Grant = Annotated[str, Field(pattern=_GRANT)]
"""``everyone``, ``role:liaison``, ``organisation:water``, ``group:utilities``."""


Use = Literal["know", "read", "write"]
"""What an account does with a collection: know that it exists, read, write."""


def _uuid4(text: object) -> str:
    value = uuid.UUID(str(text))
    if value.version != 4 or str(value) != text:
        raise ValueError("must be a version 4 UUID in lower case")
    return str(value)


def _tlp(text: object) -> TLP:
    name = str(text).upper().removeprefix("TLP:").replace("+", "_")
    if name not in TLP.__members__ or name == "UNKNOWN":
        raise ValueError("must be CLEAR, GREEN, AMBER, AMBER+STRICT or RED")
    return TLP[name]


class Collection(BaseModel):
    """One declaration.

    Attributes:
        key: the hub's name for it, equal to the file's name. id: its fixed address, a version 4 UUID.
        alias: readable address, by default the key. api_root: the TAXII API root it is served under.
        read, write: who may. advertise: who sees that it exists without being allowed to read or write.
        media_types: of its objects. marking: of what is posted without a marking of its own.
        publish_to: keys of other collections that take what is posted here at once.
        advisories_to: key of the collection in which reports that are posted here are published as advisories.
        published: whether the hub publishes it: what is taken back there goes once more, revoked, to who had it.
        receipts: whether it is noted who pulled the advisories in it.
        taxii: whether it is served over TAXII at all; what is not is for the hub and its analysts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    id: Annotated[str, BeforeValidator(_uuid4)]
    title: str
    description: str = ""
    alias: str = Field(default="", pattern=r"^[a-z0-9-]{0,62}$")
    api_root: str = Field(default="hub", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    read: tuple[Grant, ...] = ()
    write: tuple[Grant, ...] = ()
    advertise: tuple[Grant, ...] = ()
    media_types: tuple[str, ...] = Field(default=(STIX_21,), min_length=1)
    marking: Annotated[TLP, BeforeValidator(_tlp)] = TLP.GREEN
    publish_to: tuple[str, ...] = ()
    advisories_to: str = ""
    published: bool = False
    receipts: bool = False
    taxii: bool = True

    @property
    def grants(self) -> tuple[str, ...]:
        """Whom anything of it is granted to, each once."""
        return tuple(dict.fromkeys((*self.read, *self.write, *self.advertise)))

    @model_validator(mode="before")
    @classmethod
    def _alias_is_key(cls, values: dict[str, object]) -> dict[str, object]:
        return {"alias": values.get("key", ""), **values}


class Collections:
    """All declared collections, in order of id."""

    def __init__(self, collections: Iterable[Collection]) -> None:
        self._all = tuple(sorted(collections, key=lambda one: one.id))
        self._by_key = {one.key: one for one in self._all}
        self._by_address = {(one.api_root, name): one for one in self._all for name in (one.id, one.alias)}
        if len(self._by_key) != len(self._all) or len(self._by_address) != 2 * len(self._all):
            raise BadSettings("two collections have the same key, id or alias")
        for one in self._all:
            targets = {*one.publish_to, *([one.advisories_to] if one.advisories_to else [])}
            if unknown := targets - self._by_key.keys():
                raise BadSettings(f"collection {one.key} publishes to {', '.join(sorted(unknown))}, which do not exist")

    @classmethod
    def load(cls, folders: Iterable[Path]) -> Collections:
        """Read ``*.toml`` of each folder; a later folder's file replaces an earlier one of the same name.

        Raises:
            BadSettings: a file is not TOML or not a declaration; the message names it.
        """
        files = {path.name: path for folder in folders for path in sorted(folder.glob("*.toml"))}
        return cls(_read(path) for path in files.values())

    def __iter__(self) -> Iterator[Collection]:
        return iter(self._all)

    def __getitem__(self, key: str) -> Collection:
        return self._by_key[key]

    def at(self, api_root: str, address: str) -> Collection | None:
        """Find a collection that is served over TAXII by its id or alias under an API root."""
        found = self._by_address.get((api_root, address))
        return found if found is not None and found.taxii else None

    def decide(self, principal: Principal, collection: Collection, use: Use) -> Decision:
        """Decide whether an account may use a collection so, with the grant or the lack of one that says so.

        Which objects it then reads there is for their audiences to say.
        """
        match use:
            case "read":
                grants = collection.read
            case "write":
                grants = collection.write
            case "know":
                grants = collection.grants
        if use != "know" and use not in principal.rights:
            return Decision(False, f"the token {principal.token} has not the right {use}")
        if not principal.is_for(collection.key):
            return Decision(False, f"the token {principal.token} is for other collections")
        grant = _granted(grants, principal)
        if grant is None:
            named = ", ".join(grants)
            return Decision(False, f"only for {named}" if named else "nobody may")
        return Decision(True, f"granted to {grant}")

    def may_read(self, principal: Principal, collection: Collection) -> bool:
        """Say whether the account may read there."""
        return self.decide(principal, collection, "read").allowed

    def may_write(self, principal: Principal, collection: Collection) -> bool:
        """Say whether the account may post there."""
        return self.decide(principal, collection, "write").allowed

    def may_know(self, principal: Principal, collection: Collection) -> bool:
        """Say whether the account may know that it exists."""
        return self.decide(principal, collection, "know").allowed

    def readable(self, principal: Principal) -> frozenset[str]:
        """Return the keys of what the account may read, over TAXII or not."""
        return frozenset(one.key for one in self._all if self.may_read(principal, one))

    def writable(self, principal: Principal) -> frozenset[str]:
        """Return the keys of what the account may post to."""
        return frozenset(one.key for one in self._all if self.may_write(principal, one))

    def visible(self, principal: Principal) -> list[Collection]:
        """Return what the account may know of, in order of id."""
        return [one for one in self._all if self.may_know(principal, one)]

    def scope(self, principal: Principal, purpose: Purpose = "read") -> Scope:
        """Return what goes into every store query made for this account."""
        return Scope(principal.reader, self.readable(principal), purpose)


def _granted(grants: Iterable[str], principal: Principal) -> str | None:
    """Return the first of the grants that the account has."""
    held = {"everyone", f"organisation:{principal.organisation}"}
    held.update(f"role:{role}" for role in roles_held(principal.role))
    held.update(f"group:{group}" for group in principal.reader.groups)
    return next((grant for grant in grants if grant in held), None)


def _read(path: Path) -> Collection:
    try:
        declared = Collection.model_validate(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path.name} is not TOML: {error}") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise BadSettings(f"{path.name}: {'; '.join(faults)}") from error
    if declared.key != path.stem:
        raise BadSettings(f"{path.name} declares the key {declared.key}; file name and key must be the same")
    return declared
