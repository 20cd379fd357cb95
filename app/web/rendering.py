"""The templates of the dashboard."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def figure(value: float | None) -> str:
    """Return a measured figure with four significant digits."""
    return "–" if value is None else f"{value:,.4g}"


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["figure"] = figure
