"""One table from errors to statuses, for every route."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from afloc import errors
from afloc.web.errors import (
    UNEXPECTED,
    MessageError,
    NotFoundError,
    RefusedError,
    TooManyError,
    answering_errors,
)
from afloc.web.messages import CaseRequest
from afloc.web.routes.responses import answering, post_route

EXPECTED = [
    (errors.ImageError("No image."), 422),
    (errors.DataError("No set."), 422),
    (errors.DescriptionError("No text."), 422),
    (MessageError("No message."), 422),
    (errors.AccessError("Not yours."), 403),
    (TooManyError("Please wait."), 429),
    (NotFoundError("Not here."), 404),
    (errors.StoreError("Not saved."), 503),
    (RefusedError("Too large.", 413), 413),
    (KeyError("Doe^Jane"), 500),
]


@pytest.mark.parametrize("error, status", EXPECTED, ids=[type(error).__name__ for error, _ in EXPECTED])
def test_an_error_has_one_status_and_one_sentence_on_every_route(error, status, caplog):
    def fail(*_):
        raise error

    @answering_errors
    async def endpoint(_):
        fail()

    routes = [Route("/get", endpoint), post_route("/post", CaseRequest, fail)]
    client = TestClient(Starlette(routes=routes))
    for answer in (client.get("/get"), client.post("/post", json={})):
        said = UNEXPECTED if status == 500 else str(error)
        assert (answer.status_code, answer.json()) == (status, {"error": said})
    assert answering(CaseRequest)(fail)({}) == {"error": said, "status": status}  # a server function
    assert "Doe" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_one_sentence(content):
    client = TestClient(Starlette(routes=[post_route("/post", CaseRequest, lambda _: JSONResponse({}))]))
    answer = client.post("/post", content=content)
    assert (answer.status_code, answer.json()) == (422, {"error": "This should be sent as JSON."})
