"""What the keeper promises the session, without its thread: orders in, words out, in order."""

from collections import deque

from msgspec.structs import replace

from device.events import Close, Discard, Keep, Recovered, Release, Saved, SaveFailed


class Disk:
    """Answers every `Keep`, in order and with its revision; a failed one as `SaveFailed`.

    While the disk is known to be broken only a `Keep` is tried; the rest waits for `mended`.
    """

    def __init__(self):
        self.works = True
        self.broken = False  # known to be: a write has failed, and it was not mended since
        self.orders = deque()
        self.words = deque()  # makers of events that are under way to the screen
        self.drafts = {}  # invitation -> the draft that is on the disk
        self.final = {}  # invitation -> what goes out to the hub
        self.newest = 0
        self._unkept = []
        self._owners = {}
        self._last = {}  # invitation -> the newest draft that was ordered
        self._answered = set()
        self._failed = set()  # invitations whose newest draft could not be written

    def take(self, effect):
        """Take an order of the session."""
        self.orders.append(effect)
        if isinstance(effect, Keep):
            draft = effect.draft
            self.newest = max(self.newest, draft.revision)
            self._owners[draft.revision] = draft.invitation
            self._last[draft.invitation] = draft
        elif isinstance(effect, Release) and effect.draft is not None:
            self._last[effect.invitation] = effect.draft

    def owner(self, revision):
        """The invitation of the draft with this revision."""
        return self._owners[revision]

    def holds(self, draft):
        """Whether just this draft is on the disk, but for what the hub did since."""
        found = self.drafts.get(draft.invitation)
        return found is not None and replace(found, signals=draft.signals) == draft

    def queued(self):
        """The revisions that will be answered before whatever is ordered next."""
        return {order.draft.revision for order in self.orders if isinstance(order, Keep)}

    def answered(self):
        """The revisions that were answered, one way or the other."""
        return frozenset(self._answered)

    def writes(self):
        """Carry out the oldest order."""
        order = self.orders.popleft()
        if isinstance(order, Keep):
            self._answered.add(order.draft.revision)
        if not self.works or (self.broken and not isinstance(order, Keep)):
            if isinstance(order, Keep):
                self._failed.add(order.draft.invitation)
            else:
                self._unkept.append(order)
            self.failed()
            return
        self._write(order)

    def failed(self):
        """Say that the disk does not take anything."""
        self.broken = True
        self.words.append(SaveFailed)

    def mended(self):
        """Carry out what waited, and say that all is well."""
        self.broken = False
        late, self._unkept = self._unkept, []
        for order in late:
            self._write(order)
        self.words.append(Recovered)

    def _write(self, order):
        if isinstance(order, Keep):
            draft = order.draft
            assert draft.invitation not in self.final
            self.drafts[draft.invitation] = draft
            self._failed.discard(draft.invitation)
            self.words.append(lambda now: Saved(now, draft.revision))
        elif isinstance(order, Discard):
            self.drafts.pop(order.invitation, None)
        elif isinstance(order, Release):
            if order.draft is not None:
                self._write(Keep(order.draft))
            draft = self.drafts.pop(order.invitation)
            if order.invitation not in self._failed:
                assert draft == self._last[order.invitation], "not what was pressed last"
            self.final[order.invitation] = draft
        else:
            assert isinstance(order, Close)
            self.drafts.pop(order.invitation, None)
            self.final[order.invitation] = order
