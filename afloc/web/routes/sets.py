"""The routes of data sets: uploads, and the files of finished runs.

POST /afloc/sets?name=NAME[&set=SET]  takes one file as the body, for a new set or one begun before, and
answers with its key; DELETE /afloc/sets/SET drops it; GET /afloc/runs/FILE is a file of a finished run.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from afloc.errors import DataError
from afloc.web.errors import NotFoundError, answering_errors
from afloc.web.paths import RUNS, SETS
from afloc.web.routes.responses import read_body
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.set_uploads import SetUploads


def set_routes(uploads: SetUploads, limit_mb: int) -> list[Route]:
    @answering_errors
    async def add(request: Request) -> Response:
        query = request.query_params
        content = await read_body(request, limit_mb)
        key = await run_in_threadpool(uploads.add, content, query.get("name", ""), query.get("set"))
        return JSONResponse({"set": key})

    @answering_errors
    def drop(request: Request) -> Response:
        uploads.drop(request.path_params["set"])
        return Response(status_code=204)

    return [Route(SETS, add, methods=["POST"]), Route(SETS + "/{set}", drop, methods=["DELETE"])]


def run_routes(sets: Sets) -> list[Route]:
    """GET /afloc/runs/FILE?set=NAME&style=STYLE: a file of a finished run."""

    @answering_errors
    def download(request: Request) -> Response:
        query = request.query_params
        try:
            path = sets.file(query.get("set", ""), query.get("style", ""), request.path_params["file"])
        except DataError as error:
            raise NotFoundError(str(error)) from None
        if path is None:
            raise NotFoundError("There is no such file.")
        return FileResponse(path, filename=path.name)

    return [Route(RUNS + "/{file}", download)]
