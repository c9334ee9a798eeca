import pytest

from afloc.errors import StoreError
from afloc.feedback.store import schema
from afloc.feedback.store.store import Store
from tests.feedback.store.rows import full_event


def test_migration_keeps_the_rows(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        store.record(full_event())
    later = (*schema.MIGRATIONS, ("ALTER TABLE studies ADD COLUMN place VARCHAR",))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", later)
        with Store(tmp_path) as store:
            assert len(store.rows("SELECT * FROM events")) == 1
            assert store.rows("SELECT value FROM store WHERE key = 'schema'") == [{"value": str(len(later))}]
            assert store.rows("SELECT place FROM studies") == []
    with pytest.raises(StoreError, match="newer AFLoc"):
        Store(tmp_path)
