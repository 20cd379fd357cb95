"""Scripts and styles of the dashboard, the content security policy, and plotly.js."""

import gzip
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from os import PathLike, stat_result
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
STATIC_URL = "/ui/static"
PLOTLY_URL = f"/ui/plotly/{version('plotly')}/plotly.min.js"

# No inline scripts and no inline styles. plotly.js adds its rules to a style sheet with a certain
# id, which `base.html` loads as a file, so 'self' is enough. Its images are data: and blob: URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Assets(StaticFiles):
    """Files of the dashboard; browsers check each time whether they have changed (ETag)."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file with a header against guessing its type."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def assets() -> Assets:
    """Return the folder `static`."""
    return Assets(directory=STATIC)


def plotly_file() -> Path:
    """Return the path of plotly.js in the installed package.

    The package is not imported, because that takes a second.

    Raises:
        FileNotFoundError: the package is missing, or its files have moved.
    """
    package = find_spec("plotly")
    for folder in () if package is None else package.submodule_search_locations or ():
        file = Path(folder) / "package_data" / "plotly.min.js"
        if file.is_file():
            return file
    raise FileNotFoundError("plotly.min.js is not where the plotly package used to keep it")


@lru_cache(maxsize=1)
def plotly_compressed() -> bytes:
    """Return plotly.js compressed: 1.4 instead of 4.8 MB."""
    return gzip.compress(plotly_file().read_bytes(), compresslevel=6, mtime=0)
