import pytest

from afloc.feedback.publication.report import gather


@pytest.fixture(scope="module")
def published(filled_folder, study):
    """A study of 3 readers and 12 cases as it is published, and its store."""
    from afloc.feedback.store.store import Store

    with Store(filled_folder) as store:
        yield store, gather(store, study.id)
