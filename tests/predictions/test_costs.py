"""Count what a prediction costs between its request and its row: copies, bytes, memory."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import onnxruntime as ort
import pytest
from pydantic_core import to_json

from app.artifact.files import HISTORY
from app.predictions.batches.uniform import Block, alike_items
from app.predictions.batching import Inferred, Ticket, TicketRun
from app.predictions.loaded import Arrays, Loaded, build
from app.predictions.logged.rows import Rows, parameters_of_many, parameters_of_one
from app.predictions.schemas import PredictRequest
from app.predictions.series import ask
from tests.artifacts import persistence_artifact

WINDOW = 60
# id, time, request id, model, version, alias, kind, series, and their lengths
BYTES_BESIDE_THE_JSON = 150
EMPTY = 1000  # bytes of ten arrays without elements


@pytest.fixture(scope="module")
def version() -> Loaded:
    artifact = persistence_artifact(window=WINDOW)
    return build("prices", 1, artifact.manifest, artifact.scorecard, artifact.graph)


def tickets(version: Loaded, count: int) -> list[Ticket]:
    made = []
    for number in range(count):
        request = PredictRequest(model="prices", history=[number + 0.5] * WINDOW)
        raw = request.model_dump_json(exclude_none=True).encode()
        question = ask(version, request)
        made.append(
            Ticket(question, "r" * 36, "champion", None, raw, "nightly", print, lambda: False)
        )
    return made


def infer(tickets: list[Ticket]) -> Inferred:
    run = TicketRun(tickets[0].question.version)
    for ticket in tickets:
        run.take(ticket)
    run.close()
    found = run.infer()
    assert found is not None
    return found


def rows_of(inferred: Inferred) -> Rows:
    assert inferred.rows is not None
    assert list(inferred.rows.responses) == list(inferred.replies)
    return inferred.rows


def test_a_lone_request_and_its_answer_reach_postgresql_without_being_copied(
    version: Loaded,
) -> None:
    (ticket,) = tickets(version, 1)
    rows = rows_of(infer([ticket]))
    parameters = parameters_of_one(rows)
    assert any(value is ticket.request for value in parameters)
    assert any(value is rows.responses[0] for value in parameters)


def test_many_rows_are_sent_in_little_more_than_their_json(version: Loaded) -> None:
    for count in (2, 64, 256):
        rows = rows_of(infer(tickets(version, count)))
        sent = sum(len(column or b"") for column in parameters_of_many(rows))
        json = sum(map(len, (*rows.requests, *rows.responses)))
        assert sent <= json + count * BYTES_BESIDE_THE_JSON + EMPTY


class Counting:
    """A session of ONNX Runtime that records the rows of each run."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.rows: list[int] = []

    def run(self, names: list[str], inputs: Arrays) -> Sequence[object]:
        self.rows.append(len(inputs[HISTORY]))
        found: Sequence[object] = self._session.run(names, inputs)
        return found


@pytest.mark.parametrize(("count", "runs"), [(1, [1]), (32, [32]), (40, [20, 20]), (256, [32] * 8)])
def test_rows_share_as_few_runs_of_the_graph_as_stay_in_the_cache(
    version: Loaded, count: int, runs: list[int]
) -> None:
    counting = Counting(version.session)
    counted = replace(version, session=cast("ort.InferenceSession", counting))
    rows_of(infer(tickets(counted, count)))
    assert counting.rows == runs


def test_a_block_takes_as_few_runs_and_its_json_is_not_copied(version: Loaded) -> None:
    counting = Counting(version.session)
    counted = replace(version, session=cast("ort.InferenceSession", counting))
    asked = [b'{"model":"prices","history":%b}' % to_json([n + 0.5] * WINDOW) for n in range(256)]
    found = alike_items(b'{"items":[' + b",".join(asked) + b"]}")
    assert found is not None
    items, requests = found
    block = Block(
        counted,
        items,
        requests,
        request_id="r",
        alias=None,
        key="nightly",
        answer=print,
        is_gone=lambda: False,
    )
    inferred = block.infer()
    assert inferred is not None
    rows = rows_of(inferred)
    assert counting.rows == [32] * 8
    assert rows.requests is requests
    assert requests == asked


def peak_bytes(version: Loaded, count: int) -> int:
    """Return the peak memory of answers and their rows, without their requests."""
    asked = tickets(version, count)
    tracemalloc.start()
    parameters_of_many(rows_of(infer(asked)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_of_a_run_is_little_and_grows_with_its_rows_alone(version: Loaded) -> None:
    peak_bytes(version, 8)  # what is created only once already exists
    counts = (64, 256, 1024)
    peaks = [peak_bytes(version, count) for count in counts]
    # 0.3 kB of request and 0.2 of answer each, in rows and columns at once; seen: 1.8 to 2.0.
    assert all(peak <= 3000 * count for peak, count in zip(peaks, counts, strict=True))
    assert all(larger <= 4.5 * smaller for smaller, larger in pairwise(peaks))


def test_runs_leave_nothing_behind(version: Loaded) -> None:
    asked = tickets(version, 64)
    tracemalloc.start()
    for _ in range(300):  # ONNX Runtime keeps about 200 small objects for reuse
        infer(asked)
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(100):
        infer(asked)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 64 * 100  # less than a byte for each
