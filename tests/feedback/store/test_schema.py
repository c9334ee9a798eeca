import duckdb
import pytest

from afloc.errors import StoreError
from afloc.feedback.store import schema
from afloc.feedback.store.events import ADDED, JSON_NAMES, NAMES
from afloc.feedback.store.store import FILE_NAME, Store
from tests.feedback.store.rows import full_event, new_id


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


def test_rows_of_an_earlier_version_have_nothing_in_the_columns_added_since(tmp_path):
    """The tables as the second version of the schema had them, with one row."""
    old, (_, *later) = full_event(**dict.fromkeys(ADDED)), schema.MIGRATIONS
    columns = ", ".join(f'"{c.name}" {c.type}' for c in schema.COLUMNS if c.name not in ADDED)
    with duckdb.connect(tmp_path / FILE_NAME) as database:
        database.execute("CREATE TABLE store (key VARCHAR PRIMARY KEY, value VARCHAR)")
        database.execute("INSERT INTO store VALUES ('id', 'an-old-store'), ('schema', '2')")
        database.execute(f"CREATE TABLE events ({columns}, PRIMARY KEY (id))")
        database.execute("CREATE TABLE notices (time TIMESTAMP, notice VARCHAR)")
        database.execute(
            "CREATE TABLE studies (version VARCHAR, study VARCHAR, time TIMESTAMP, definition JSON)"
        )
        for statement in later[0]:
            database.execute(statement)
        values = old.row(1)[: len(NAMES) - len(ADDED)]
        database.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(values))})", values)
    with Store(tmp_path) as store:
        (row,) = store.rows("SELECT * FROM answers")
        assert list(row) == list(NAMES)
        assert row["answers"] == old.answers and [row[name] for name in ADDED] == [None] * len(ADDED)
        corrected = full_event(id=new_id(), replaces=old.id)
        store.record(corrected)
        (row,) = store.rows("SELECT * FROM answers")
        assert {name: row[name] for name in ADDED} == {name: getattr(corrected, name) for name in ADDED}
        assert {"asked", "side"} <= set(JSON_NAMES)
