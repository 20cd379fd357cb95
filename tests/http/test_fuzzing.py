"""The API fuzzed from its own OpenAPI document: all checks, single calls and sequences of them.

For longer and with other cases: FUZZ_SECONDS=600 FUZZ_SEED=7 pytest tests/http/test_fuzzing.py
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.service import Service, running_service

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "15"))
SEED = os.environ.get("FUZZ_SEED", "1")
CSV = b"Date,Open\n" + b"".join(b"2017-01-%02d,%d.5\n" % (day, day) for day in range(1, 32))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 2 * SECONDS)]


@pytest.fixture
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """An api with something of everything: the examples in the document find what they name."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        assert running.predict(model="google-stock", history=[778.81, 788.36]).is_success
        upload = {"file": ("prices.csv", CSV)}
        ordered = running.client.post("/models/google-stock/train", files=upload)
        assert ordered.status_code == 202, ordered.text
        yield running


def test_the_api_keeps_to_its_document(service: Service, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)]
    command += ["run", f"{service.url}/openapi.json", "--checks", "all"]
    command += ["--max-time", str(SECONDS), "--seed", SEED, "--warnings", "off"]

    fuzzing = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert fuzzing.returncode == 0, fuzzing.stdout + fuzzing.stderr
    assert "Stateful" in fuzzing.stdout
