import gzip
import json
import os
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from app.datasets.store import get_dataset, load_content, referenced_objects
from app.reading.content import SeriesContent, TextContent
from app.storage.tables import Dataset
from tests.datasets.conftest import MAX_UPLOAD_BYTES
from tests.service import Service, eventually

PRICES = b"Date,Open\n" + b"".join(
    f"2017-{month:02d}-{day:02d},{month * 100 + day}\n".encode()
    for month in range(1, 4)
    for day in range(1, 29)
)


def upload(
    service: Service, data: bytes, name: str = "prices.csv", read: object = None
) -> httpx.Response:
    fields = {} if read is None else {"read": read if isinstance(read, str) else json.dumps(read)}
    return service.client.post("/datasets", files={"file": (name, data)}, data=fields)


def left_behind(service: Service) -> list[Path]:
    uploads = service.settings.resolved_data_dir / "uploads"
    # os.walk tolerates folders that vanish while it runs.
    return [
        Path(top, name) for top, _, names in os.walk(uploads) for name in names if name != "lock"
    ]


def count(service: Service) -> int:
    with service.sessions() as session:
        return session.scalars(select(func.count()).select_from(Dataset)).one()


@pytest.fixture
def unchanged(service: Service) -> Iterator[None]:
    """Assert that there are no more rows and files than before."""
    before = count(service)
    yield
    assert count(service) == before
    eventually(lambda: not left_behind(service))


def test_a_file_of_prices_is_understood_and_kept(service: Service) -> None:
    answer = upload(service, PRICES)

    assert answer.status_code == 201
    dataset = answer.json()
    assert answer.headers["Location"] == f"/datasets/{dataset['id']}"
    assert {
        name: dataset[name]
        for name in ("kind", "filename", "sha256", "size_bytes", "read", "rows_used", "target")
    } == {
        "kind": "series",
        "filename": "prices.csv",
        "sha256": sha256(PRICES).hexdigest(),
        "size_bytes": len(PRICES),
        "read": {},
        "rows_used": 84,
        "target": "Open",
    }
    assert (dataset["start"], dataset["end"]) == ("2017-01-01", "2017-03-28")
    assert dataset["report"]["delimiter"] == ","
    assert left_behind(service) == []

    with service.sessions() as session:
        row = get_dataset(session, dataset["id"])
        content = load_content(row, service.store)
        assert referenced_objects(session) >= {row.sha256, row.content_sha256}
    assert isinstance(content, SeriesContent)
    assert content.column("Open")[-1] == 328
    assert service.store.get(dataset["sha256"]) == PRICES


def test_a_text_is_understood(service: Service) -> None:
    answer = upload(service, "Long ago, the mice had a council.\nÄ".encode(), "fable.txt")

    assert answer.status_code == 201
    assert answer.json()["kind"] == "text"
    assert answer.json()["rows_used"] is None
    with service.sessions() as session:
        content = load_content(get_dataset(session, answer.json()["id"]), service.store)
    assert isinstance(content, TextContent)
    assert content.text.startswith("Long ago, the mice")


def test_the_chapters_own_file_is_understood(service: Service, shared_data: Path) -> None:
    data = (shared_data / "google_stock_train.csv").read_bytes()

    dataset = upload(service, data, "google_stock_train.csv").json()

    assert (dataset["kind"], dataset["rows_used"], dataset["target"]) == ("series", 1258, "Open")
    assert (dataset["start"], dataset["end"]) == ("2012-01-03", "2016-12-30")


def test_the_same_bytes_read_alike_are_one_dataset(service: Service) -> None:
    data = PRICES + b"2017-04-01,7\n"
    first = upload(service, data)
    again = upload(service, data, "other-name.csv", read={})
    otherwise = upload(service, data, read={"kind": "series", "decimal": "."})
    same_otherwise = upload(service, data, read='{"decimal": ".", "kind": "series"}')

    assert [each.status_code for each in (first, again, otherwise, same_otherwise)] == [
        201,
        200,
        201,
        200,
    ]
    assert again.json() == first.json()
    assert otherwise.json()["id"] == same_otherwise.json()["id"] != first.json()["id"]
    assert otherwise.json()["read"] == {"kind": "series", "decimal": "."}


def test_a_file_comes_back_byte_by_byte(service: Service) -> None:
    data = b"\xef\xbb\xbf" + PRICES + b"2017-04-02,8\r\n"
    path = f"/datasets/{upload(service, data, 'Preise März.csv').json()['id']}/file"

    answer = service.client.get(path)
    again = service.client.get(path, headers={"if-none-match": answer.headers["etag"]})

    assert answer.content == data
    assert answer.headers["content-type"].partition(";")[0] == "text/csv"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Preise M_rz.csv\"; filename*=UTF-8''Preise%20M%C3%A4rz.csv"
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_page_that_is_sent_back_is_not_a_page(service: Service) -> None:
    page = b"<script>alert(1)</script> " + b"a text that was uploaded as a page " * 9
    dataset = upload(service, page, "evil.html").json()["id"]

    answer = service.client.get(f"/datasets/{dataset}/file")

    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_dataset_can_be_looked_up_and_listed(service: Service) -> None:
    ids = [upload(service, PRICES + b"2017-05-0%d,1\n" % day).json()["id"] for day in (1, 2, 3)]

    shown = service.client.get(f"/datasets/{ids[0]}")
    first = service.client.get("/datasets", params={"limit": 2}).json()
    second = service.client.get("/datasets", params={"limit": 2, "cursor": first["next"]}).json()

    assert shown.json()["report"]["rows_used"] == 85
    assert [each["id"] for each in first["items"]] == [ids[2], ids[1]]
    assert second["items"][0]["id"] == ids[0]
    assert first["items"][0]["report"]["kind"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/datasets/01970000-0000-7000-8000-000000000000", 404),
        ("/datasets/7", 422),
        ("/datasets?cursor=x", 400),
        ("/datasets?limit=0", 422),
    ],
)
def test_what_is_not_there_or_not_meant_is_a_problem(
    service: Service, path: str, status: int
) -> None:
    answer = service.client.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("unchanged")
def test_a_file_that_cannot_be_used_is_a_422_with_its_report(service: Service) -> None:
    data = PRICES + b"2017-05-01,1\n2017-05-01,2\n"

    answer = upload(service, data, read={"duplicates": "error"})

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"][0]["row"] is not None
    assert problem["report"]["columns"]
    with service.sessions() as session:
        assert sha256(data).hexdigest() not in referenced_objects(session)
    assert not service.store.exists(sha256(data).hexdigest())


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("read", "field"),
    [
        ("{", "read"),
        ("7", "read"),
        ('["a"]', "read"),
        ('{"delimeter": ";"}', "read.delimeter"),
        ('{"decimal": ";"}', "read.decimal"),
        ('{"frequency": 7}', "read.frequency"),
    ],
)
def test_read_options_that_are_wrong_are_named(service: Service, read: str, field: str) -> None:
    answer = upload(service, PRICES, read=read)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_an_empty_read_is_none(service: Service) -> None:
    assert upload(service, PRICES, read="").json()["read"] == {}


def form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, dict[str, str]]:
    """Return a multipart body that the test writes itself."""
    body = b""
    for name, filename, data in parts:
        label = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        body += b"--limit\r\nContent-Disposition: " + label.encode() + b"\r\n\r\n" + data + b"\r\n"
    return body + b"--limit--\r\n", {"Content-Type": "multipart/form-data; boundary=limit"}


def post_form(service: Service, *parts: tuple[str, str | None, bytes]) -> httpx.Response:
    body, headers = form(*parts)
    return service.client.post("/datasets", content=body, headers=headers)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("parts", "field", "words"),
    [
        ([], "file", "is required"),
        ([("read", None, b"{}")], "file", "is required"),
        ([("file", "a.csv", b"")], "file", "is empty"),
        ([("file", "a", PRICES), ("file", "b", PRICES)], "file", "one file at a time"),
        ([("file", "a", PRICES), ("read", None, b"{}"), ("read", None, b"{}")], "read", "twice"),
        ([("fiel", "a", PRICES)], "fiel", "there are file, read"),
        ([("file", "a", PRICES), ("read", None, b"\xff")], "read", "UTF-8"),
        ([("file", "a", PRICES), ("read", None, b" " * (1 << 20) + b"{}")], "read", "longer than"),
    ],
)
def test_parts_that_are_wrong_are_named(
    service: Service, parts: list[tuple[str, str | None, bytes]], field: str, words: str
) -> None:
    answer = post_form(service, *parts)

    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert words in answer.json()["detail"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"file=x", "application/x-www-form-urlencoded", 415),
        (b"x", "text/csv", 415),
        (b"x", "", 415),
        (b"x", "multipart/mixed; boundary=x", 415),
        (b"x", "multipart/form-data", 400),
        (b"x", "multipart/form-data; boundary=" + "x" * 300, 400),
        (b"x", "multipart/form-data; boundary=limit", 400),
        (b"", "multipart/form-data; boundary=limit", 400),
        (form(("file", "a", PRICES))[0][:-20], "multipart/form-data; boundary=limit", 400),
        (b"--limit\r\nA: b\r\n\r\nx\r\n--limit--\r\n", "multipart/form-data; boundary=limit", 400),
    ],
)
def test_a_body_that_is_not_a_form_is_refused(
    service: Service, body: bytes, content_type: str, status: int
) -> None:
    answer = service.client.post(
        "/datasets", content=body, headers={"Content-Type": content_type} if content_type else {}
    )

    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "../../etc/passwd"),
        ("/tmp/prices.csv", "/tmp/prices.csv"),  # noqa: S108 - a name, not a path
        ("prix \N{EURO SIGN}.csv", "prix \N{EURO SIGN}.csv"),
        ("a\x07\u202eb.csv", "a\ufffd\ufffdb.csv"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_file_name_is_data(service: Service, name: str, shown: str) -> None:
    data = PRICES + f"2018-01-01,{abs(hash(name)) % 10**6}\n".encode()

    answer = post_form(service, ("file", name, data))

    assert answer.status_code == 201, answer.text
    assert answer.json()["filename"] == shown
    assert left_behind(service) == []


def test_a_part_without_a_file_name_is_a_file_anyway(service: Service) -> None:
    answer = post_form(service, ("file", None, PRICES + b"2018-02-01,7\n"))

    assert answer.status_code == 201
    assert answer.json()["filename"] is None


def test_a_boundary_in_the_file_is_not_a_boundary(service: Service) -> None:
    text = b"--limi\r\n--limit\rx\r\n--limi" + b"\r\n-" * 400_000 + b" the end"

    answer = post_form(service, ("file", "odd.txt", text), ("read", None, b'{"kind": "text"}'))

    assert answer.status_code == 201
    assert service.store.get(answer.json()["sha256"]) == text


@pytest.mark.usefixtures("unchanged")
def test_an_announced_length_over_the_limit_is_refused_before_the_body(service: Service) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            b"POST /datasets HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=limit\r\n"
            b"Content-Length: %d\r\n\r\n" % (MAX_UPLOAD_BYTES + 1)
        )
        answer = connection.recv(65536)  # no byte of the body was sent

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.usefixtures("unchanged")
def test_a_body_without_a_length_is_refused_when_it_passes_the_limit(service: Service) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield form(("file", "a.csv", b"Date,Open\n"))[0].removesuffix(b"\r\n--limit--\r\n")
        while sent < 100 * MAX_UPLOAD_BYTES:
            sent += 1 << 16
            yield b"2017-01-01,1.25\n" * (1 << 12)

    answer = service.client.post("/datasets", content=endless(), headers=form()[1])

    assert answer.status_code == 413
    assert str(MAX_UPLOAD_BYTES) in answer.text.replace(",", "")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("chunked", [True, False])
def test_a_broken_connection_leaves_nothing(service: Service, chunked: bool) -> None:  # noqa: FBT001 - a parameter
    host, port = service.url.removeprefix("http://").split(":")
    start = form(("file", "a.csv", PRICES * 1600))[0][:-1000]
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 3000000"
    body = b"%x\r\n%s\r\n" % (len(start), start) if chunked else start
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            b"POST /datasets HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=limit\r\n" + length + b"\r\n\r\n" + body
        )
        eventually(lambda: left_behind(service))

    eventually(lambda: not left_behind(service))


def test_a_packed_file_is_unpacked_where_uploads_lie_and_leaves_nothing(service: Service) -> None:
    answer = upload(service, gzip.compress(PRICES * 7), "prices.csv.gz")

    assert answer.json()["report"]["compression"] == "gzip"
    assert left_behind(service) == []


def test_other_calls_are_answered_while_a_file_is_read(service: Service) -> None:
    rows = b"".join(b"2017-01-01,%d\n" % number for number in range(150_000))
    seen = 0

    with httpx.Client(base_url=service.url, timeout=60) as other:
        body, headers = form(("file", "large.csv", b"Date,Open\n" + rows))

        def slowly() -> Iterator[bytes]:
            nonlocal seen
            for start in range(0, len(body), 1 << 16):
                yield body[start : start + (1 << 16)]
                seen += other.get("/livez").status_code == 200

        answer = service.client.post("/datasets", content=slowly(), headers=headers)

    assert answer.status_code in {201, 422}
    assert seen > 10
