"""A reader at a browser of their own, who answers what a test says."""

import json
from collections.abc import Mapping

from playwright.sync_api import Browser, Page

SETTLED = """before => {
  const study = document.querySelector("#study .study"), viewer = study.querySelector(".viewer");
  const told = !study.querySelector(".reference").hidden;
  const now = [study.dataset.stage, viewer.dataset.case, told].join();
  return now !== before && (study.dataset.stage !== "case" || viewer.dataset.state === "ready") && now;
}"""


class ReaderAtPage:
    """`code`: of the reader. `ratings`: the key that is pressed on each case, by its place in the order."""

    def __init__(self, chromium: Browser, url: str, code: str, ratings: Mapping[int, int]):
        self.context = chromium.new_context()
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.answered: list[int] = []
        self.ratings = ratings
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.page.get_by_role("tab", name="Reader study").click()
        self.page.fill("#study .card input", code)
        self._now = self.page.evaluate(SETTLED, "") or "enter"
        self.page.keyboard.press("Enter")

    @property
    def index(self) -> int:
        """The place of the case on the screen in the reader's order."""
        return int(self._now.split(",")[1])

    @property
    def server(self) -> int:
        """Which process answers this page."""
        told = self.page.evaluate("fetch('config').then((reply) => reply.text())")
        return json.loads(told)["app_id"]  # a number that JavaScript cannot hold

    def arrive(self) -> str:
        """Read the cards until a case is on the screen, or the end; which of them it is."""
        while True:
            self._now = self.page.wait_for_function(SETTLED, arg=self._now).json_value()
            stage, _, told = self._now.split(",")
            if stage == "case" and told == "true":  # the truth of a training case has been read
                self.page.keyboard.press("Enter")
            elif stage in ("consent", "training", "cases"):
                self.page.click("#study .card .go")
            else:
                return stage

    def answer(self) -> None:
        """Answer the case on the screen, and do not wait for the server."""
        self.page.keyboard.press(str(self.ratings[self.index]))
        self.page.keyboard.press("Enter")
        self.answered.append(self.index)

    def close(self) -> None:
        self.context.close()
