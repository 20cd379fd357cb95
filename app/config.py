"""Settings, all read from the environment as STEPAHEAD_*."""

import os
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
PROJECT_DIR = Path(__file__).resolve().parent.parent
SHIPPED_DIR = Path(__file__).resolve().parent / "_shipped"  # inside an installed wheel


def shipped_dir(name: Literal["migrations", "models"]) -> Path:
    """Return the path of a folder that comes with the code, in a checkout or an installed wheel."""
    in_wheel = SHIPPED_DIR / name
    return in_wheel if in_wheel.is_dir() else PROJECT_DIR / name


def _can_be_split(command: str | None) -> str | None:
    """Raise unless a shell could split the command; return it unchanged."""
    shlex.split(command or "")
    return command


def _split(value: object) -> object:
    """Split at commas."""
    if not isinstance(value, str):
        return value
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def _as_it_can_be_sent(key: SecretStr | None) -> SecretStr | None:
    """Return the key without surrounding whitespace, which no header keeps.

    Files that hold secrets often end with a line break.
    """
    if key is None:
        return None
    stripped = key.get_secret_value().strip()
    if not stripped:
        raise ValueError("is blank; unset it, or give a key")
    return SecretStr(stripped)


# For each of these, STEPAHEAD_…_FILE may name a file instead, because orchestrators mount secrets.
SECRETS = ("api_key", "database_url", "key_secret", "read_database_url")


class Settings(BaseSettings):
    """The settings; each field is read from STEPAHEAD_ and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="STEPAHEAD_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: Annotated[
        str | None, Field(description="PostgreSQL URL; if unset, the embedded PostgreSQL")
    ] = None
    read_database_url: Annotated[
        str | None,
        Field(description="URL of a replica, for lists and exports; if unset, the database itself"),
    ] = None
    database_connections: Annotated[
        int,
        Field(ge=1, le=500, description="kept per api process; as many more when all are busy"),
    ] = 5
    statement_seconds: Annotated[
        float, Field(gt=0, description="how long a statement of an api or worker may take")
    ] = 60.0
    store_url: Annotated[
        str | None,
        Field(description="object store URL (file://, s3://, gs://, az://); if unset, a folder"),
    ] = None
    store_timeout_seconds: Annotated[
        float, Field(gt=0, description="how long the object store may leave a request unanswered")
    ] = 10.0
    data_dir: Annotated[
        Path, Field(description="folder for everything that is kept on this machine")
    ] = Path("data")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    api_processes: Annotated[int, Field(ge=1, le=64)] = 1
    workers: Annotated[int, Field(ge=0, le=64, description="worker processes of `serve`")] = 1
    worker_port: Annotated[
        int | None,
        Field(ge=0, le=65535, description="port of a worker's /livez and /readyz; unset: none"),
    ] = None
    warm_reader: Annotated[
        bool, Field(description="start the reader of uploads before the first upload")
    ] = True
    trainer_command: Annotated[
        str | None,
        AfterValidator(_can_be_split),
        Field(description="how a worker starts its trainer; if unset, with its own Python"),
    ] = None

    api_key: Annotated[SecretStr | None, AfterValidator(_as_it_can_be_sent)] = None
    allow_anonymous: bool = False
    key_secret: Annotated[
        SecretStr | None,
        AfterValidator(_as_it_can_be_sent),
        Field(description="secret that keys are digested with; if unset, one in the database"),
    ] = None

    max_upload_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    upload_space_bytes: Annotated[
        int, Field(ge=1, description="disk space for all open uploads of a machine together")
    ] = 8 << 30
    disk_reserve_bytes: Annotated[
        int, Field(ge=0, description="disk space that uploads leave free")
    ] = 256 << 20
    max_body_bytes: Annotated[int, Field(ge=1, description="limit on a JSON body")] = 32 << 20
    max_head_bytes: Annotated[
        int, Field(ge=1024, le=1 << 20, description="limit on a request's line and headers")
    ] = 64 << 10
    head_seconds: Annotated[
        float, Field(gt=0, description="for the rest of a request's head after its first byte")
    ] = 10.0
    min_body_bytes_per_second: Annotated[
        int, Field(ge=0, description="minimum speed of a body; 0: no minimum")
    ] = 500
    body_seconds: Annotated[
        float, Field(gt=0, description="interval over which that speed is measured")
    ] = 20.0
    send_seconds: Annotated[
        float, Field(gt=0, description="for a caller to accept any part of its answer")
    ] = 60.0
    keep_alive_seconds: Annotated[
        float, Field(gt=0, description="how long a connection may be idle")
    ] = 130.0
    max_connections: Annotated[int, Field(ge=1, description="open connections per api process")] = (
        10_000
    )
    max_connections_per_address: Annotated[
        int, Field(ge=1, description="open connections from one address, per api process")
    ] = 512
    trusted_proxies: Annotated[
        tuple[IPvAnyNetwork, ...],
        NoDecode,
        BeforeValidator(_split),
        Field(description="addresses and networks without that limit, separated by commas"),
    ] = ()
    model_memory_bytes: Annotated[
        int, Field(ge=1, description="memory for loaded versions, per api process")
    ] = 512 << 20
    log_retention_days: Annotated[
        int, Field(ge=0, description="days; 0 keeps the log for ever")
    ] = 0
    dataset_retention_days: Annotated[
        int,
        Field(ge=0, description="days, for datasets that no version was trained on; 0 keeps all"),
    ] = 0
    job_retention_days: Annotated[
        int, Field(ge=0, description="days, for jobs that have ended; 0 keeps all")
    ] = 0
    refused_retention_days: Annotated[
        int, Field(ge=0, description="days, for refused calls; 0 keeps all")
    ] = 0
    drain_seconds: Annotated[float, Field(ge=0)] = 10.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @property
    def resolved_data_dir(self) -> Path:
        """Return the data directory as an absolute path."""
        return self.data_dir.expanduser().resolve()

    @property
    def resolved_store_url(self) -> str:
        """Return the store's URL; if unset, that of a folder in the data directory."""
        return self.store_url or (self.resolved_data_dir / "store").as_uri()

    @property
    def is_for_this_machine(self) -> bool:
        """Return whether only callers on this machine are admitted, and so need no key."""
        return self.host in LOOPBACK_HOSTS and not (self.api_key or self.allow_anonymous)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, **_secrets_from_files(given)}

    @model_validator(mode="after")
    def _guarded_beyond_loopback(self) -> Self:
        if self.host in LOOPBACK_HOSTS or self.api_key or self.allow_anonymous:
            return self
        raise ValueError(
            f"host {self.host!r} is reachable from other machines: set STEPAHEAD_API_KEY, "
            "or STEPAHEAD_ALLOW_ANONYMOUS=1 if anyone who can reach it may use it"
        )


def _secrets_from_files(given: dict[str, Any]) -> dict[str, str]:
    """Return the secrets that files hold, without the line break at the end of most files.

    Raises:
        ValueError: a file cannot be read, or the secret is also given directly.
    """
    found = {}
    for name in SECRETS:
        variable = f"STEPAHEAD_{name.upper()}_FILE"
        path = os.environ.get(variable)
        if not path:
            continue
        if given.get(name) is not None:
            raise ValueError(
                f"both STEPAHEAD_{name.upper()} and {variable} are set; unset one of them"
            )
        try:
            found[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{variable}={path} cannot be read: {error}") from error
        if not found[name]:
            raise ValueError(f"{variable}={path} is an empty file")
    return found


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()
