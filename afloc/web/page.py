"""The page: the top bar and its tabs, and the ASGI app that serves them behind the gate."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from afloc.feedback.backup import Backup
from afloc.feedback.erasure import keep_for
from afloc.feedback.store.store import Store
from afloc.feedback.studies.access import keep_code
from afloc.feedback.studies.study_folder import StudyFolder, choose_folder
from afloc.files import private_folder, work_in
from afloc.inference.model import Model, load_model
from afloc.pacs.audit import Audit
from afloc.pacs.extra import check_extra
from afloc.settings import Settings
from afloc.web.metrics import METRICS
from afloc.web.page_files import first_paint, head, page_routes
from afloc.web.routes.card import card_routes
from afloc.web.routes.client_endpoints import Page, add_endpoints
from afloc.web.routes.figures import figure_routes
from afloc.web.routes.health import health_routes
from afloc.web.routes.images import image_routes
from afloc.web.routes.pacs import AuditedPacs, pacs_routes
from afloc.web.routes.sets import run_routes, set_routes
from afloc.web.routes.study_editor import study_editor_routes
from afloc.web.security.gate import Gate
from afloc.web.security.headers import DressPage
from afloc.web.security.hosts import choose_names
from afloc.web.security.oauth import check_place
from afloc.web.security.stored_limits import StoredLimits
from afloc.web.security.study_only import HEAD as NARROW
from afloc.web.security.study_only import StudyOnly
from afloc.web.state.call_queue import CallRefusedError, KnownCalls, SharedState, say_refused
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.locked_folders import LockedFolder, lock_folder, remove_abandoned
from afloc.web.state.memory import return_unused
from afloc.web.state.open_images import OpenImages
from afloc.web.state.set_uploads import SetUploads
from afloc.web.state.study_sessions import StudySessions
from afloc.web.tabs.ground_truth import ground_truth_tab
from afloc.web.tabs.html import show_html
from afloc.web.tabs.probe import probe_tab
from afloc.web.tabs.results import results_routes, results_tab
from afloc.web.tabs.study import study_routes, study_tab

UPLOADS = (
    "afloc-uploads"  # the folder of a server's folders for what may not stay, and how their names begin:
)
SENT, WORK = "sent-", "work-"  # files sent to named endpoints; exports and the like, while they are written
READERS_PARTS = ("study", "results")  # what readers and coordinators use with a code of theirs
UPLOAD_SECONDS = 60  # how long a file sent to a named endpoint stays in the upload folder
LEFTOVER_SECONDS = 3 * UPLOAD_SECONDS  # and one whose sender went away in the middle


@dataclass(frozen=True)
class Site:
    """`app`: the ASGI app, gate included. `page`: the gradio page inside it. `queue`: before the model."""

    app: Gate
    page: Page
    queue: FairQueue

    def end_streams(self) -> None:
        """Let the open pages' connections end, which otherwise last as long as the pages."""
        self.page.app.stop_event.set()


def build_page(
    model: Model,
    open_images: OpenImages,
    sets: Sets,
    sessions: StudySessions,
    uploads: Path,
    pacs: AuditedPacs | None = None,
    upload_mb: int = 128,
) -> Page:
    """The gradio page: its tabs and its named endpoints. `uploads`: the folder for files sent to an endpoint.
    `pacs`: None where none is set. `upload_mb`: the largest file that a visitor may open."""
    queue, store = sessions.queue, sessions.store
    with Page(
        title="AFLoc", analytics_enabled=False, fill_width=True, delete_cache=(UPLOAD_SECONDS, UPLOAD_SECONDS)
    ) as page:
        show_html("bar", folder="shell")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Probe"):
                probe_tab(model, open_images, queue, store, pacs, upload_mb)
            with gr.Tab("Ground truth"):
                ground_truth_tab(model, open_images, queue, sets)
            with gr.Tab("Reader study", elem_id="reader-study"):
                study_tab(sessions)
            with gr.Tab("Results", elem_id="results-tab"):
                results_tab(sessions)
        add_endpoints(model, queue, store, uploads, sets)
    return page


def build_site(settings: Settings, framed: bool = False, model: Model | None = None) -> Site:
    """Load the model, if it is not given, and build the page. `framed`: Hugging Face may show it in a frame.
    Raises AFLocError."""
    by_hub = settings.sign_in == "oauth"
    if by_hub:
        check_place(settings.password)
    model = model or load_model(settings.model, settings.device)
    open_images = OpenImages(settings.image_memory_mb << 20)
    folder = settings.sets_dir and Path(settings.sets_dir)
    data = Path(settings.data_dir)
    set_uploads = SetUploads(data / "uploads", 4 * settings.max_upload_mb << 20)
    sets = Sets(model, folder, data / "evaluations", set_uploads)
    study_files = choose_folder(settings.studies_dir, settings.data_dir)
    studies = StudyFolder(study_files, with_demo=not settings.studies_dir)
    page_code = settings.coordinator_code or keep_code(study_files)
    store = Store(settings.data_url or settings.data_dir, StoredLimits())
    sessions = StudySessions(model, studies, store, page_code, folder=studies)
    upload_folders = private_folder(UPLOADS)
    for prefix in (SENT, WORK):
        remove_abandoned(upload_folders, prefix)
    uploads, work = lock_folder(upload_folders, SENT), lock_folder(upload_folders, WORK)
    work_in(work.path)
    pacs = connect(settings)
    page = build_page(model, open_images, sets, sessions, uploads.path, pacs, settings.max_upload_mb)

    def forget_unused() -> None:
        sweep(uploads.path, time.time() - LEFTOVER_SECONDS)
        open_images.sweep()
        sets.sweep()
        return_unused()

    app = Starlette(
        routes=[
            *image_routes(open_images, settings.max_upload_mb, sets, pacs),
            *pacs_routes(pacs, model, open_images, sessions.queue, settings.max_upload_mb),
            *figure_routes(model, open_images, sessions.queue),
            *run_routes(sets),
            *set_routes(set_uploads, settings.max_upload_mb),
            *study_routes(sessions),
            *study_editor_routes(sessions, sets, framed),
            *results_routes(sessions),
            *health_routes(model, store, page.calls, sessions.queue, METRICS, settings.metrics_token),
            *card_routes(model),
            *page_routes(),
        ],
        middleware=[
            Middleware(CORSMiddleware),  # no other origin may read; gradio's own allows every one
            Middleware(
                StudyOnly,
                is_on=lambda: sessions.is_exclusive,
                codes=sessions.exclusive_codes,
                components=[block._id for block in page.blocks.values() if block.elem_id in READERS_PARTS],
            ),
        ],
        lifespan=_keep_until_the_end(store, settings, (uploads, work), model, forget_unused),
    )
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        root_path=os.environ.get("GRADIO_ROOT_PATH"),
        show_error=False,
        app_kwargs={
            "middleware": [
                Middleware(
                    DressPage, framed=framed, head=head().encode(), body=first_paint().encode(), narrow=NARROW
                ),
                Middleware(KnownCalls, calls=page.calls, names=page.endpoints),
            ],
            "exception_handlers": {CallRefusedError: say_refused},
        },
        max_file_size=settings.max_upload_mb << 20,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
    )
    page.app = app.routes[-1].app  # type: ignore[attr-defined]  # a Mount
    page.app.state_holder = SharedState(page)
    page.app.uploaded_file_dir = str(uploads.path)
    rates = settings.rate, settings.rate_all
    names = choose_names(settings.hosts, settings.host, framed)
    gate = Gate(app, settings.max_upload_mb, rates, settings.password, framed, by_hub, METRICS, names)
    return_unused()  # what loading the model left
    return Site(gate, page, sessions.queue)


def connect(settings: Settings) -> AuditedPacs | None:
    """The PACS of the settings, where they name one; only then is anything of it loaded.

    SettingsError without the extra `afloc[pacs]`.
    """
    if not settings.dicomweb_url:
        return None
    check_extra()
    from afloc.pacs.dicomweb import Pacs

    limit = settings.max_upload_mb << 20
    login = settings.dicomweb_user, settings.dicomweb_password, settings.dicomweb_token
    audit = Audit(Path(settings.data_dir) / "audit.jsonl")
    return AuditedPacs(Pacs(settings.dicomweb_url, *login, limit), audit, settings.dicomweb_send)


def _keep_until_the_end(
    store: Store,
    settings: Settings,
    folders: tuple[LockedFolder, ...],
    model: Model,
    forget_unused: Callable[[], None],
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """While the server runs, the feedback is copied and what nobody uses goes; then all is closed."""

    @asynccontextmanager
    async def lifespan(_) -> AsyncIterator[None]:
        folder, minutes = settings.backup_dir, settings.backup_minutes
        backup = Backup(store, folder, minutes) if folder else None
        duties = [forget_unused]
        if settings.retention_days:
            duties.append(keep_for(store, settings.retention_days))
        sweeping = asyncio.create_task(_call_on_time(duties))
        preparing = threading.Thread(target=model.prepare)
        preparing.start()
        yield
        sweeping.cancel()
        preparing.join()
        if backup:
            backup.close()
        store.close()
        work_in(None)
        for each in folders:
            each.remove()

    return lifespan


async def _call_on_time(duties: Sequence[Callable[[], None]]) -> None:
    while True:
        await asyncio.sleep(UPLOAD_SECONDS)
        for duty in duties:
            await asyncio.to_thread(duty)


def sweep(folder: Path, before: float) -> None:
    """Remove what is older than a time: gradio's own clearing leaves folders and broken-off files."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what a folder holds comes before it
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.rmdir() if path.is_dir() else path.unlink()
