"""The routes of data sets: uploads, and the files of finished runs.

POST /afloc/sets?name=NAME[&set=SET]  takes one file as the body, for a new set or one begun before, and
answers with its key; DELETE /afloc/sets/SET drops it; GET /afloc/runs/FILE is a file of a finished run.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from afloc.errors import AFLocError
from afloc.web.errors import explain
from afloc.web.routes.responses import read_body
from afloc.web.state.dataset_runs import RUNS_PATH, Sets
from afloc.web.state.set_uploads import SETS_PATH, SetUploads


def set_routes(uploads: SetUploads, limit_mb: int) -> list[Route]:
    async def add(request: Request) -> Response:
        asked = request.query_params
        try:
            content = await read_body(request, limit_mb)
            key = await run_in_threadpool(uploads.add, content, asked.get("name", ""), asked.get("set"))
            return JSONResponse({"set": key})
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return JSONResponse({"error": explain(error)}, 422 if isinstance(error, AFLocError) else 500)

    async def drop(request: Request) -> Response:
        await run_in_threadpool(uploads.drop, request.path_params["set"])
        return Response(status_code=204)

    return [Route(SETS_PATH, add, methods=["POST"]), Route(SETS_PATH + "/{set}", drop, methods=["DELETE"])]


def run_routes(sets: Sets) -> list[Route]:
    """GET /afloc/runs/FILE?set=NAME&style=STYLE: a file of a finished run."""

    def download(request: Request) -> Response:
        asked = request.query_params
        try:
            path = sets.file(asked.get("set", ""), asked.get("style", ""), request.path_params["file"])
        except Exception as error:
            return JSONResponse({"error": explain(error)}, 404)
        if path is None:
            return JSONResponse({"error": "There is no such file."}, 404)
        return FileResponse(path, filename=path.name)

    return [Route(RUNS_PATH + "/{file}", download)]
