import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.storage.object_store import ObjectStore
from app.storage.store_errors import (
    ObjectDamaged,
    ObjectMissing,
    StoreMisconfigured,
    StoreUnavailable,
)
from tests.fake_s3 import Bucket, environment_of, running_s3

DAY = timedelta(days=1)
URL = "s3://bucket/some/prefix"
HELLO = hashlib.sha256(b"hello").hexdigest()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with running_s3() as (url, held):
        for name, value in environment_of(url).items():
            monkeypatch.setenv(name, value)
        yield held


@pytest.fixture
def store(bucket: Bucket) -> ObjectStore:
    assert not bucket.objects
    return ObjectStore.open(URL)


def key_of(sha256: str) -> str:
    return f"some/prefix/objects/{sha256[:2]}/{sha256}"


def test_bytes_come_back_from_s3(store: ObjectStore, bucket: Bucket) -> None:
    stored = store.put_bytes(b"hello")

    assert list(bucket.objects) == [key_of(stored.sha256)]
    assert store.get(stored.sha256) == b"hello"
    assert store.exists(stored.sha256)


@pytest.mark.parametrize("size", [0, 1, (20 << 20) + 1])
def test_files_come_back_from_s3(
    store: ObjectStore, bucket: Bucket, tmp_path: Path, size: int
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))

    stored = store.put_file(source)
    store.fetch(stored.sha256, target)

    assert target.read_bytes() == source.read_bytes()
    assert list(bucket.objects) == [key_of(stored.sha256)]
    assert bucket.uploads == {}


def test_what_is_missing_or_damaged_in_s3_is_reported(store: ObjectStore, bucket: Bucket) -> None:
    stored = store.put_bytes(b"hello")

    bucket.objects[key_of(stored.sha256)] = b"hellp"
    with pytest.raises(ObjectDamaged):
        store.get(stored.sha256)

    bucket.objects.clear()
    with pytest.raises(ObjectMissing):
        store.get(stored.sha256)
    assert not store.exists(stored.sha256)


def test_s3_is_swept(store: ObjectStore, bucket: Bucket) -> None:
    kept, old, young = (store.put_bytes(word) for word in (b"kept", b"old", b"young"))
    bucket.put("some/prefix/incoming/left", b"")
    for key in (key_of(kept.sha256), key_of(old.sha256), "some/prefix/incoming/left"):
        bucket.modified[key] -= 2 * DAY

    assert store.sweep(lambda: {kept.sha256}, DAY) == 2
    assert set(bucket.objects) == {key_of(kept.sha256), key_of(young.sha256)}


def test_an_object_stored_again_in_s3_is_young_again(store: ObjectStore, bucket: Bucket) -> None:
    stored = store.put_bytes(b"again")
    bucket.modified[key_of(stored.sha256)] -= 2 * DAY

    store.put_bytes(b"again")

    assert store.sweep(set, DAY) == 0


def test_s3_that_refuses_is_unavailable(store: ObjectStore, bucket: Bucket) -> None:
    bucket.status = 503

    with pytest.raises(StoreUnavailable, match="answers with an error") as caught:
        store.put_bytes(b"hello")

    assert caught.value.retry_after_seconds > 0


OPERATIONS: dict[str, Callable[[ObjectStore, Path], object]] = {
    "put_bytes": lambda store, _: store.put_bytes(b"hello"),
    "put_file": lambda store, file: store.put_file(file),
    "get": lambda store, _: store.get(HELLO),
    "exists": lambda store, _: store.exists(HELLO),
    "sweep": lambda store, _: store.sweep(set, DAY),
    "probe": lambda store, _: store.probe(),
}


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(bytes(12 << 20))
    return path


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_waits_for_a_store_that_hangs(
    bucket: Bucket, large_file: Path, operation: str
) -> None:
    store = ObjectStore.open(URL, answer_seconds=0.5)
    store.put_bytes(b"hello")
    bucket.hangs_after = 0

    with pytest.raises(StoreUnavailable, match="does not answer"):
        OPERATIONS[operation](store, large_file)

    bucket.hangs_after = None
    bucket.released.set()
    OPERATIONS[operation](store, large_file)


def test_an_answer_that_stops_in_the_middle_is_given_up(bucket: Bucket, large_file: Path) -> None:
    store = ObjectStore.open(URL, answer_seconds=0.5)
    stored = store.put_file(large_file)
    bucket.hangs_after = 7 << 20

    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.get(stored.sha256)


def test_a_slow_store_that_keeps_sending_is_waited_for(bucket: Bucket, large_file: Path) -> None:
    store = ObjectStore.open(URL, answer_seconds=1.0)
    bucket.pause_seconds = 0.2

    stored = store.put_file(large_file)

    assert len(store.get(stored.sha256)) == 12 << 20  # took 2.4 s


@pytest.mark.parametrize("operation", OPERATIONS)
def test_refused_credentials_are_reported(bucket: Bucket, large_file: Path, operation: str) -> None:
    bucket.status, bucket.code = 403, "AccessDenied"

    with pytest.raises(StoreMisconfigured, match="refuses the credentials"):
        OPERATIONS[operation](ObjectStore.open(URL), large_file)


# In S3, the answer to `exists` does not say whether the object or the bucket is missing.
@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - {"exists"}))
def test_a_missing_bucket_is_reported(bucket: Bucket, large_file: Path, operation: str) -> None:
    bucket.status, bucket.code = 404, "NoSuchBucket"

    with pytest.raises(StoreMisconfigured, match="there is no bucket"):
        OPERATIONS[operation](ObjectStore.open(URL), large_file)


def test_plain_http_has_to_be_allowed(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    store = ObjectStore.open(URL)

    with pytest.raises(StoreMisconfigured, match="AWS_ALLOW_HTTP=true"):
        store.probe()
    assert not bucket.objects


def test_missing_credentials_are_reported(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stands in for the machine's own service of credentials, which would otherwise be asked.
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", os.environ["AWS_ENDPOINT_URL"])
    bucket.status = 403
    store = ObjectStore.open(URL, answer_seconds=0.5)

    with pytest.raises(StoreMisconfigured, match="credentials"):
        store.probe()


def test_every_request_is_observed(bucket: Bucket) -> None:
    seen: list[tuple[str, bool]] = []
    store = ObjectStore.open(
        URL, observe=lambda operation, _, failed: seen.append((operation, failed))
    )

    store.put_bytes(b"hello")
    store.get(HELLO)
    bucket.status = 503
    with pytest.raises(StoreUnavailable):
        store.get(HELLO)

    assert seen == [("put", False), ("get", False), ("read", False), ("get", True)]


def test_a_missing_object_is_not_a_failure_of_the_store(bucket: Bucket) -> None:
    seen: list[tuple[str, bool]] = []
    store = ObjectStore.open(
        URL, observe=lambda operation, _, failed: seen.append((operation, failed))
    )

    with pytest.raises(ObjectMissing):
        store.get(HELLO)

    assert not bucket.objects
    assert seen == [("get", False)]
