"""Settings, all from the environment as STEPAHEAD_*."""

import os
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
PROJECT_DIR = Path(__file__).resolve().parent.parent
SHIPPED_DIR = Path(__file__).resolve().parent / "_shipped"  # inside an installed wheel


def shipped_dir(name: Literal["migrations", "models"]) -> Path:
    """Where a folder that comes with the code lies: in a checkout, or in an installed wheel."""
    in_wheel = SHIPPED_DIR / name
    return in_wheel if in_wheel.is_dir() else PROJECT_DIR / name


def _can_be_split(command: str | None) -> str | None:
    """A command as a shell would take it apart; an open quotation is an error."""
    shlex.split(command or "")
    return command


def _as_it_can_be_sent(key: SecretStr | None) -> SecretStr | None:
    """A key without blanks around it: no header keeps them, and secrets often end with a line."""
    if key is None:
        return None
    stripped = key.get_secret_value().strip()
    if not stripped:
        raise ValueError("is blank; unset it, or give a key")
    return SecretStr(stripped)


# Of each of these STEPAHEAD_…_FILE may name a file instead, as orchestrators mount secrets.
SECRETS = ("api_key", "database_url", "key_secret")


class Settings(BaseSettings):
    """What can be set from outside; every field is STEPAHEAD_ and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="STEPAHEAD_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: Annotated[
        str | None, Field(description="PostgreSQL URL; unset: the embedded PostgreSQL")
    ] = None
    store_url: Annotated[
        str | None,
        Field(description="object store URL (file://, s3://, gs://, az://); unset: a folder"),
    ] = None
    data_dir: Annotated[Path, Field(description="folder for everything kept on this machine")] = (
        Path("data")
    )
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    api_processes: Annotated[int, Field(ge=1, le=64)] = 1
    workers: Annotated[int, Field(ge=0, le=64, description="worker processes of `serve`")] = 1
    warm_reader: Annotated[
        bool, Field(description="start an api process's reader of uploads before the first one")
    ] = True
    trainer_command: Annotated[
        str | None,
        AfterValidator(_can_be_split),
        Field(description="how a worker starts its trainer; unset: with its own Python"),
    ] = None

    api_key: Annotated[SecretStr | None, AfterValidator(_as_it_can_be_sent)] = None
    allow_anonymous: bool = False
    key_secret: Annotated[
        SecretStr | None,
        AfterValidator(_as_it_can_be_sent),
        Field(description="what keys are digested with; unset: a secret in the database"),
    ] = None

    max_upload_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    upload_space_bytes: Annotated[
        int, Field(ge=1, description="room for all open uploads of a machine together")
    ] = 8 << 30
    disk_reserve_bytes: Annotated[
        int, Field(ge=0, description="room on the disk that uploads leave free")
    ] = 256 << 20
    max_body_bytes: Annotated[int, Field(ge=1, description="limit on a JSON body")] = 32 << 20
    model_memory_bytes: Annotated[
        int, Field(ge=1, description="budget for loaded versions, per api process")
    ] = 512 << 20
    log_retention_days: Annotated[int, Field(ge=0, description="0 keeps the log for ever")] = 0
    dataset_retention_days: Annotated[
        int, Field(ge=0, description="of datasets that no version was trained on; 0 keeps all")
    ] = 0
    job_retention_days: Annotated[
        int, Field(ge=0, description="of jobs that have ended; 0 keeps all")
    ] = 0
    refused_retention_days: Annotated[
        int, Field(ge=0, description="of refused calls; 0 keeps all")
    ] = 0
    drain_seconds: Annotated[float, Field(ge=0)] = 10.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @property
    def resolved_data_dir(self) -> Path:
        """The data directory as an absolute path."""
        return self.data_dir.expanduser().resolve()

    @property
    def resolved_store_url(self) -> str:
        """The store's URL; a folder below the data directory unless set."""
        return self.store_url or (self.resolved_data_dir / "store").as_uri()

    @property
    def is_for_this_machine(self) -> bool:
        """Whether only callers of this machine are let in, and so nobody has to show a key."""
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
    """Return the secrets that files hold, without the line end that most files have.

    Raises:
        ValueError: a file cannot be read, or the same secret is also given itself.
    """
    found = {}
    for name in SECRETS:
        variable = f"STEPAHEAD_{name.upper()}_FILE"
        path = os.environ.get(variable)
        if not path:
            continue
        if given.get(name) is not None:
            raise ValueError(f"both STEPAHEAD_{name.upper()} and {variable} are set: unset one")
        try:
            found[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{variable}={path} cannot be read: {error}") from error
        if not found[name]:
            raise ValueError(f"{variable}={path} is an empty file")
    return found


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
