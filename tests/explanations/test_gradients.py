from app.artifact.scorecard import LayerMemory, Memory
from app.explanations.statement import statement
from tests.artifacts import persistence_artifact, stream_text_artifact
from tests.service import Service

SERIES = persistence_artifact(window=60).manifest
STREAM = stream_text_artifact().manifest


def memory(*reached: int, steps: int = 60) -> Memory:
    norms = tuple(float(0.5**step) for step in range(steps))
    return Memory(
        examples=5,
        steps=steps,
        layers=tuple(LayerMemory(norms=norms, half_life=1, reached=each) for each in reached),
    )


def test_the_statement_is_plain() -> None:
    told = statement(memory(9, 4), SERIES)
    assert told == "the window of 60 is longer than the 9 steps that reach the output"
    told = statement(memory(1), SERIES)
    assert told == "the window of 60 is longer than the 1 step that reaches the output"
    assert statement(memory(60), SERIES) == "all 60 steps of the window reach the output"
    assert statement(memory(0), SERIES).startswith("no gradient flows back")
    one = SERIES.model_copy(update={"window": 1})
    assert "single step" in statement(memory(1, steps=1), one)
    assert statement(memory(9), STREAM) == "of what it reads, the last 9 steps reach the output"
    assert statement(memory(1), STREAM) == "of what it reads, the last 1 step reaches the output"
    assert statement(memory(60), STREAM).endswith("and possibly more")


def test_every_shipped_version_tells_its_memory(service: Service) -> None:
    models = [model["name"] for model in service.client.get("/models").json()["items"]]
    assert {"google-stock", "belling-the-cat", "hello"} <= set(models)
    for name in ("google-stock", "belling-the-cat", "hello"):
        found = service.client.get(f"/models/{name}/versions/1/gradients")
        assert found.status_code == 200, found.text
        told = found.json()
        assert told["statement"]
        assert "rows" in told["measured_on"]
        (layer,) = told["layers"]
        assert len(layer["norms"]) == told["steps"]
        assert told["reached"] == layer["reached"]
        assert told["training"][0]["gradient_norm"] > 0
        assert told["training"][-1]["update_ratio"] > 0
    hello = service.client.get("/models/hello/versions/1/gradients").json()
    norms = hello["layers"][0]["norms"]
    assert norms == sorted(norms, reverse=True)  # it vanishes, as the chapter says


def test_where_nothing_was_measured_the_answer_says_so(service: Service) -> None:
    service.register("unmeasured", persistence_artifact())
    found = service.client.get("/models/unmeasured/versions/1/gradients")
    assert found.status_code == 409
    assert "Train it again" in found.json()["detail"]
    assert service.client.get("/models/unmeasured/versions/2/gradients").status_code == 404
    assert service.client.get("/models/none/versions/1/gradients").status_code == 404


def test_a_version_without_weights_cannot_be_opened(service: Service) -> None:
    service.register("no-weights", persistence_artifact())
    answer = service.client.post(
        "/explain", json={"model": "no-weights", "history": [1.0, 2.0, 3.0]}
    )
    assert answer.status_code == 409
    assert "cannot be explained" in answer.json()["detail"]
