"""Rewrite tests/openapi.json: `python -m tests.refresh_openapi`.

The file makes changes of the API visible in reviews; a test compares it with the code.
"""

import json
from pathlib import Path

from app.config import Settings
from app.main import create_app

KEPT = Path(__file__).parent / "openapi.json"


def document() -> str:
    """Return the OpenAPI document of the current code, formatted like the file."""
    app = create_app(Settings(), database_url="postgresql://127.0.0.1/not-used")
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    KEPT.write_text(document(), encoding="utf-8")
