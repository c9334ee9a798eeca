"""The queue of the named endpoints: gradio's, with bounds, and going on after an error.

A call waits for its turn, then its answer waits to be fetched. Gradio bounds neither: it keeps a message
for each place that a waiting call moves up, keeps what nobody fetches, and stops for good once 2,000
sessions wait.
"""

import asyncio
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from gradio import Blocks
from gradio.queueing import Event, Queue
from gradio.state_holder import SessionState, StateHolder
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from afloc.web.errors import RefusedError, error_response, explain, sentence_response
from afloc.web.paths import CALL
from afloc.web.security.rate_limits import client

ANSWER_SECONDS = 60.0  # that an answer waits to be fetched
MOST_ANSWERS = 500  # of one client that wait to be fetched; a map is some 30 KB of numbers in memory
SWEEP_SECONDS = 5.0
RESTART_SECONDS = 1.0  # before the loop begins again, so that an error that stays does not take the processor
LONGEST_SESSION = 100  # characters of its name; those of gradio's clients have 36 at most
NO_ANSWER = f"There is no such answer; each is kept for {ANSWER_SECONDS:.0f} seconds and can be fetched once."
NAMED = re.compile(CALL + r"(?:v2/)?([^/]+)/?")
FETCH = re.compile(CALL + r"(?:v2/)?[^/]+/([^/]+)/?")


@dataclass(frozen=True)
class Bound:
    """How many calls may be under way at once, and how many bytes they may have been sent as."""

    calls: int
    size: int


SESSION = Bound(60, 1 << 20)  # gradio_client asks 40 at a time
CLIENT = Bound(100, 2 << 20)  # the last of them is answered within seconds
EVERYBODY = Bound(1000, 16 << 20)  # read, JSON takes up to 25 times its size in memory


class CallRefusedError(RefusedError):
    """A call that may not join the queue."""


async def say_refused(_: Request, refused: CallRefusedError) -> Response:
    """The answer to a refused call."""
    return error_response(refused, {"Retry-After": "1"})


@dataclass(frozen=True)
class Call:
    """A call under way. `client`: who asks, as `name_client` names it. `size`: of its body, in bytes."""

    client: str
    session: str
    size: int


class Mailbox(asyncio.Queue):
    """The messages of one session. Of each call only the newest waits: it replaces the one before."""

    def __init__(self, client: str):
        super().__init__()
        self.client = client
        self.changed = time.monotonic()

    def age(self, call_id: str | None) -> float:
        """Seconds since the message came."""
        return time.monotonic() - self._queue[call_id][1]

    def drop(self, call_id: str | None) -> None:
        del self._queue[call_id]

    def __iter__(self) -> Iterator[str | None]:
        """The calls that a message waits of, the newest message first."""
        return reversed(list(self._queue))

    def __bool__(self) -> bool:
        return True

    # What asyncio leaves to its subclasses:

    def _init(self, maxsize: int) -> None:
        self._queue: dict[str | None, Any] = {}

    def _put(self, message) -> None:
        self.changed = time.monotonic()
        self._queue.pop(message.event_id, None)
        self._queue[message.event_id] = message, self.changed

    def _get(self) -> Any:
        return self._queue.pop(next(iter(self._queue)))[0]


class Mailboxes(dict):
    """Mailboxes by session. Whatever gradio puts in for a new session, it is a mailbox of who asks."""

    def __setitem__(self, session: str, _) -> None:
        super().__setitem__(session, Mailbox(client.get()))


class CallQueue(Queue):
    """Gradio's queue within the bounds above. For one event loop, as gradio's."""

    def __init__(self, max_size: int | None, **settings):
        super().__init__(live_updates=True, update_intervals=1, max_size=max_size, **settings)
        self.pending_messages_per_session = Mailboxes()
        self.ANALYTICS_MAX_EVENTS = 1  # of the past nothing is kept
        self._calls: dict[str, Call] = {}
        self._failing = False

    @property
    def working(self) -> bool:
        """Whether calls are being answered."""
        return not (self.stopped or self._failing)

    @property
    def under_way(self) -> int:
        """How many calls wait or are being answered."""
        return len(self._under_way())

    async def push(self, body, request, username) -> tuple[bool, Any, str]:
        """Let a call join; CallRefusedError where it is one too many."""
        session = body.session_hash or uuid.uuid4().hex
        call = Call(client.get(), session, len(await request.body()))
        self._check(call)
        joined, event_id, state = await super().push(body, request, username)
        if state == "queue_full":  # of a size that gradio itself set, for a lent GPU
            raise CallRefusedError("The server is busy; please try again in a minute.", 503)
        if joined:
            self._calls[event_id] = call
            self._take_turns(event_id)
        return joined, event_id, state

    async def process_events(self, events, batch, begin_time, fn) -> None:
        """Answer a call, as one of the client who sent it: limits on what is saved count by client."""
        client.set(self._calls[events[0]._id].client)
        await super().process_events(events, batch, begin_time, fn)

    def knows(self, event_id: str) -> bool:
        """Whether a call is under way, or its answer waits to be fetched."""
        waiting = self.pending_event_ids_session.values()
        return event_id in self.event_ids_to_events or any(event_id in ids for ids in waiting)

    def _check(self, call: Call) -> None:
        calls = [self._calls[event._id] for event in self._under_way()]
        of_client = [each for each in calls if each.client == call.client]
        of_session = [each for each in calls if each.session == call.session]
        if len(call.session) > LONGEST_SESSION:
            raise CallRefusedError(f"The name of a session has at most {LONGEST_SESSION} characters.", 400)
        for others, bound in ((of_session, SESSION), (of_client, CLIENT)):
            if _beyond(bound, others, call):
                waiting = f"{len(others)} of your calls are not answered yet"
                raise CallRefusedError(f"{waiting}; please wait for an answer, then try again.", 429)
        if _beyond(EVERYBODY, calls, call):
            raise CallRefusedError("The server is busy; please try again in a minute.", 503)

    def _take_turns(self, event_id: str) -> None:
        """Put the last call of the queue where it belongs when clients are answered one after the other."""
        event = self.event_ids_to_events[event_id]
        waiting = self.event_queue_per_concurrency_id[event.concurrency_id].queue
        if not waiting or waiting[-1] is not event:
            return
        clients = [self._calls[each._id].client for each in waiting]
        own = clients.count(clients[-1]) - 1
        seen: Counter[str] = Counter()
        for at, name in enumerate(clients):
            if name != clients[-1] and seen[name] > own:
                waiting.insert(at, waiting.pop())
                return
            seen[name] += 1

    def _under_way(self) -> list[Event]:
        waiting = (each.queue for each in self.event_queue_per_concurrency_id.values())
        return list(chain(*waiting, *filter(None, self.active_jobs)))

    def send_message(self, event, event_message) -> None:
        if event.session_hash in self.pending_messages_per_session:  # else who asked went away
            super().send_message(event, event_message)

    def start(self) -> None:
        super().start()
        self._sweeping = asyncio.create_task(self._sweep_on_time())

    async def start_processing(self) -> None:
        """Gradio's loop, begun again where an error ends it."""
        while True:
            try:
                return await super().start_processing()
            except Exception as error:
                explain(error)  # logs it
                self._failing, self.stopped = True, False
                await asyncio.sleep(RESTART_SECONDS)
            self._failing = False

    def _cancel_asyncio_tasks(self) -> None:
        """What is being answered goes on, also while the loop begins again."""

    def compute_analytics_summary(self, records) -> dict:
        """Gradio's would make a table of every call of the past after each one."""
        return self.cached_event_analytics_summary

    async def _sweep_on_time(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Drop the answers that nobody fetches, and what is left of the sessions that nothing waits of."""
        under_way = {event._id: event for event in self._under_way()}
        self.event_ids_to_events = under_way
        self._calls = {event_id: self._calls[event_id] for event_id in under_way}
        busy = {event.session_hash for event in under_way.values()}
        answers: Counter[str] = Counter()
        for session, mailbox in reversed(list(self.pending_messages_per_session.items())):
            for event_id in mailbox:
                if event_id not in under_way:
                    answers[mailbox.client] += 1
                    if answers[mailbox.client] > MOST_ANSWERS or mailbox.age(event_id) > ANSWER_SECONDS:
                        mailbox.drop(event_id)
                        self.pending_event_ids_session.get(session, set()).discard(event_id)
            old = time.monotonic() - mailbox.changed > ANSWER_SECONDS
            if old and mailbox.empty() and session not in busy:
                del self.pending_messages_per_session[session]
        for session in (
            self.pending_event_ids_session.keys() - self.pending_messages_per_session.keys() - busy
        ):
            del self.pending_event_ids_session[session]


class SharedState(StateHolder):
    """One state for all sessions, for a page that keeps nothing of its own in it.

    Gradio would describe every component again for each session, which takes longer than many an answer.
    """

    def __init__(self, blocks: Blocks):
        super().__init__()
        self.set_blocks(blocks)
        self._state = SessionState(blocks)

    def __getitem__(self, session_id: str) -> SessionState:
        return self._state


class KnownCalls:
    """ASGI: who fetches an answer that is not there, or calls what is not there, is told so in a sentence.

    Gradio would break off a stream, or fail. `names`: of the endpoints.
    """

    def __init__(self, app: ASGIApp, calls: CallQueue, names: Sequence[str]):
        self._app, self._calls, self._names = app, calls, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fetched = scope["type"] == "http" and scope["method"] == "GET" and FETCH.fullmatch(scope["path"])
        if fetched and not self._calls.knows(fetched[1]):
            await sentence_response(NO_ANSWER, 404)(scope, receive, send)
        elif (
            scope["type"] == "http" and scope["method"] == "POST" and (call := NAMED.fullmatch(scope["path"]))
        ):
            await self._answer_named(call[1], scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_named(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        """A call whose values stand under their names."""
        if name not in self._names:
            there = ", ".join(f"/{each}" for each in self._names)
            await sentence_response(f"There is no such endpoint; there are {there}.", 404)(
                scope, receive, send
            )
            return
        try:
            await self._app(scope, receive, send)
        except (TypeError, ValueError, LookupError):  # gradio's, before the call joins the queue
            said = f"These are not the values that /{name} takes; /gradio_api/info says which."
            await sentence_response(said, 422)(scope, receive, send)


def _beyond(bound: Bound, others: list[Call], call: Call) -> bool:
    return len(others) >= bound.calls or sum(each.size for each in others) + call.size > bound.size
