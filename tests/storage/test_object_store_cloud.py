import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.storage.object_store import ObjectDamaged, ObjectMissing, ObjectStore, StoreUnavailable
from tests.fake_s3 import Bucket, running_s3

DAY = timedelta(days=1)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with running_s3() as (url, held):
        monkeypatch.setenv("AWS_ENDPOINT", url)
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        yield held


@pytest.fixture
def store(bucket: Bucket) -> ObjectStore:
    assert not bucket.objects
    return ObjectStore.open("s3://bucket/some/prefix")


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


def test_what_is_missing_or_damaged_in_s3_is_said_to_be(store: ObjectStore, bucket: Bucket) -> None:
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
    bucket.is_down = True

    with pytest.raises(StoreUnavailable) as caught:
        store.put_bytes(b"hello")

    assert caught.value.retry_after_seconds > 0
