"""The frame that all pages share: menu, styles, scripts, security headers."""

from fastapi.responses import HTMLResponse

from app.web.assets import PLOTLY_URL, SAFE_HEADERS, STATIC_URL
from app.web.rendering import TEMPLATES

# Pages by address, in the order of the menu: template and title.
MENU = {
    "/": ("home", "Models"),
    "/ui/try": ("try", "Try"),
    "/ui/look": ("look", "Look inside"),
    "/ui/monitor": ("monitor", "Monitor"),
    "/ui/log": ("log", "Log"),
    "/ui/jobs": ("jobs", "Jobs"),
}
OTHERS = {"/ui/train": ("train", "Train")}
# Where the API has the same as JSON.
AS_JSON = {
    "home": "/models",
    "monitor": "/models",  # its script knows the address
    "log": "/predictions",
    "jobs": "/jobs",
    "train": "/datasets",
}


def page(
    template: str,
    *,
    title: str,
    at: str,
    as_json: str | None = None,
    status: int = 200,
    **values: str,
) -> HTMLResponse:
    """Render a page's frame."""
    body = TEMPLATES.get_template(f"{template}.html").render(
        title=title,
        at=at,
        menu=[(address, label) for address, (_, label) in MENU.items()],
        page=template,
        as_json=as_json or AS_JSON.get(template),
        static=STATIC_URL,
        plotly=PLOTLY_URL,
        **values,
    )
    return HTMLResponse(body, status, headers={**SAFE_HEADERS, "Cache-Control": "no-cache"})
