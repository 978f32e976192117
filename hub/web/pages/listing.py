"""Long lists on a page: found by words, narrowed by a filter, some at a time. No script."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from hub.web.pages.site import Http

T = TypeVar("T")

PAGE = 50
FEW = 8
"""So many stand on a page without a field to search them."""
LONGEST = 64
"""Characters that are searched for."""

Filters = Mapping[str, tuple[str, Callable[[T], bool]]]
"""By the word in the address: its name, and whether it takes an item."""


class Filter(Struct, frozen=True, kw_only=True):
    """A way to narrow the list; `count` of what the words have found."""

    name: str
    count: int
    to: str
    chosen: bool


class Listing(Struct, Generic[T], frozen=True, kw_only=True):
    """What stands on this page, and the ways from it; addresses are empty where none leads.

    `total` of all items, `found` by words and filter; `first` counts from 1.
    """

    rows: Sequence[T]
    path: str
    words: str
    show: str
    total: int
    found: int
    first: int
    filters: tuple[Filter, ...]
    before: str
    after: str

    @property
    def searched(self) -> bool:
        """Whether there is a field to search."""
        return self.total > FEW or bool(self.words)

    @property
    def last(self) -> int:
        """The last one's number."""
        return self.first + len(self.rows) - 1


def listing(
    request: Http,
    items: Iterable[T],
    *,
    words: Callable[[T], Iterable[str | None]],
    filters: Filters[T],
    order: Callable[[T], Any],
    page: int = PAGE,
) -> Listing[T]:
    """Return what the address asks for: `q` (words), `show` (a filter), `page` (from 1).

    All words must be in `words(item)`, however they are written (full width, capitals). Equal
    items keep their order. What an address says wrongly is as if it were not there.
    """
    asked, path = request.query_params, request.url.path
    said = " ".join(asked.get("q", "").split())[:LONGEST]
    items = sorted(items, key=order)
    found = [each for each in items if _has(words(each), said)]
    show = asked.get("show", "")
    show = show if show in filters else ""
    kept = [each for each in found if filters[show][1](each)] if show else found
    pages = max(1, -(-len(kept) // page))
    at = min(_number(asked.get("page", "")), pages)

    def to(**changed: str) -> str:
        given = {"q": said, "show": show, "page": ""} | changed
        query = urlencode({name: value for name, value in given.items() if value})
        return path + ("?" + query if query else "")

    ways = [
        Filter(
            name=name,
            count=sum(map(takes, found)),
            to=to(show="" if key == show else key),
            chosen=key == show,
        )
        for key, (name, takes) in filters.items()
    ]
    everything = Filter(name="全部", count=len(found), to=to(show=""), chosen=not show)
    return Listing(
        rows=kept[(at - 1) * page : at * page],
        path=path,
        words=said,
        show=show,
        total=len(items),
        found=len(kept),
        first=(at - 1) * page + 1,
        filters=(everything, *(each for each in ways if each.count or each.chosen)),
        before=to(page=str(at - 1)) if at > 1 else "",
        after=to(page=str(at + 1)) if at < pages else "",
    )


def _has(texts: Iterable[str | None], said: str) -> bool:
    text = _plain("\n".join(filter(None, texts)))
    return all(word in text for word in _plain(said).split())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1
