from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.artifact.files import MANIFEST, MODEL, SCORECARD, WEIGHTS
from app.artifact.manifest import Manifest
from app.config import shipped_dir
from app.registry.aliases import alias_history
from app.registry.shipped import import_shipped
from app.registry.store import delete_version, list_models, list_versions, move_alias, resolve
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from tests.registry.records import series_manifest, series_scorecard, text_manifest
from tests.registry.samples import registered


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore.open("memory://")


def ship(folder: Path, name: str, number: int, manifest: Manifest | None = None) -> None:
    artifact = folder / name / str(number)
    artifact.mkdir(parents=True)
    seeded = manifest or series_manifest(seed=number)
    (artifact / MANIFEST).write_text(seeded.model_dump_json())
    (artifact / SCORECARD).write_text(series_scorecard().model_dump_json())
    (artifact / MODEL).write_bytes(f"{name} {number}".encode())
    (artifact / WEIGHTS).write_bytes(b"weights")


def test_shipped_models_are_imported_once(
    session: Session, store: ObjectStore, tmp_path: Path
) -> None:
    for number in (10, 9):
        ship(tmp_path, "prices", number)
    ship(tmp_path, "other", 1)
    (tmp_path / ".gitkeep").touch()
    (tmp_path / "prices" / "README.md").touch()

    new = import_shipped(session, store, tmp_path)
    again = import_shipped(session, store, tmp_path)

    assert [(each.model, each.number) for each in new] == [
        ("other", 1),
        ("prices", 1),
        ("prices", 2),
    ]
    assert again == []
    assert new[1].manifest["seed"] == 9
    champion = resolve(session, "prices")
    assert store.get(champion.files[MODEL]["sha256"]) == b"prices 9"
    assert {move.moved_by for move in alias_history(session, "prices")} == {"import"}


def test_what_was_deleted_is_not_brought_back(
    session: Session, store: ObjectStore, tmp_path: Path
) -> None:
    ship(tmp_path, "prices", 1)
    import_shipped(session, store, tmp_path)
    registered(session)
    move_alias(session, model="prices", alias="champion", version=2, reason="mine")
    delete_version(session, "prices", 1)

    assert import_shipped(session, store, tmp_path) == []
    assert resolve(session, "prices").number == 2


def test_a_users_own_model_keeps_its_name_and_its_champion(
    session: Session, store: ObjectStore, tmp_path: Path
) -> None:
    registered(session)
    registered(session, "fable", manifest=text_manifest())
    ship(tmp_path, "prices", 1)
    ship(tmp_path, "fable", 1)

    new = import_shipped(session, store, tmp_path)

    assert [(each.model, each.number) for each in new] == [("prices", 2)]
    assert resolve(session, "prices").number == 1
    assert len(list_versions(session, "fable", limit=9)) == 1


def test_several_processes_import_at_once(
    fresh_database: str, store: ObjectStore, tmp_path: Path
) -> None:
    ship(tmp_path, "prices", 1)
    engine = make_engine(fresh_database)
    sessions = sessionmaker(engine)

    def start() -> int:
        with sessions.begin() as session:
            return len(import_shipped(session, store, tmp_path))

    with ThreadPoolExecutor(4) as threads:
        imported = [each.result() for each in [threads.submit(start) for _ in range(4)]]

    assert sorted(imported) == [0, 0, 0, 1]
    engine.dispose()


def test_a_folder_that_is_not_an_artifact_is_an_error(
    session: Session, store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "prices" / "1").mkdir(parents=True)

    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        import_shipped(session, store, tmp_path)


def test_what_comes_with_the_code_can_be_imported(session: Session, store: ObjectStore) -> None:
    folders = {path.name for path in shipped_dir("models").iterdir() if path.is_dir()}

    import_shipped(session, store)

    assert {model.name for model in list_models(session, limit=100)} == {
        name for name in folders if any((shipped_dir("models") / name).glob("[0-9]*"))
    }
