"""The Open Inference Protocol, by NVIDIA's own client where it can send the request."""

import gzip
import json
import zlib
from collections.abc import Sequence
from itertools import product
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.http as triton
from sqlalchemy import select
from tritonclient.http import InferenceServerClient as Client
from tritonclient.utils import InferenceServerException

from app.storage.tables import Prediction, RefusedCall
from tests.service import Service, eventually

HISTORY = np.array([[1.0, 2.0, 3.5], [4.0, 5.0, 6.25]])
INFER = "/v2/models/prices/infer"


def tensor(
    name: str, values: npt.NDArray[Any], datatype: str = "FP64", *, binary: bool = True
) -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def texts(name: str, values: Sequence[object]) -> triton.InferInput:
    return tensor(name, np.array(values, dtype=object), "BYTES")


def given(**changes: object) -> dict[str, object]:
    """A request in JSON."""
    entry = {"name": "history", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}
    return {"inputs": [entry | changes]}


def error_in(answer: httpx.Response) -> str:
    """The message of an error in the protocol's form."""
    found = answer.json()
    assert set(found) == {"error"}
    assert isinstance(found["error"], str)
    return str(found["error"])


def test_the_service_says_that_it_lives_and_is_ready(client: Client) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("prices")
    assert client.is_model_ready("prices", "1")
    assert not client.is_model_ready("prices", "7")
    assert not client.is_model_ready("nobody")


def test_metadata_names_the_tensors_of_a_series_version(client: Client) -> None:
    assert client.get_server_metadata()["name"] == "stepahead"
    found = client.get_model_metadata("prices")
    assert found["versions"] == ["1"]
    inputs = {entry["name"]: entry for entry in found["inputs"]}
    assert inputs["history"]["datatype"] == "FP64"
    assert inputs["history"]["shape"] == [-1, -1]
    assert "parameters" not in inputs["history"]
    assert inputs["horizon"]["parameters"] == {"optional": True}
    assert [entry["name"] for entry in found["outputs"]] == ["forecast"]


def test_metadata_has_an_input_for_each_column(client: Client) -> None:
    found = client.get_model_metadata("two-columns", "1")
    names = [entry["name"] for entry in found["inputs"]]
    # The column `levels` takes the place of the option.
    assert names == ["Open", "levels", "horizon", "timestamps", "series"]


def test_the_configuration_is_in_tritons_words(client: Client) -> None:
    found = client.get_model_config("fable")
    assert found["input"][0] == {
        "name": "text",
        "data_type": "TYPE_STRING",
        "dims": [-1],
        "optional": False,
    }


def test_the_index_lists_all_versions(client: Client) -> None:
    index = client.get_model_repository_index()
    assert {"name": "prices", "version": "1", "state": "READY", "reason": ""} in index
    assert [entry["name"] for entry in index] == sorted(entry["name"] for entry in index)


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_a_forecast_for_each_row(client: Client, *, binary_in: bool, binary_out: bool) -> None:
    found = client.infer(
        "prices",
        [tensor("history", HISTORY, binary=binary_in)],
        outputs=[triton.InferRequestedOutput("forecast", binary_data=binary_out)],
        request_id="mine",
    )
    np.testing.assert_array_equal(found.as_numpy("forecast"), [[3.5], [6.25]])
    answer = found.get_response()
    assert answer["model_name"] == "prices"
    assert answer["model_version"] == "1"
    assert answer["id"] == "mine"
    assert ("data" in answer["outputs"][0]) is not binary_out


@pytest.mark.parametrize(
    ("datatype", "binary"),
    [
        ("FP16", True),  # which the client sends as bytes only
        *product(("FP32", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT64"), (True, False)),
    ],
)
def test_numbers_of_any_type_are_read(client: Client, datatype: str, *, binary: bool) -> None:
    from_triton = {"FP": "float", "IN": "int", "UI": "uint"}[datatype[:2]]
    bits = datatype.lstrip("FPUINT")
    values = np.array([[1, 2, 77]], dtype=f"{from_triton}{bits}")
    found = client.infer("prices", [tensor("history", values, datatype, binary=binary)])
    np.testing.assert_array_equal(found.as_numpy("forecast"), [[77.0]])


@pytest.mark.parametrize("way_in", [None, "gzip", "deflate"])
@pytest.mark.parametrize("way_out", [None, "gzip", "deflate"])
def test_bodies_are_compressed_either_way(
    client: Client, way_in: str | None, way_out: str | None
) -> None:
    rows = np.arange(600.0).reshape(200, 3)  # long enough that the answer is compressed too
    found = client.infer(
        "prices",
        [tensor("history", rows)],
        request_compression_algorithm=way_in,
        response_compression_algorithm=way_out,
    )
    np.testing.assert_array_equal(found.as_numpy("forecast"), rows[:, 2:])


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("gzip;q=0", None)])
def test_an_answer_is_compressed_where_that_is_accepted(
    service: Service, accepted: str, encoding: str | None
) -> None:
    body = given(shape=[200, 3], data=list(range(600)))
    answer = service.client.post(INFER, json=body, headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.json()["outputs"][0]["shape"] == [200, 1]


def test_levels_add_the_bounds_of_intervals(client: Client) -> None:
    found = client.infer(
        "calibrated",
        [
            tensor("history", HISTORY),
            tensor("levels", np.array([80, 95]), "INT64"),
            tensor("horizon", np.array([3]), "INT64"),
        ],
    )
    forecast = found.as_numpy("forecast")
    np.testing.assert_allclose(forecast, [[4.5, 5.5, 6.5], [7.25, 8.25, 9.25]])
    # Intervals of two steps, a tenth of their level to either side; the third step has none.
    np.testing.assert_allclose(found.as_numpy("lo-80")[:, :2], forecast[:, :2] - 8)
    np.testing.assert_allclose(found.as_numpy("hi-95")[:, :2], forecast[:, :2] + 9.5)
    assert np.isnan(found.as_numpy("hi-95")[:, 2]).all()
    assert (
        "row 0: calibrated@1 has intervals up to step 2"
        in found.get_response()["parameters"]["warnings"]
    )


def test_a_bound_that_is_asked_for_needs_no_levels(client: Client) -> None:
    found = client.infer(
        "calibrated",
        [tensor("history", HISTORY)],
        outputs=[triton.InferRequestedOutput("lo-80", binary_data=False)],
    )
    assert [entry["name"] for entry in found.get_response()["outputs"]] == ["lo-80"]
    assert found.get_response()["outputs"][0]["data"][2] is None  # JSON has no NaN
    np.testing.assert_allclose(found.as_numpy("lo-80")[:, 0], HISTORY[:, 2] + 1 - 8)


def test_timestamps_are_continued(client: Client) -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    found = client.infer(
        "calibrated",
        [tensor("history", HISTORY[:1]), texts("timestamps", [days]), texts("series", ["GOOG"])],
    )
    assert found.as_numpy("timestamps").tolist() == [[b"2026-01-04", b"2026-01-05", b"2026-01-06"]]


def test_each_column_is_an_input(client: Client) -> None:
    found = client.infer("two-columns", [tensor("levels", HISTORY * 10), tensor("Open", HISTORY)])
    np.testing.assert_array_equal(found.as_numpy("forecast"), [[3.5], [6.25]])


def test_texts_are_continued(client: Client) -> None:
    found = client.infer(
        "fable",
        [
            texts("text", ["the , mice", "long ago cat"]),
            tensor("steps", np.array([2]), "INT64"),
            tensor("temperature", np.array([0.0], dtype=np.float32), "FP32"),
            tensor("seed", np.array([3]), "INT64"),
        ],
    )
    assert found.as_numpy("text").tolist() == [b"the , mice long ago", b"long ago cat bell ."]


def test_an_answer_means_committed_rows_under_the_clients_request_id(
    service: Service, client: Client
) -> None:
    headers = {"X-Request-Id": "from-triton"}
    found = client.infer("prices", [tensor("history", HISTORY)], headers=headers)
    ids = found.get_response()["parameters"]["prediction_ids"].split(",")
    with service.sessions() as session:
        logged = session.scalars(
            select(Prediction).where(Prediction.request_id == "from-triton")
        ).all()
    assert sorted(str(row.id) for row in logged) == sorted(ids)
    assert {row.alias for row in logged} == {"champion"}
    assert [row.request["history"] for row in logged] == HISTORY.tolist()


def test_rows_of_a_call_share_an_inference(service: Service, client: Client) -> None:
    batcher = service.app.state.predictions.batcher
    before = batcher.runs
    client.infer("prices", [tensor("history", np.arange(300.0).reshape(100, 3))])
    assert batcher.runs == before + 1


def test_statistics_are_those_of_the_process_and_say_so(client: Client) -> None:
    def count() -> int:
        (found,) = client.get_inference_statistics("letters")["model_stats"]
        assert "this api process alone" in found["scope"]
        return int(found["inference_stats"]["success"]["count"])

    before = count()
    client.infer("letters", [texts("text", ["ab", "b"])])
    eventually(lambda: count() == before + 2)


def test_the_metrics_count_one_call(service: Service, client: Client) -> None:
    client.infer("prices", [tensor("history", HISTORY)])
    exposition = service.client.get("/metrics").text
    counted = [line for line in exposition.splitlines() if "http_requests_total{" in line]
    assert any('path="/v2/models/{model}/infer"' in line for line in counted)
    assert not any('path="/predict/batch"' in line for line in counted)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([tensor("prices", HISTORY)], "no input 'prices'; it takes history, horizon (optional)"),
        ([], "the input 'history' is missing"),
        ([tensor("history", HISTORY[0])], "shape [3]; it must be [rows, time]"),
        ([texts("history", [["1", "2", "3"]])], "is BYTES; it may be INT8"),
        (
            [tensor("history", HISTORY), tensor("horizon", np.array([1.5]))],
            "'horizon' is FP64; it may be INT8",
        ),
        (
            [tensor("history", HISTORY), tensor("horizon", np.array([1, 2]), "INT64")],
            "shape [2]; it must be [1]",
        ),
        ([tensor("history", HISTORY), texts("series", ["a"])], "has 1 rows; the ones before"),
        ([tensor("history", HISTORY[:0])], "have no rows"),
        ([tensor("history", HISTORY[:, :2])], "row 0: history: has 2 values; prices@1 needs at"),
        ([tensor("history", HISTORY * np.nan)], "and 1 more of 2 rows failed"),
        ([tensor("history", np.ones((1001, 3)))], "asks for 1001 predictions"),
    ],
)
def test_wrong_inputs_are_named(
    client: Client, inputs: list[triton.InferInput], message: str
) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.infer("prices", inputs)
    assert refused.value.status() == "400"
    assert message in refused.value.message()


@pytest.mark.parametrize(
    ("model", "output", "message"),
    [
        ("prices", "price", "no output 'price'; it gives forecast, lo-80, hi-80"),
        ("prices", "lo-80", "prices@1 has no intervals"),
        ("prices", "timestamps", "no output 'timestamps'"),
        ("letters", "forecast", "no output 'forecast'; it gives text"),
    ],
)
def test_wrong_outputs_are_named(client: Client, model: str, output: str, message: str) -> None:
    inputs = [texts("text", ["a"]) if model == "letters" else tensor("history", HISTORY)]
    with pytest.raises(InferenceServerException) as refused:
        client.infer(model, inputs, outputs=[triton.InferRequestedOutput(output)])
    assert refused.value.status() == "400"
    assert message in refused.value.message()


def test_nothing_is_logged_of_a_call_with_wrong_tensors(service: Service, client: Client) -> None:
    with pytest.raises(InferenceServerException):
        client.infer(
            "prices",
            [tensor("history", HISTORY[0])],
            headers={"X-Request-Id": "not-a-row"},
        )
    with service.sessions() as session:
        logged = select(Prediction).where(Prediction.request_id == "not-a-row")
        assert session.scalars(logged).all() == []


def test_a_refused_row_is_logged_under_the_clients_path(service: Service, client: Client) -> None:
    with pytest.raises(InferenceServerException):
        client.infer(
            "prices", [tensor("history", HISTORY[:, :1])], headers={"X-Request-Id": "too-short"}
        )

    def paths() -> set[str]:
        with service.sessions() as session:
            refused = select(RefusedCall).where(RefusedCall.request_id == "too-short")
            return {row.path for row in session.scalars(refused)}

    eventually(lambda: paths() == {INFER})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": [1, 2]}, "has 2 elements; its shape [1, 3] has 3"),
        ({"data": [1, 2, "3"]}, "'3' is not FP64"),
        ({"data": [1, 2, True]}, "'True' is not FP64"),
        ({"data": [1, 2, None]}, "'None' is not FP64"),
        ({"data": [[1, 2], 3]}, "not nested evenly"),
        ({"datatype": "INT64", "data": [1, 2, 3.5]}, "'3.5' is not INT64"),
        ({"datatype": "INT8", "data": [1, 2, 300]}, "beyond what INT8 holds"),
        ({"datatype": "BOOL"}, "the datatype 'BOOL' is none of INT8"),
        ({"shape": [-1, -3]}, "no size below zero"),
        ({"shape": [1, 1, 3]}, "2 axes, and no size"),
        ({"shape": [0, 10**30], "data": []}, "is not valid here"),
        ({"data": None}, "has no data"),
        ({"name": 5}, "inputs.0.name"),
        ({"parameters": {"binary_data_size": 9}}, "there are 0 bytes left"),
        ({"parameters": {"binary_data_size": "9"}}, "binary_data_size is 9"),
        ({"parameters": {"shared_memory_region": "x"}}, "shared memory is not supported"),
    ],
)
def test_json_that_does_not_fit_is_named(
    service: Service, changes: dict[str, object], message: str
) -> None:
    answer = service.client.post(INFER, json=given(**changes))
    assert answer.status_code == 400
    assert message in error_in(answer)


def test_an_input_that_is_given_twice_is_refused(service: Service) -> None:
    body = {"inputs": [given()["inputs"][0]] * 2}  # type: ignore[index]
    assert "given twice" in error_in(service.client.post(INFER, json=body))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_request_is_refused(service: Service, content: bytes) -> None:
    answer = service.client.post(INFER, content=content)
    assert answer.status_code == 400
    assert error_in(answer)


@pytest.mark.parametrize("length", ["x", "-1", "99999", "9" * 5000, "1e1"])
def test_a_wrong_length_of_the_json_is_refused(service: Service, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length}
    answer = service.client.post(INFER, content=json.dumps(given()), headers=headers)
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in error_in(answer)


@pytest.mark.parametrize(
    ("raw", "size", "message"),
    [
        (b"1234", 4, "has 4 bytes; FP64 of shape [1, 3] has 24"),
        (bytes(30), 24, "6 bytes after the JSON belong to no input"),
        (bytes(10), 24, "there are 10 bytes left"),
    ],
)
def test_bytes_that_do_not_fit_are_named(
    service: Service, raw: bytes, size: int, message: str
) -> None:
    head = json.dumps(given(data=None, parameters={"binary_data_size": size})).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = service.client.post(INFER, content=head + raw, headers=headers)
    assert answer.status_code == 400
    assert message in error_in(answer)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x05\x00\x00\x00ab", "in the middle of an element"),
        (b"\x05\x00", "in the middle of an element"),
        (b"\x02\x00\x00\x00\xff\xfe", "is not UTF-8"),
    ],
)
def test_broken_strings_are_named(service: Service, raw: bytes, message: str) -> None:
    entry = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [entry]}).encode()
    answer = service.client.post(
        "/v2/models/letters/infer",
        content=head + raw,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status_code == 400
    assert message in error_in(answer)


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"{}", "gzip", 400),
        (gzip.compress(json.dumps(given()).encode())[:-9], "gzip", 400),
        (zlib.compress(b" " * 200_000), "deflate", 413),
        (b"{}", "br", 415),
        (b" " * 200_000, "identity", 413),
    ],
    # Not from the bytes: gzip writes the time into them, and processes must agree on names.
    ids=["not-gzip", "cut-off", "large-deflate", "unknown", "large"],
)
def test_a_body_that_cannot_be_decompressed_within_the_limit_is_refused(
    service: Service, content: bytes, encoding: str, status: int
) -> None:
    answer = service.client.post(INFER, content=content, headers={"Content-Encoding": encoding})
    assert answer.status_code == status
    assert error_in(answer)


def test_no_content_type_is_needed_and_any_is_taken(service: Service) -> None:
    for headers in ({}, {"Content-Type": "application/octet-stream"}):
        answer = service.client.post(INFER, content=json.dumps(given()), headers=headers)
        assert answer.json()["outputs"][0]["data"] == [3.0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/No%20Body", 404),
        ("GET", "/v2/models/prices@nobody", 404),
        ("GET", "/v2/models/prices@1/versions/1", 400),
        ("POST", "/v2/models/prices/versions/9/infer", 404),
        ("POST", "/v2/repository/models/prices/load", 404),
        ("GET", INFER, 405),
        ("GET", "/v2/nothing", 404),
    ],
)
def test_errors_have_the_protocols_form(
    service: Service, method: str, path: str, status: int
) -> None:
    answer = service.client.request(method, path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert error_in(answer)
    assert answer.headers["X-Request-Id"]


def test_a_name_may_carry_an_alias(client: Client) -> None:
    assert client.get_model_metadata("prices@champion")["name"] == "prices"
    found = client.infer("prices@1", [tensor("history", HISTORY)])
    assert found.get_response()["model_version"] == "1"
