from collections.abc import Iterator
from functools import partial

import pytest

from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.monitoring.log import days
from tests.monitoring.processes import Pair, running_pair
from tests.serving import wait_until


@pytest.fixture(scope="module")
def pair(cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with (
        own_database(cluster) as url,
        running_pair(url, tmp_path_factory.mktemp("pair")) as running,
    ):
        yield running


def test_an_alias_moved_through_one_process_is_followed_by_the_other(pair: Pair) -> None:
    pair.register("moving", persistence_artifact())
    pair.register("moving", persistence_artifact(step=1.0))
    for number in (2, 1, 2):  # promoted, rolled back, promoted again
        moved = pair.one.put(
            "/models/moving/aliases/champion", json={"version": number, "reason": "tried"}
        )
        assert moved.status_code == 200, moved.text
        for client in (pair.other, pair.one):
            wait_until(partial(pair.serves, client, "moving", number))
    history = pair.other.get("/models/moving").json()["history"]
    assert [move["to_version"] for move in history if move["reason"] == "tried"] == [2, 1, 2]


def test_a_shadow_answers_silently_and_is_scored_beside_the_champion(pair: Pair) -> None:
    pair.register("shaded", persistence_artifact())
    pair.register("shaded", persistence_artifact(step=1.0))
    put = pair.one.put("/models/shaded/aliases/shadow", json={"version": 2})
    assert put.status_code == 200, put.text
    values = [float(value) for value in range(1, 13)]
    for known in range(3, 13):  # rises by 1: the shadow is right, the champion is 1 behind
        client = pair.one if known % 2 else pair.other
        answer = client.post(
            "/predict",
            json={"model": "shaded", "history": values[:known], "timestamps": days(known)},
        )
        assert answer.json()["version"] == 1
        assert answer.json()["predictions"][0]["value"] == values[known - 1]
    numbered = {"model": "shaded@1", "history": [1, 2, 3]}
    assert pair.one.post("/predict", json=numbered).status_code == 200
    wait_until(lambda: pair.monitor(pair.other, "shaded")["unread"] == 0)
    found = pair.monitor(pair.other, "shaded")
    assert found["shadow"] == {
        "version": 2,
        "forecasts": 9,
        "rmse": 0.0,
        "served_rmse": 1.0,
        "bits_per_character": None,
        "served_bits_per_character": None,
        "skill": 1.0,
    }
    roles = {(one["version"], one["role"]): one for one in found["versions"]}
    assert set(roles) == {(1, "served"), (2, "shadow")}
    assert roles[1, "served"]["requests"] == 11
    assert (roles[2, "shadow"]["requests"], roles[2, "shadow"]["refused"]) == (10, 0)
    assert (roles[2, "shadow"]["rmse"], roles[2, "shadow"]["skill"]) == (0.0, 1.0)
    logged = pair.one.get("/predictions", params={"model": "shaded", "limit": 100}).json()["items"]
    assert {row["version"] for row in logged} == {1}
    assert len(logged) == 11


def test_actuals_given_to_one_process_show_in_the_monitor_of_the_other(pair: Pair) -> None:
    pair.register("measured", persistence_artifact())
    answer = pair.one.post(
        "/predict", json={"model": "measured", "history": [1, 2, 3], "timestamps": days(3)}
    ).json()
    for item, rmse in (
        ({"model": "measured", "timestamp": days(4)[3], "value": 5.0}, 2.0),
        ({"prediction": answer["id"], "value": 4.0}, 1.0),
    ):
        given = pair.other.post("/actuals", json={"items": [item]})
        assert given.status_code == 200, given.text

        def settled(rmse: float = rmse) -> bool:
            versions = pair.monitor(pair.one, "measured")["versions"]
            return bool(versions) and versions[0]["rmse"] == rmse

        wait_until(settled)


def test_a_request_is_replayed_by_the_process_that_did_not_answer_it(pair: Pair) -> None:
    pair.register("replayed", persistence_artifact())
    pair.register("replayed", persistence_artifact(step=1.0))
    pair.register("replayed", persistence_artifact(window=5))
    asked = {"model": "replayed", "history": [1, 2, 3], "timestamps": days(3)}
    original = pair.one.post("/predict", json=asked).json()
    path = f"/predictions/{original['id']}/replay"
    for choice in ({"version": 2}, {"model": "replayed@2"}):
        answer = pair.other.post(path, json=choice)
        assert answer.status_code == 200, answer.text
        assert answer.json()["original"]["response"] == original
        replayed = answer.json()["replay"]
        assert (replayed["version"], replayed["predictions"][0]["value"]) == (2, 4.0)
    logged = pair.one.get("/predictions", params={"model": "replayed"}).json()["items"]
    assert [row["id"] for row in logged] == [original["id"]]

    too_short = pair.other.post(path, json={"version": 3})
    assert too_short.status_code == 422
    assert "needs at least 5" in too_short.json()["detail"]
    assert pair.one.delete("/models/replayed/versions/2").status_code == 204
    gone = pair.other.post(path, json={"version": 2})
    assert gone.status_code == 409
    assert "was deleted" in gone.json()["detail"]
    assert pair.other.post(path, json={"version": 9}).status_code == 404
    assert pair.other.post(path, json={}).status_code == 422
    unknown = path.replace(original["id"], "00000000-0000-7000-8000-000000000000")
    assert pair.other.post(unknown, json={"version": 1}).status_code == 404
