"""Which records go to the city in one request."""

from collections.abc import Iterable, Sequence

from hub.store.deliveries import AFTERWARDS, Delivery, Kind


class Batches:
    """Makes lists of up to `batch` records of one kind, from what is due already.

    A record goes alone that the city may have, that once got no answer, or that follows a
    rating: of a list the city would only say "exists", or nothing. What went together and did
    not get a plain yes is taken apart by halves, until each record has an answer of its own.
    This is known until it has one, or until a restart: then it begins with the whole list again.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self._smaller: dict[int, int] = {}  # by delivery

    def gather(self, due: Iterable[Delivery], room: int) -> list[tuple[Delivery, ...]]:
        """Return at most `room` requests, in the order of what is due; no serial twice in it."""
        made: list[list[Delivery]] = []
        growing: dict[tuple[Kind, int], list[Delivery]] = {}
        for each in due:
            of = each.kind, self._most(each)
            if len(growing.get(of, ())) == of[1]:
                del growing[of]
            if of not in growing:
                if len(made) == room:
                    continue
                growing[of] = []
                made.append(growing[of])
            growing[of].append(each)
        return [tuple(each) for each in made]

    def apart(self, batch: Sequence[Delivery]) -> None:
        """Send these in lists of half the length from now on."""
        for each in batch:
            self._smaller[each.id] = -(-len(batch) // 2)

    def settled(self, delivery: Delivery) -> None:
        """Forget a record that has an answer of its own."""
        self._smaller.pop(delivery.id, None)

    def _most(self, delivery: Delivery) -> int:
        if delivery.attempts or delivery.task != "first" or delivery.kind in AFTERWARDS:
            return 1
        return self._smaller.get(delivery.id, self.batch)
