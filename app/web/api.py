"""The pages of the dashboard.

Pages are frames without data. Their scripts fetch the data from the public API, like any other
client.
"""

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from app.datasets.samples import UnknownSample, find_sample, rows
from app.errors import NotFound
from app.http.openapi import ASSETS_URL
from app.registry.references import MODEL_NAME
from app.web.assets import PLOTLY_URL, plotly_compressed, plotly_file
from app.web.frame import MENU, OTHERS, page

router = APIRouter(include_in_schema=False)

for address in (*MENU, *OTHERS):

    @router.get(address, name=f"page {address}")
    def show(request: Request) -> HTMLResponse:
        """Show a page that needs nothing but its address."""
        path: str = request.scope["route"].path
        template, title = (MENU | OTHERS)[path]
        return page(template, title=title, at=path)


@router.get("/ui/models/{name}")
def show_model(name: str) -> HTMLResponse:
    """Show a model's page; its script finds out whether the model exists."""
    if not MODEL_NAME.fullmatch(name):
        raise NotFound(f"{name[:100]!r} is not a valid model name")
    return page("model", title=name, at="/", as_json=f"/models/{name}", model=name)


@router.get("/docs")
def show_api() -> HTMLResponse:
    """Show the API's operations, to read and to try."""
    return page("docs", title="API", at="/docs", as_json="/openapi.json", swagger=ASSETS_URL)


@router.get("/ui/samples/{name}.csv")
def sample_file(name: str) -> Response:
    """Return a real series from an installed package, for a first training."""
    try:
        sample = find_sample(name)
    except UnknownSample as error:
        raise NotFound(str(error)) from error
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows(sample))
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")


@router.get(PLOTLY_URL)
def plotly(accept_encoding: Annotated[str, Header()] = "") -> Response:
    """Return plotly.js; its address changes with its version, so browsers may keep it."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" not in accept_encoding:
        return FileResponse(plotly_file(), media_type="text/javascript", headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(plotly_compressed(), media_type="text/javascript", headers=headers)
