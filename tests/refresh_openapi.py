"""Writes tests/openapi.json anew: `python -m tests.refresh_openapi`.

The file is kept so that a change of the API is seen in review; the test compares.
"""

import json
from pathlib import Path

from app.config import Settings
from app.main import create_app

KEPT = Path(__file__).parent / "openapi.json"


def document() -> str:
    """The OpenAPI document of the code as it is, in the form of the kept file."""
    app = create_app(Settings(), database_url="postgresql://127.0.0.1/not-used")
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    KEPT.write_text(document(), encoding="utf-8")
