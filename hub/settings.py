"""All settings of a hub, in one model; the manual and `threathub config` are made from it.

Read from, the first wins: the command line, the environment (``THREATHUB_PORT=…``), the secrets folder (one file
per setting), the settings file (TOML), the defaults below. Unknown names are refused everywhere. The settings file is
the one that ``THREATHUB_CONFIG`` names, else ``threathub.toml`` in the data folder, so that every command which is
given the folder behaves alike.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hub.errors import BadSettings
from hub.model.audience import TLP
from hub.store.opening import Access

PREFIX = "THREATHUB_"
FILE_NAME = "threathub.toml"
DOOR = f"{PREFIX}DOOR"
"""Environment variable by which `serve` gives its server processes the secret of the door for certificates."""

BESIDE = frozenset({"config", "secrets", "door"})
"""Names in the environment that are no settings: they say where settings are, and `DOOR`."""


class NamedRoot(BaseModel):
    """A TAXII API root beside the first: what it is called and what for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    description: str = ""


RootName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
TAKEN = frozenset({"hub", "taxii2", "api", "healthz", "readyz", "metrics"})
"""First parts of addresses that no further API root may have."""


class Settings(BaseSettings):
    """Every setting of a hub."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    data: Path = Field(Path("data"), description="Folder that holds everything the hub keeps.")
    cache: Path | None = Field(
        None, description="Folder for what can be made again (warning lists' index); default: cache in the data folder."
    )
    store: str = Field(
        "",
        description="Where the store is: sqlite:///path, or https://host:9200/prefix for Elasticsearch;"
        " empty is hub.db in the data folder.",
    )
    store_user: str = Field("", description="The hub's account at Elasticsearch; empty is none.")
    store_password: SecretStr | None = Field(None, description="Its password.")
    store_ca: Path | None = Field(
        None, description="PEM file with the authority of Elasticsearch's certificates; else the system's are asked."
    )
    store_replicas: int = Field(1, ge=0, le=8, description="Further copies of each index that is made.")
    store_shards: int = Field(
        1, ge=1, le=64, description="Parts that each index is divided into when it is made, or by `store upgrade`."
    )
    store_patience: float = Field(
        30.0, ge=0.1, le=600, description="Seconds to wait for a store that is locked or does not answer well."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=1, le=65535, description="Port to listen on.")
    tls_cert: Path | None = Field(
        None, description="PEM file with the certificate chain; with tls_key it turns TLS on."
    )
    tls_key: Path | None = Field(None, description="PEM file with the private key.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file with the authorities of client certificates; every client must have one."
    )
    certificate_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Second port, where client certificates sign in; the first then demands none.",
    )
    processes: int = Field(1, ge=1, le=64, description="Web server processes.")
    threads: int = Field(32, ge=8, le=512, description="Requests without a body that one process answers at a time.")
    uploads: int = Field(
        128,
        ge=8,
        le=1024,
        description="Request bodies that one process reads at a time; an organisation gets a quarter.",
    )
    connections: int = Field(
        1024, ge=128, le=65536, description="Connections that one process keeps open at a time; others wait."
    )
    idle_seconds: float = Field(
        30.0, ge=1, le=60, description="Seconds that a connection may be idle, or a request's head may take."
    )
    worker: bool = Field(True, description="Whether serve also does the background work (feeds, retro-hunts).")
    lease_seconds: float = Field(
        30.0, ge=1, le=3600, description="Seconds in which others take over the background work of a worker that died."
    )

    proxies: tuple[str, ...] = Field(
        (),
        description="Addresses and networks of reverse proxies (or unix) whose X-Forwarded-For is believed.",
    )
    proxy_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="What those proxies put before a client certificate in X-Client-Certificate.",
    )
    metrics_for: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1"), description="Addresses and networks of the monitoring that may read /metrics."
    )
    public_url: str = Field(
        "",
        pattern=r"^(https://[^/?#]+)?$",
        description="Address that clients see, https, when API roots must be absolute.",
    )

    organisation: str = Field(
        "city", pattern=r"^[a-z][a-z0-9-]{1,62}$", description="Short name of the city that runs this hub."
    )
    organisation_title: str = Field("City Security Operations Centre", description="Its name, for people.")
    title: str = Field("City Threat Hub", description="Name of this hub in TAXII discovery.")
    contact: str = Field("", description="Whom to write to about this hub; shown in TAXII discovery.")
    marking: Literal["clear", "green", "amber", "amber-strict", "red"] = Field(
        "green", description="Traffic light of what the city's own sensors found."
    )

    api_roots: dict[RootName, NamedRoot] = Field(
        default_factory=dict,
        description="Further TAXII API roots beside hub, by the name in their address: title, description.",
    )
    page_size: int = Field(1000, ge=1, le=10_000, description="Objects in one TAXII page at most.")
    max_body: int = Field(10_485_760, ge=1024, description="Bytes of one request body at most (max_content_length).")
    limit_requests: int = Field(
        30_000, ge=0, description="Requests a minute of one token or account, bursts included; 0 is no limit."
    )
    limit_organisation: int = Field(120_000, ge=0, description="Requests a minute of all accounts of an organisation.")
    limit_refused: int = Field(3000, ge=0, description="Requests a minute of one network that are not signed in.")
    limit_posted: int = Field(1024, ge=0, description="Megabytes a minute that an organisation may hand in.")
    trusted_organisations: tuple[str, ...] = Field(
        (), description="Organisations whose advisories are published at once; others' wait for an analyst."
    )
    silent_hours: int = Field(24, ge=2, description="A partner that polled nothing for so long counts as stale.")
    ledger_days: int = Field(
        400, ge=0, le=36_500, description="Days for which the ledger of what was seen is kept; 0 is for ever."
    )
    expiry_grace_hours: int = Field(
        24, ge=0, description="Hours after an indicator's end until it is published once more as revoked."
    )
    sighting_minutes: int = Field(5, ge=0, description="A sighting gets a new version at most this often.")

    feeds: Path | None = Field(None, description="The city's own declarations; same names replace the shipped ones.")
    rules: Path | None = Field(None, description="The city's own rules; same names replace the shipped ones.")
    assets: Path | None = Field(None, description="TOML file with the city's own networks and domains.")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, else JSON.")
    feed_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="Passwords and keys of feeds, by the name that a declaration refers to."
    )

    @field_validator("api_roots")
    @classmethod
    def _roots_have_addresses_of_their_own(cls, value: dict[str, NamedRoot]) -> dict[str, NamedRoot]:
        if taken := TAKEN.intersection(value):
            raise ValueError(f"{', '.join(sorted(taken))} is taken: name the API root otherwise")
        return value

    @field_validator("tls_key")
    @classmethod
    def _key_goes_with_certificate(cls, value: Path | None, info: Any) -> Path | None:
        if (value is None) != (info.data.get("tls_cert") is None):
            raise ValueError("tls_cert and tls_key are needed together")
        return value

    @field_validator("proxy_secret")
    @classmethod
    def _secret_is_one_word(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all("!" <= char <= "~" for char in value.get_secret_value()):
            raise ValueError("it must be one word of ASCII letters, digits and signs")
        return value

    @field_validator("tls_client_ca", "certificate_port")
    @classmethod
    def _certificates_go_with_tls(cls, value: Any, info: Any) -> Any:
        if value is not None and info.data.get("tls_cert") is None:
            raise ValueError("client certificates need tls_cert and tls_key")
        if value is not None and info.field_name == "certificate_port" and info.data.get("tls_client_ca") is None:
            raise ValueError("it needs tls_client_ca")
        return value

    @property
    def tlp(self) -> TLP:
        """The city's own default traffic light as a level."""
        return TLP[self.marking.replace("-", "_").upper()]

    @property
    def store_address(self) -> str:
        """The address of the store (`hub.store.opening.open_store`)."""
        return self.store or f"sqlite:///{self.data / 'hub.db'}"

    @property
    def store_access(self) -> Access:
        """How to come to a store that is no file."""
        password = self.store_password.get_secret_value() if self.store_password else ""
        return Access(self.store_user, password, self.store_ca, self.store_replicas, self.store_shards)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; a ``.env`` file is not read."""
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        secrets = os.environ.get(f"{PREFIX}SECRETS")
        if secrets:
            sources.append(SecretsSettingsSource(settings_cls, secrets_dir=secrets))
        if (file := settings_file(init_settings().get("data"))) is not None:
            sources.append(TomlConfigSettingsSource(settings_cls, file))
        return tuple(sources)


def settings_file(data: Path | None = None) -> Path | None:
    """Return the settings file: ``THREATHUB_CONFIG``, or ``threathub.toml`` in the data folder if it is there."""
    named = os.environ.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named)
    folder = data or Path(os.environ.get(f"{PREFIX}DATA") or Settings.model_fields["data"].default)
    return folder / FILE_NAME if (folder / FILE_NAME).is_file() else None


def load_settings(**given: Any) -> Settings:
    """Read the settings; ``given`` is what the command line says, None for what it does not.

    Raises:
        BadSettings: an unknown name, an impossible value, or a file that cannot be read; says which and where.
    """
    _refuse_unknown_environment()
    file = settings_file(given.get("data"))
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        faults = "; ".join(_fault(item["loc"], item["type"], item["msg"]) for item in error.errors())
        raise BadSettings(f"{faults}. `threathub config show` lists every setting") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{file.name if file else FILE_NAME} is not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError):
        raise BadSettings(f"the settings file {file.name if file else FILE_NAME} cannot be read") from None


def export_settings(settings: Settings) -> None:
    """Put what was given on the command line into the environment, for processes started from here."""
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if isinstance(value, str | int | Path | bool):
            os.environ[f"{PREFIX}{name.upper()}"] = str(value.resolve() if isinstance(value, Path) else value)


def _fault(location: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for part in location)
    return f"unknown setting {name!r}" if kind == "extra_forbidden" else f"setting {name!r}: {message}"


def _refuse_unknown_environment() -> None:
    known = {f"{PREFIX}{name}".upper() for name in (*Settings.model_fields, *BESIDE)}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise BadSettings(f"unknown setting in the environment: {', '.join(unknown)}")
    named = os.environ.get(f"{PREFIX}CONFIG")
    if named and not Path(named).is_file():
        raise BadSettings(f"{PREFIX}CONFIG names a file that is not there: {Path(named).name}")
    secrets = os.environ.get(f"{PREFIX}SECRETS")
    if secrets and not Path(secrets).is_dir():
        raise BadSettings(f"{PREFIX}SECRETS names a folder that is not there: {Path(secrets).name}")


def origin_of(name: str, given: dict[str, Any]) -> str:
    """Say where a setting's value comes from, for `threathub config show`."""
    if given.get(name) is not None:
        return "command line"
    if f"{PREFIX}{name}".upper() in {key.upper() for key in os.environ}:
        return "environment"
    secrets = os.environ.get(f"{PREFIX}SECRETS")
    if secrets and any(
        Path(secrets, spelling).is_file() for spelling in (f"{PREFIX}{name}", f"{PREFIX}{name}".lower())
    ):
        return "secrets folder"
    file = settings_file(given.get("data"))
    if file is not None and name in tomllib.loads(file.read_text(encoding="utf-8")):
        return file.name
    return "default"
