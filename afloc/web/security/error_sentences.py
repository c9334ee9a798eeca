"""One sentence where an answer would have been an error page."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afloc.web.errors import error_response


class ErrorSentences:
    """ASGI: answers an error that `app` lets out with one sentence, and breaks off an answer that began."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except ClientDisconnect:  # the sender went away; nobody is left to answer
            pass
        except Exception as error:
            answer = error_response(error)
            if started:  # the connection must break off, as the answer did
                raise ConnectionError("An answer broke off.") from None
            await answer(scope, receive, send)
