"""The model card as a page of its own."""

import html

from markdown_it import MarkdownIt
from markdown_it.token import Token
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from afloc.inference.model import Model
from afloc.web.page_files import STYLES, address, read_asset
from afloc.web.paths import CARD


def card_routes(model: Model) -> list[Route]:
    """GET the card of the model, for whoever may see the page."""
    up = "../" * (CARD.count("/") - 1)  # to the page, also below a path
    page = (
        read_asset("shell/card.html")
        .replace("{{title}}", html.escape(model.name))
        .replace("{{styles}}", up + address(STYLES))
        .replace("{{theme}}", up + address("shell/theme.js"))
        .replace("{{card}}", render_card(model.card) or "<p>This model has no card.</p>")
    )

    async def card(_: Request) -> HTMLResponse:
        return HTMLResponse(page)

    return [Route(CARD, card)]


def render_card(text: str) -> str:
    """Markdown as HTML, tables included. HTML in it becomes text: a card may come with anybody's model."""
    if text.startswith("---\n"):  # the metadata of the Hugging Face hub
        text = text.partition("\n---\n")[2]
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.children:
            token.children = [each for each in map(_keep_address, token.children) if each.type != "image"]
    shown = str(markdown.renderer.render(tokens, markdown.options, {}))
    return shown.replace("<th></th>", "<td></td>")  # a corner is no header


def _keep_address(token: Token) -> Token:
    """A link to a file beside the card leads nowhere here: its text stays."""
    if token.type == "link_open" and not str(token.attrGet("href")).startswith(("https://", "http://", "#")):
        token.attrs.pop("href")
    return token
