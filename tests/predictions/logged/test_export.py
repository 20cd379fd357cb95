"""Test the log as a file: `GET /predictions/export`."""

import asyncio
import csv
import io
import json
import sys
from datetime import UTC, datetime
from uuid import UUID

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from app.errors import Unavailable
from app.predictions.logged import export_child
from app.predictions.logged.export import MAX_AT_ONCE, ExportBroke, Exports
from app.predictions.logged.export_child import LogRow, groups, write_parquet
from app.predictions.logged.schemas import ExportQuery
from app.predictions.logged.spreadsheet_cells import spreadsheet_cell
from tests.service import Service

COUNT = 5
CSV = ExportQuery(format="csv")


@pytest.fixture(scope="module")
def logged(asked: Service) -> Service:
    for n in range(COUNT):
        asked.predict(model="two-steps", history=[n, n + 0.5, n], series='a "quoted", name')
    asked.predict(model="stream", text="ab\nc")
    return asked


def test_a_csv_holds_the_rows_of_a_filter_oldest_first(logged: Service) -> None:
    answer = logged.client.get("/predictions/export", params={"format": "csv", "kind": "series"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "predictions.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    listed = logged.client.get("/predictions", params={"kind": "series"}).json()["items"][::-1]
    assert [row["id"] for row in rows] == [item["id"] for item in listed]
    assert json.loads(rows[0]["request"]) == listed[0]["request"]
    assert json.loads(rows[-1]["response"]) == listed[-1]["response"]
    assert rows[-1]["series"] == 'a "quoted", name'
    assert datetime.fromisoformat(rows[0]["created_at"]).tzinfo is not None


FORMULA = "=cmd|'/C calc'!A0"


def test_a_formula_in_a_series_name_leaves_the_csv_as_text(service: Service) -> None:
    service.predict(model="google-stock", history=[1, 2, 3], series=FORMULA)
    answer = service.client.get("/predictions/export", params={"format": "csv"})
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["series"] == f"'{FORMULA}"
    assert json.loads(row["request"])["series"] == FORMULA


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_text_that_begins_like_a_formula_gets_an_apostrophe(start: str) -> None:
    assert spreadsheet_cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("value", ["GOOG", "a=b", "", "'=1", None, -5, '{"a": 1}'])
def test_other_cells_of_a_csv_stay_as_they_are(value: object) -> None:
    assert spreadsheet_cell(value) == value


def test_a_parquet_file_holds_the_same(logged: Service) -> None:
    answer = logged.client.get("/predictions/export", params={"format": "parquet"})
    assert answer.status_code == 200, answer.text
    table = pq.read_table(io.BytesIO(answer.content))
    listed = logged.client.get("/predictions").json()["items"][::-1]
    assert table.column("id").to_pylist() == [item["id"] for item in listed]
    assert table.column("series").to_pylist() == [item["series"] for item in listed]
    last = table.slice(len(listed) - 1).to_pylist()[0]
    assert json.loads(last["request"])["text"] == "ab\nc"
    assert last["created_at"].tzinfo is not None


def test_the_format_has_to_be_named(logged: Service) -> None:
    answer = logged.client.get("/predictions/export", params={"format": "xlsx"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "format"


@pytest.fixture
def few_rows_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_child, "GROUP_ROWS", 4)


def row(number: int, request: str = "{}") -> LogRow:
    return LogRow(
        id=UUID(int=number),
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        request_id="r",
        model="m",
        version=1,
        alias=None,
        kind="series",
        series=None,
        request=request,
        response="{}",
        key=None,
    )


@pytest.mark.usefixtures("few_rows_a_group")
def test_a_parquet_file_is_written_group_by_group() -> None:
    written = io.BytesIO()
    write_parquet((row(number) for number in range(10)), written)
    file = pq.ParquetFile(io.BytesIO(written.getvalue()))
    assert [file.metadata.row_group(group).num_rows for group in range(3)] == [4, 4, 2]


def test_long_rows_make_small_groups() -> None:
    long = "x" * (export_child.GROUP_BYTES // 2)
    assert [len(group) for group in groups(row(n, long) for n in range(5))] == [2, 2, 1]


def test_an_empty_log_is_a_parquet_file_without_rows() -> None:
    written = io.BytesIO()
    write_parquet(iter(()), written)
    assert pq.read_table(io.BytesIO(written.getvalue())).num_rows == 0


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", f"import sys, time; sys.stdin.read(); {code}")


HANGS = child("print('begin', flush=True); time.sleep(600)")


def test_so_many_exports_are_made_at_once_and_an_ended_one_makes_room() -> None:
    async def scenario() -> None:
        exports = Exports("postgresql://nowhere", command=HANGS)
        under_way = [await exports.start(CSV) for _ in range(MAX_AT_ONCE)]
        with pytest.raises(Unavailable, match="under way"):
            await exports.start(CSV)
        await under_way[0].end()
        await exports.start(CSV)
        await exports.close()

    asyncio.run(scenario())


def test_an_export_that_cannot_begin_is_a_503() -> None:
    async def scenario() -> None:
        exports = Exports("postgresql://nowhere", command=child("sys.exit(1)"))
        for _ in range(MAX_AT_ONCE + 1):  # none of them occupies a place for good
            with pytest.raises(Unavailable):
                await exports.start(CSV)

    asyncio.run(scenario())


def test_an_export_that_breaks_in_the_middle_is_not_taken_for_whole() -> None:
    async def scenario() -> bytes:
        exports = Exports(
            "postgresql://nowhere", command=child("sys.stdout.write('begin'); sys.exit(1)")
        )
        export = await exports.start(CSV)
        blocks = export.blocks()
        first = await anext(blocks)
        with pytest.raises(ExportBroke):
            await anext(blocks)
        await export.end()
        return first

    assert asyncio.run(scenario()) == b"begin"
