"""Staff of a hub, in a browser without a screen: they sign in to the admin and click."""

from __future__ import annotations

import re
from html import unescape
from types import TracebackType
from urllib.parse import urlsplit

import httpx


class Staff:
    """Somebody who has signed in to the admin of the hub at `url`."""

    def __init__(self, url: str, *, password: str, cookies: httpx.Cookies | None = None) -> None:
        # Browsers keep cookies by host and not by port, so both hubs of the demo get those of either.
        self.client = httpx.Client(base_url=url, cookies=cookies, follow_redirects=True, timeout=60, trust_env=False)
        self.post("/admin/login/", username="admin", password=password)

    def __enter__(self) -> Staff:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def see(self, path: str) -> str:
        """Return what a page says, without its markup."""
        return words(self.page(path))

    def page(self, path: str) -> str:
        """Return a page's HTML."""
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2000])
        assert not urlsplit(str(answer.url)).path.endswith("/login/"), "signed out"
        return answer.text

    def post(self, path: str, **fields: str) -> str:
        """Fill the form of a page in, send it, and return what the page after it says."""
        form = self.client.get(path).text
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[0]
        answer = self.client.post(path, data={"csrfmiddlewaretoken": token, **fields})
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2000])
        return words(answer.text)

    def confirm(self, path: str) -> str:
        """Press the button of a page that asks first, and return what the page after it says."""
        return self.post(path, confirmed=re.findall(r'name="confirmed" value="(\w+)"', self.page(path))[0])

    def id_of(self, model: str, text: str) -> str:
        """Return the id of the row of a list that says `text`, by what ticking it sends or by its link."""
        rows: list[str] = re.findall(r"<tr.*?</tr>", self.page(f"/admin/peers/{model}/"), flags=re.DOTALL)
        ids = rf'name="_selected_action" value="([^"]+)"|/admin/peers/{model}/([^/"]+)/change/'
        for row in rows:
            found = re.search(ids, row)
            if found and text in row:
                return found[1] or found[2]
        raise AssertionError((model, text, rows))


def words(html: str) -> str:
    """Return the text of a page, with single blanks."""
    return " ".join(unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL)).split())
