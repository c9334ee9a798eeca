"""POST /afloc/figure answers with a file of what the Ground truth tab shows: its figure, curve or numbers."""

from starlette.responses import Response
from starlette.routing import Route

from afloc.errors import DataError
from afloc.evaluation.figures.image_figure import ImageFigure
from afloc.evaluation.image_report import ALL, FILES, ImageReport
from afloc.imaging.display import Display
from afloc.inference.model import Model
from afloc.text import one_line
from afloc.web.errors import NotFoundError, RefusedError
from afloc.web.messages import FigureRequest
from afloc.web.paths import FIGURE
from afloc.web.routes.agreements import hold_against
from afloc.web.routes.responses import GONE, post_route
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.open_images import OpenImages
from afloc.web.tabs.html import colour_maps


def figure_routes(model: Model, open_images: OpenImages, queue: FairQueue) -> list[Route]:
    def write(request: FigureRequest) -> Response:
        if request.file not in (*FILES, ALL):
            raise NotFoundError(f"There is no such file; there are {', '.join(FILES)} and {ALL}.")
        opened = open_images.get(request.image)
        if opened is None:
            raise RefusedError(str(GONE["error"]), 410)
        view, cases = hold_against(request, opened, model, queue)
        if not 0 <= request.chosen < len(cases):
            raise DataError("There is no such finding.")
        shown = tuple(answer for answer in cases[request.chosen].answers if answer)
        if not shown:
            raise DataError("Nothing is asked of the model about this finding: please describe it.")
        maps, asked = colour_maps(), request.display
        window = (asked.window[0], asked.window[1]) if asked.window else None
        colours = maps.get(asked.colors, next(iter(maps.values())))
        display = Display(window, asked.invert, colours, asked.opacity)
        name = f"{model.name} {model.config.version}"
        figure = ImageFigure(
            opened.image, shown, name, model.fingerprint, request.scale, request.threshold, display
        )
        answers = [answer for case in cases for answer in case.answers if answer]
        report = ImageReport(one_line(request.name), view.modality, figure, answers)
        media = FILES.get(request.file, "application/zip")
        return Response(report.write(request.file), media_type=media, headers={"Cache-Control": "no-store"})

    return [post_route(FIGURE, FigureRequest, write)]
