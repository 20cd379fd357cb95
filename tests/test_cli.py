"""Test the command line as a user types it, with a stand-in for the service."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any, TextIO
from unittest.mock import patch

import pytest

from app.cli import main

SERIES_ANSWER = {
    "id": "0197",
    "model": "google-stock",
    "version": 3,
    "kind": "series",
    "predictions": [{"step": 1, "value": 787.125, "timestamp": None, "intervals": None}],
    "skill": -0.79,
    "warnings": ["2 values lie outside the range of the training data"],
}
TEXT_ANSWER = {
    "id": "0198",
    "model": "fable",
    "version": 1,
    "kind": "text",
    "predictions": [
        {
            "step": 1,
            "token": "mice",
            "probability": 0.99,
            "top": [
                {"token": "mice", "probability": 0.99},
                {"token": "[cat]", "probability": 0.005},
            ],
        }
    ],
    "text": "long ago , the mice",
    "skill": None,
    "warnings": [],
}
UNPROCESSABLE = {
    "type": "/problems/unprocessable",
    "title": "Unprocessable",
    "status": 422,
    "detail": "the file cannot be used",
    "errors": [{"field": None, "row": 7, "column": "Open", "message": "'n.a.' is no number"}],
}


class StandIn(ThreadingHTTPServer):
    """Answers from a table, and records the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {
            ("GET", "/models/google-stock"): (200, {"name": "google-stock", "kind": "series"}),
            ("GET", "/models/fable"): (200, {"name": "fable", "kind": "text"}),
            ("POST", "/predict"): (200, SERIES_ANSWER),
        }
        self.asked: list[tuple[str, Any, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(json.loads(body) if body else None)

    def _answer(self, body: Any) -> None:  # noqa: ANN401 (JSON)
        self.server.asked.append((self.path, body, self.headers.get("authorization")))
        nothing = {"title": "Not found", "status": 404, "detail": "there is nothing", "errors": []}
        path = self.path.partition("?")[0]
        status, answer = self.server.answers.get((self.command, path), (404, nothing))
        written = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[StandIn]:
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dataclass(frozen=True, kw_only=True)
class Run:
    """The outcome of a command."""

    returncode: int
    stdout: str
    stderr: str


Typed = Callable[..., Run]


@pytest.fixture
def stepahead(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command in this process; an interpreter for each would take a minute."""

    def typed(*arguments: str, stdin: str | TextIO = "", **environment: str) -> Run:
        # Options become environment variables for child processes; none may remain.
        with patch.dict(os.environ), monkeypatch.context() as patched:
            for name in [name for name in os.environ if "STEPAHEAD" in name]:
                patched.delenv(name)
            for name, value in {"COLUMNS": "100", **environment}.items():
                patched.setenv(name, value)
            patched.setattr(sys, "argv", ["stepahead", *arguments])
            given = io.StringIO(stdin) if isinstance(stdin, str) else stdin
            patched.setattr(sys, "stdin", given)
            with pytest.raises(SystemExit) as ended:
                main()
        captured = capsys.readouterr()
        return Run(returncode=exit_code(ended.value), stdout=captured.out, stderr=captured.err)

    return typed


def exit_code(ended: SystemExit) -> int:
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from app.terminal.cli.command_line import cli; "
        "cli(['--help'], standalone_mode=False); "
        "heavy = {'httpx', 'pydantic', 'sqlalchemy', 'fastapi', 'numpy', 'pandas'}; "
        "print(heavy & set(sys.modules), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stderr == "set()\n"
    for command in ("serve", "api", "worker", "migrate", "train", "predict", "models", "jobs"):
        assert f"│ {command} " in run.stdout


def test_the_processes_of_a_service_start_without_the_parser_of_commands() -> None:
    script = "import sys, app.cli; print({'typer', 'click', 'rich'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_it_says_which_version_it_is(stepahead: Typed) -> None:
    run = stepahead("--version")
    assert (run.returncode, run.stdout) == (0, f"stepahead {version('stepahead')}\n")


@pytest.mark.parametrize(
    "command",
    [
        *("serve", "api", "worker", "migrate", "train", "predict", "models", "jobs"),
        *("predictions", "sample", "check", "evaluate", "compare", "forecast"),
    ],
)
def test_every_command_explains_itself(stepahead: Typed, command: str) -> None:
    run = stepahead(command, "--help")
    assert run.returncode == 0
    assert len(run.stdout.splitlines()) > 8
    assert "file descriptor" not in run.stdout


def test_numbers_from_arguments_become_a_history(stepahead: Typed, service: StandIn) -> None:
    run = stepahead("predict", "google-stock", "778.81", "-788.36", "--url", service.url)
    assert run.returncode == 0
    assert "787.125" in run.stdout
    assert "79.0 % worse than repeating the last value" in run.stdout
    assert "Note: 2 values lie outside" in run.stdout
    body = service.asked[-1][1]
    assert body == {"model": "google-stock", "history": [778.81, -788.36], "levels": [80, 95]}


def test_numbers_from_standard_input_with_a_horizon(stepahead: Typed, service: StandIn) -> None:
    run = stepahead(
        "predict",
        "google-stock@2",
        "--horizon",
        "3",
        stdin="1\n2.5,3;4\n",
        STEPAHEAD_URL=service.url,
    )
    assert run.returncode == 0, run.stderr
    assert service.asked[-1][1] == {
        "model": "google-stock@2",
        "history": [1, 2.5, 3, 4],
        "horizon": 3,
        "levels": [80, 95],
    }


def test_a_text_goes_as_it_is(stepahead: Typed, service: StandIn) -> None:
    service.answers["POST", "/predict"] = (200, TEXT_ANSWER)
    run = stepahead("predict", "fable", "long ago , the", "--steps", "2", "--url", service.url)
    assert run.returncode == 0, run.stderr
    assert "long ago , the mice" in run.stdout
    assert "'[cat]' 0.5 %" in run.stdout
    body = service.asked[-1][1]
    assert body["text"] == "long ago , the"
    assert body["steps"] == 2


def test_json_is_the_services_own(stepahead: Typed, service: StandIn) -> None:
    run = stepahead("predict", "google-stock", "1", "--json", "--url", service.url)
    assert json.loads(run.stdout) == SERIES_ANSWER


@pytest.mark.parametrize(
    "typed",
    [
        "google-stock 1 --steps 5",
        "google-stock 1 --seed 0",
        "fable the --horizon 2",
        "fable the --level 90",
    ],
)
def test_an_option_of_the_other_kind_is_not_left_aside(
    stepahead: Typed, service: StandIn, typed: str
) -> None:
    model, past, option, value = typed.split(" ")
    run = stepahead("predict", model, past, option, value, "--url", service.url)
    assert run.returncode == 1
    assert f"{option} does not apply to {model}, a model for" in run.stderr
    assert "/predict" not in [path for path, _, _ in service.asked]


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_text_that_is_not_utf8_is_reported(
    stepahead: Typed, service: StandIn, errors: str
) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"caf\xe9"), encoding="utf-8", errors=errors)
    run = stepahead("predict", "fable", "--url", service.url, stdin=given)
    assert run.returncode == 1
    assert "the input is not UTF-8" in run.stderr


def test_a_temperature_that_is_not_a_number_is_reported(stepahead: Typed, service: StandIn) -> None:
    run = stepahead("predict", "fable", "the", "--temperature", "inf", "--url", service.url)
    assert run.returncode == 1
    assert "--temperature inf is not a finite number" in run.stderr


@pytest.mark.parametrize("wrong", ["5x", "nan", "1e999", "--7"])
def test_what_is_not_a_number_is_named(stepahead: Typed, service: StandIn, wrong: str) -> None:
    run = stepahead("predict", "google-stock", "778.81", f"7,{wrong}", "--url", service.url)
    assert run.returncode == 1
    assert f"{wrong!r} is not a number" in run.stderr


@pytest.mark.parametrize(("key", "sent"), [("secret", "secret"), (" s\u00e9same\n", "s\u00e9same")])
def test_the_key_is_sent(stepahead: Typed, service: StandIn, key: str, sent: str) -> None:
    stepahead("predict", "google-stock", "1", "--url", service.url, STEPAHEAD_API_KEY=key)
    bearer = f"Bearer {sent}".encode().decode("latin-1")  # how the stand-in reads headers
    assert {authorization for _, _, authorization in service.asked} == {bearer}


def test_a_problem_is_shown_with_each_place(stepahead: Typed, service: StandIn) -> None:
    service.answers["POST", "/predict"] = (422, UNPROCESSABLE)
    run = stepahead("predict", "google-stock", "1", "--url", service.url)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (
        "Error: Unprocessable (422)\nthe file cannot be used\n"
        "  row 7, column Open: 'n.a.' is no number\n"
    )


def test_if_nothing_answers_the_message_says_how_to_start_it(stepahead: Typed) -> None:
    run = stepahead("models", "--url", "http://127.0.0.1:9")
    assert run.returncode == 1
    assert (
        "no service answers at http://127.0.0.1:9. Start one with `stepahead serve`" in run.stderr
    )


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    stepahead: Typed, service: StandIn
) -> None:
    run = stepahead(
        "predict", "google-stock", "1", "--url", service.url, HTTP_PROXY="http://127.0.0.1:9"
    )
    assert run.returncode == 0, run.stderr


def test_another_kind_of_server_is_recognised(stepahead: Typed, service: StandIn) -> None:
    service.answers["GET", "/models"] = (200, b"<html>hello</html>")
    run = stepahead("models", "--url", service.url)
    assert run.returncode == 1
    assert "not as Stepahead does" in run.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://[::1"])
def test_what_is_not_a_url_is_reported(stepahead: Typed, url: str) -> None:
    run = stepahead("models", "--url", url)
    assert run.returncode == 1
    assert "is not a URL" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("typed", ["models {}", "jobs {}", "predict {} 1", "compare --model {}"])
@pytest.mark.parametrize(
    ("name", "asked"), [("../jobs", "..%2Fjobs"), ("a\tb?c#d", "a%09b%3Fc%23d"), ("\udcff", "%FF")]
)
def test_a_name_is_a_name_whatever_it_is_made_of(
    stepahead: Typed, service: StandIn, typed: str, name: str, asked: str
) -> None:
    words = [word.format(name) for word in typed.split(" ")]
    run = stepahead(*words, "--url", service.url)
    assert run.stderr == "Error: Not found (404)\nthere is nothing\n"
    assert service.asked[0][0].split("/")[2].partition("?")[0] == asked


@pytest.mark.parametrize("typed", ["models {}", "jobs {}", "predict {} 1", "compare --model {}"])
@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_is_not_a_name_is_reported(
    stepahead: Typed, service: StandIn, typed: str, name: str
) -> None:
    words = [word.format(name) for word in typed.split(" ")]
    run = stepahead(*words, "--url", service.url)
    assert run.returncode == 1
    assert f"{name!r} is not a name or an id" in run.stderr
    assert not service.asked


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_what_needs_a_shared_database_says_so(stepahead: Typed, command: str) -> None:
    run = stepahead(command)
    assert run.returncode == 2
    assert "set STEPAHEAD_DATABASE_URL=postgresql://" in run.stderr


def test_wrong_settings_are_all_named(stepahead: Typed) -> None:
    run = stepahead("serve", STEPAHEAD_PORT="high", STEPAHEAD_DRAIN_SECONDS="-1")
    assert run.returncode == 2
    assert "STEPAHEAD_PORT=high: " in run.stderr
    assert "STEPAHEAD_DRAIN_SECONDS=-1: " in run.stderr


def test_beyond_loopback_a_key_is_asked_for(stepahead: Typed) -> None:
    run = stepahead("serve", "--host", "0.0.0.0")  # noqa: S104 (refused)
    assert run.returncode == 2
    assert "set STEPAHEAD_API_KEY" in run.stderr


@pytest.mark.parametrize(
    ("url", "said", "exit_code"),
    [
        ("postgresql://nobody@127.0.0.1:9/none", "the database at postgresql", 1),
        ("mysql://nobody@127.0.0.1/none", "must be a PostgreSQL URL", 2),
        ("nonsense", "STEPAHEAD_DATABASE_URL is not a valid URL", 2),
        ("postgresql://nobody@127.0.0.1:high/none", "STEPAHEAD_DATABASE_URL is not a valid URL", 2),
        ("postgresql://nobody@127.0.0.1/none?speed=9", 'invalid connection option "speed"', 2),
    ],
)
def test_a_database_that_cannot_be_used_is_reported_without_its_password(
    stepahead: Typed, url: str, said: str, exit_code: int
) -> None:
    run = stepahead("migrate", STEPAHEAD_DATABASE_URL=url.replace("nobody@", "nobody:secret@"))
    assert run.returncode == exit_code
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert "secret" not in run.stderr


@pytest.mark.parametrize(
    ("typed", "stdin", "history"),
    [
        ([], "price\n3\n4.5\n", [3.0, 4.5]),
        (["-"], '"the price"\r\n3\r\n-4\r\n', [3.0, -4.0]),
        (["3", "-4"], "", [3.0, -4.0]),
        (["3,4,", "5"], "", [3.0, 4.0, 5.0]),
    ],
)
def test_numbers_without_a_model_are_for_universal(
    service: StandIn, stepahead: Typed, typed: list[str], stdin: str, history: list[float]
) -> None:
    service.answers["GET", "/models/universal"] = (200, {"name": "universal", "kind": "series"})
    run = stepahead("predict", *typed, "--url", service.url, stdin=stdin)
    assert run.returncode == 0, run.stderr
    body = next(body for path, body, _ in service.asked if path == "/predict")
    assert body == {"model": "universal", "history": history, "levels": [80, 95]}


def test_the_name_of_a_piped_column_is_left_out_and_named(
    service: StandIn, stepahead: Typed
) -> None:
    run = stepahead("predict", "google-stock", "--url", service.url, stdin="price\n3\n4\n")
    assert run.returncode == 0
    assert "'price', is read as a header" in run.stderr
    run = stepahead("predict", "google-stock", "--url", service.url, stdin="3\nprice\n4\n")
    assert run.returncode != 0
