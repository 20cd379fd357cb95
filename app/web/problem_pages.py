"""The pages that a browser gets where the API answers with an error."""

from fastapi.responses import HTMLResponse

from app.errors import StepaheadError, Unauthorized
from app.web.frame import page


def problem_page(error: StepaheadError, path: str) -> HTMLResponse:
    """Render an error; where a key is missing, the page asks for it and then shows the address."""
    template = "sign_in" if isinstance(error, Unauthorized) else "problem"
    return page(
        template,
        title=error.title,
        at=path,
        status=error.status,
        problem=error.title,
        detail=error.detail,
    )
