"""Open the store at a URL, with limits on how long it may take to answer."""

import os
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from app.storage.store_errors import StoreFull, StoreMisconfigured

MEMORY = "memory"
FOLDER = "file"
# Prefixes of the environment variables for each cloud.
CLOUDS = {
    "s3": "AWS_",
    "s3a": "AWS_",
    "gs": "GOOGLE_",
    "az": "AZURE_",
    "azure": "AZURE_",
    "abfs": "AZURE_",
    "abfss": "AZURE_",
}
# Options of the HTTP client that obstore reads from the environment (AWS_ALLOW_HTTP), but only if
# it is given none.
CLIENT_OPTIONS = (
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "read_timeout",
    "root_certificate",
    "timeout",
    "user_agent",
)
ROOM_BYTES = 1 << 20  # with less, the disk of a folder counts as full
CONNECT_SECONDS = 3.0
LONGEST_REQUEST = timedelta(hours=1)  # obstore's default of 30 s would interrupt large files
RETRIES = 4
EXAMPLES = (
    "file:///var/lib/stepahead/store, s3://bucket/prefix, gs://bucket/prefix or "
    "az://container/prefix"
)


def open_folder(url: str) -> Path | None:
    """Create the folder that a URL names and return it, or None if the URL is not that of a folder.

    Raises:
        OSError: the folder cannot be created.
    """
    parts = urlsplit(url)
    if parts.scheme != FOLDER or parts.netloc not in {"", "localhost"} or not parts.path:
        return None
    folder = Path(unquote(parts.path))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def check_folder(folder: Path) -> None:
    """Check that objects can be stored in a folder.

    Raises:
        StoreMisconfigured: it is gone or belongs to others.
        StoreFull: its disk is full.
    """
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StoreMisconfigured("its folder is gone, or cannot be written by this user")
    if shutil.disk_usage(folder).free < ROOM_BYTES:
        raise StoreFull


def open_backend(
    url: str, folder: Path | None, *, answer_seconds: float, retries: int
) -> obstore.store.ObjectStore:
    """Open the store at a URL.

    Args:
        url: file://, s3://, gs://, az:// or, for tests, memory://.
        folder: of a file:// URL.
        answer_seconds: how long a store in the network may take for an answer or for the next piece
            of one. Every piece that is sent must also arrive in this time.
        retries: how often a request is repeated if it could not connect or the store failed.

    Raises:
        ValueError: the URL is not that of a supported store.
    """
    scheme = urlsplit(url).scheme
    if folder is not None:
        return LocalStore(folder)
    if scheme == MEMORY:
        return MemoryStore()
    if scheme not in CLOUDS:
        raise ValueError(f"STEPAHEAD_STORE_URL must be a URL such as {EXAMPLES}; got {url!r}")
    limits = {
        "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, answer_seconds)),
        "read_timeout": timedelta(seconds=answer_seconds),
        "timeout": LONGEST_REQUEST,
    }
    # A request without an answer is not repeated, because its time is used up.
    retry: Any = {"max_retries": retries, "retry_timeout": timedelta(seconds=answer_seconds)}
    client: Any = limits | _options(CLOUDS[scheme], os.environ)
    try:
        return from_url(url, client_options=client, retry_config=retry)
    except BaseError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"STEPAHEAD_STORE_URL {url!r} cannot be used: {reason}") from error


def _options(prefix: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the options of the HTTP client that are set in the environment."""
    given = {name.upper(): value for name, value in environment.items()}
    return {
        option: given[prefix + option.upper()]
        for option in CLIENT_OPTIONS
        if prefix + option.upper() in given
    }
