"""What a browser reports about a page: errors of scripts, messages of the console, files that do not come."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, Page, Response

# What htmx writes when the person leaves the page while a request of it is under way; a failed one has other texts.
LEFT_THE_PAGE = ("htmx:sendAbort", "htmx:afterRequest")


def watch(page: Page, errors: list[str]) -> None:
    """Add each later error of the page to `errors`.

    Chromium writes a violation of the Content-Security-Policy to the console as an error.
    """

    def note_message(message: ConsoleMessage) -> None:
        if message.type == "error" and message.text not in LEFT_THE_PAGE:
            errors.append(f"{page.url}: {message.text} ({message.location.get('url', '')})")

    def note_response(response: Response) -> None:
        if response.status >= 400:
            errors.append(f"{page.url}: {response.status} {response.url}")

    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    page.on("console", note_message)
    page.on("response", note_response)
