"""The examples of docs/clients.md and of examples/clients, run as they are."""

import contextlib
import importlib
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.config import PROJECT_DIR
from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.service import Service, running_service
from tests.serving import Served

DOCUMENT = (PROJECT_DIR / "docs" / "clients.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```\n+```text\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL
)
ADDRESS = "127.0.0.1:8000"
MOST_LINES = 12
INSTALLED_APART = "Nixtla's client is installed apart: requirements/nixtla.txt"


@pytest.fixture(scope="module")
def shipped(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """An api with the models that come along."""
    folder = tmp_path_factory.mktemp("clients")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running


def test_every_example_shows_its_output() -> None:
    assert len(EXAMPLES) == DOCUMENT.count("```python")


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_an_example_prints_what_is_shown(shipped: Service, code: str, output: str) -> None:
    assert len(code.splitlines()) <= MOST_LINES
    if "nixtla" in code:
        pytest.importorskip("nixtla", reason=INSTALLED_APART)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        names: dict[str, Any] = {}
        exec(code.replace(ADDRESS, shipped.url.removeprefix("http://")), names)  # noqa: S102
    if hasattr(names.get("client"), "close"):
        names["client"].close()
    assert printed.getvalue() == output


def test_the_script_for_the_open_inference_protocol_runs(
    shipped: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module("examples.clients.open_inference")
    script.main(shipped.url.removeprefix("http://"))
    printed = capsys.readouterr().out
    assert "inputs: history, horizon" in printed
    assert re.search(r"after 786.08: 77\d\.\d\d\nafter 795.26: 78\d\.\d\d\n", printed)
    assert "refused: model 'google-stock' has no version 99" in printed


@pytest.mark.slow
def test_the_script_for_the_python_client_trains_and_forecasts(
    whole_service: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module("examples.clients.python")
    script.main(whole_service.url)
    printed = capsys.readouterr().out
    assert "model='shops', status='succeeded'" in printed
    assert "shops-hi-80" in printed
    assert "actuals: {'new': 14" in printed
    assert "refused: Unprocessable (422): history" in printed


def test_the_script_for_kserves_time_series_runs(
    shipped: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module("examples.clients.timeseries")
    script.main(shipped.url)
    printed = capsys.readouterr().out
    assert "status: partial" in printed
    assert re.search(r"GOOG: 7\d\d\.\d\d\n", printed)
    assert "broken: history" in printed


def test_the_script_for_completions_runs(
    shipped: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module("examples.clients.completions")
    script.main(shipped.url)
    printed = capsys.readouterr().out
    assert "models: belling-the-cat, hello\n" in printed
    assert "long ago , the mice had a general council" in printed
    right, wrong = re.findall(r"probability (\d\.\d+) after", printed)
    assert float(right) > 0.9
    assert float(wrong) < 0.1
    assert "refused: Error code: 400" in printed


def test_the_script_of_an_agent_runs(shipped: Service, capsys: pytest.CaptureFixture[str]) -> None:
    script = importlib.import_module("examples.clients.agent")
    script.main(shipped.url)
    printed = capsys.readouterr().out
    assert "28 rows used, 2026-02-01 to 2026-02-28, every D." in printed
    assert re.search(r"step 3 \(2026-03-03\): .* 80 % between", printed)
    assert "google-stock@1: worse than repeating the last value" in printed
    assert "forecast_values refused:" in printed


def test_the_script_for_many_series_runs(
    shipped: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nixtla", reason=INSTALLED_APART)
    script = importlib.import_module("examples.clients.many_series")
    script.main(shipped.url)
    printed = capsys.readouterr().out
    assert "models: google-stock, universal\n" in printed
    error = re.search(r"over 56 forecasts: (\d+\.\d+)\n", printed)
    assert error is not None
    assert float(error[1]) < 2.5  # the noise alone is 0.8, the season's amplitude 10
    assert "refused: status_code: 400" in printed
