"""Test files at the command line, from the strangest file to a forecast, with the real api."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli import main
from app.registry.shipped import import_shipped
from app.storage.tables import Job
from app.terminal.commands.piped import file_or_pipe
from tests.artifacts import FABLE, persistence_artifact, window_text_artifact
from tests.database import own_database
from tests.reading.peculiar_files import DAYS, OPEN, SAME
from tests.service import Service, running_service

LONG = "day,shop,Open\n" + "".join(
    f"2017-01-{day:02d},{shop},{day * factor}\n"
    for shop, factor in (("north", 1), ("south", 10))
    for day in range(2, 30)
)


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api with a model of each kind and without a worker."""
    with (
        own_database(cluster) as url,
        running_service(url, tmp_path_factory.mktemp("files")) as running,
    ):
        running.register("prices", persistence_artifact())
        running.register("fable", window_text_artifact())
        yield running


@dataclass(frozen=True, kw_only=True)
class Run:
    """The outcome of a command."""

    code: int
    out: str
    err: str


Typed = Callable[..., Run]


@pytest.fixture
def stepahead(
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:
    def typed(*arguments: str) -> Run:
        with monkeypatch.context() as patched:
            for name in [name for name in os.environ if "STEPAHEAD" in name]:
                patched.delenv(name)
            patched.setenv("STEPAHEAD_URL", service.url)
            patched.setenv("COLUMNS", "100")
            patched.setattr(sys, "argv", ["stepahead", *arguments])
            patched.chdir(tmp_path)
            with pytest.raises(SystemExit) as ended:
                main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Run(
            code=code if isinstance(code, int) else int(code is not None),
            out=captured.out,
            err=captured.err,
        )

    (tmp_path / "long.csv").write_text(LONG)
    (tmp_path / "fable.txt").write_text(" ".join(FABLE * 500))
    (tmp_path / "twice.csv").write_text("Date,Open\n2017-01-01,1\n2017-01-01,2\n2017-01-02,3\n")
    for entry in SAME:
        if entry.name.startswith("nastiest"):
            (tmp_path / entry.name).write_bytes(entry.data)
    return typed


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_check_shows_what_was_understood_and_a_sketch(stepahead: Typed) -> None:
    run = stepahead("check", "nastiest.csv.gz")

    assert run.code == 0, run.err
    assert f"{DAYS[0]} to {DAYS[-1]}, B" in run.out
    assert "utf-16" in run.out
    assert "newest first" in run.out
    assert any(0x2800 < ord(sign) < 0x2900 for sign in run.out)


@pytest.fixture
def pipe() -> Iterator[str]:
    """Return what a shell turns <(cat long.csv) into."""
    reading, writing = os.pipe()
    os.write(writing, LONG.encode())
    os.close(writing)
    yield f"/dev/fd/{reading}"
    os.close(reading)


def test_a_pipe_is_read_as_a_file_is(stepahead: Typed, pipe: str) -> None:
    shown = stepahead("check", pipe)
    assert shown.code == 0, shown.err
    assert shown.out in stepahead("check", "long.csv").out


def test_what_comes_after_a_pipe(stepahead: Typed, pipe: str) -> None:
    run = stepahead("predict", "prices", "--file", pipe, "--csv")
    assert [line["series"] for line in table(run.out)] == ["north", "south"], run.err


def test_a_pipe_is_sent_whole_once_its_model_has_a_name(stepahead: Typed, pipe: str) -> None:
    asked = ("train", pipe, "--detach", "--json")
    named = stepahead(*asked, "--model", "piped")
    assert named.code == 0, named.err
    assert json.loads(named.out)["model"] == "piped"
    assert "trains piped to predict Open." in named.err
    assert "--model" in stepahead(*asked).err


def test_a_dash_is_standard_input() -> None:
    assert file_or_pipe("-") == Path("/dev/stdin")


def test_a_file_that_may_not_be_read_is_reported(
    stepahead: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may read everything
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.R_OK)
    run = stepahead("train", "long.csv", "--detach")
    assert run.code == 2
    assert "'long.csv' does not exist or cannot be read" in run.err


def test_check_as_json_is_the_report(stepahead: Typed) -> None:
    run = stepahead("check", "long.csv", "--json", "--read", "series=shop")

    assert json.loads(run.out)["series_columns"] == ["shop"]


def test_the_column_and_series_to_draw_may_be_named(stepahead: Typed) -> None:
    assert "Open of south" in stepahead("check", "long.csv", "--series", "south").out
    assert "'north', 'south'" in stepahead("check", "long.csv", "--series", "east").err


def test_a_file_that_cannot_be_used_is_reported_with_the_report_so_far(stepahead: Typed) -> None:
    run = stepahead("check", "twice.csv")

    assert run.code == 1
    assert "duplicates" in run.err
    assert "row 3" in run.err
    assert "What was understood of the file" in run.err
    assert "yyyy-m-d" in run.err
    assert stepahead("check", "twice.csv", "--read", "duplicates=mean").code == 0


def test_the_service_refuses_it_in_the_same_words(stepahead: Typed) -> None:
    here = stepahead("check", "twice.csv")
    there = stepahead("train", "twice.csv")

    assert there.code == 1
    assert there.err == here.err


def test_from_the_oddest_file_to_a_forecast(stepahead: Typed) -> None:
    run = stepahead("predict", "prices", "--file", "nastiest.csv.gz", "--horizon", "3", "--csv")

    assert run.code == 0, run.err
    lines = table(run.out)
    assert [line["step"] for line in lines] == ["1", "2", "3"]
    assert [float(line["forecast"]) for line in lines] == [OPEN[-1]] * 3
    assert "past the trained" in run.err


def test_each_series_of_a_long_file_has_its_forecast(stepahead: Typed) -> None:
    lines = table(stepahead("predict", "prices", "--file", "long.csv", "--csv").out)
    assert [(line["series"], float(line["forecast"])) for line in lines] == [
        ("north", 29.0),
        ("south", 290.0),
    ]

    one = json.loads(
        stepahead("predict", "prices@1", "--file", "long.csv", "--series", "south", "--json").out
    )
    assert one["predictions"][0]["value"] == 290.0


def test_a_file_is_forecast_without_training(
    service: Service, stepahead: Typed, tmp_path: Path
) -> None:
    with service.sessions.begin() as session:
        import_shipped(session, service.store)
    days = [f"2026-01-{day:02d},{day % 7},{-day}" for day in range(1, 31)]
    (tmp_path / "days.csv").write_text("\n".join(["Date,Sold,Stock", *days]))

    run = stepahead("forecast", "days.csv", "--csv", "--level", "80", "--horizon", "2")
    assert run.code == 0, run.err
    lines = table(run.out)
    assert [line["time"] for line in lines] == ["2026-01-31", "2026-02-01"]
    assert [float(line["forecast"]) for line in lines] == pytest.approx([-31, -32], abs=0.5)

    run = stepahead("forecast", "days.csv", "--csv", "--target", "Sold", "--horizon", "1")
    (line,) = table(run.out)
    assert float(line["forecast"]) == pytest.approx(3, abs=0.5)

    run = stepahead("forecast", "days.csv", "--target", "Price")
    assert "Price" in run.err
    run = stepahead("forecast", "long.csv", "-m", "prices", "--target", "Open")
    assert "--target is for universal" in run.err


def test_a_file_that_does_not_fit_the_model_is_reported(stepahead: Typed) -> None:
    assert "is a text" in stepahead("predict", "prices", "--file", "fable.txt").err
    assert "is a series" in stepahead("predict", "fable", "--file", "long.csv").err
    assert (
        "no series 'east'"
        in stepahead("predict", "prices", "--file", "long.csv", "--series", "east").err
    )
    assert "no alias x" in stepahead("predict", "prices@x", "--file", "long.csv").err
    assert "not both" in stepahead("predict", "prices", "1", "2", "--file", "long.csv").err
    assert "--csv needs --file" in stepahead("predict", "prices", "1", "--csv").err


def test_a_text_is_continued_from_its_end(stepahead: Typed) -> None:
    lines = table(stepahead("predict", "fable", "--file", "fable.txt", "--csv").out)
    assert [(line["step"], line["token"]) for line in lines] == [("1", FABLE[0])]


def test_train_extend_joins_the_file_and_shows_the_whole(
    stepahead: Typed, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "more.csv").write_text(
        "day,shop,Open\n" + "".join(f"2017-01-{day},north,{day}\n" for day in (29, 30, 31))
    )
    assert stepahead("train", "long.csv", "--model", "shops", "--detach").code == 0

    run = stepahead("train", "more.csv", "--model", "shops", "--extend", "--detach", "--json")

    assert run.code == 0, run.err
    assert "58 used of 58" in run.err
    job = json.loads(run.out)
    with service.sessions() as session:
        assert str(session.get_one(Job, job["id"]).dataset_id) == job["dataset"]
    assert service.client.get(f"/datasets/{job['dataset']}").json()["rows_used"] == 58


def test_the_log_is_listed_and_written_into_a_file(stepahead: Typed, tmp_path: Path) -> None:
    stepahead("predict", "prices", "1", "2", "3.25")
    listed = stepahead("predictions", "--model", "prices", "--limit", "1")
    assert listed.code == 0, listed.err
    assert "3.25" in listed.out

    run = stepahead("predictions", "--export", "log.csv", "--model", "prices")

    assert run.code == 0, run.err
    last = table((tmp_path / "log.csv").read_text())[-1]
    assert json.loads(last["response"])["predictions"][0]["value"] == 3.25
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--export", "log.xlsx"), ".csv or .parquet"),
        (("--export", "log.csv", "--from", "yesterday"), "from"),
        (("--export", "nowhere/log.csv"), "cannot be written"),
    ],
)
def test_an_export_that_cannot_be_leaves_no_file(
    stepahead: Typed, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    run = stepahead("predictions", *arguments)
    assert run.code == 1
    assert told in run.err
    assert not list(tmp_path.glob("log*"))
