"""A hub whose office rules, and the city that is told: what tests do with both."""

from rulings_world import PDF, REASON
from upstream_cities import speak
from upstream_world import now

from hub.rules.afterwards import Ruled
from hub.store import additions, documents, invitations, rulings
from hub.upstream.contents import INCOMPLETE

ENDPOINT = (
    ('ruling = "again"', 'ruling = "endpoint"'),
    ('# ruling = "/evaluate/invalid"', 'ruling = "/ruling"'),
)
"""What a city's quirks say that has an address of its own for rulings."""


def rule(hub, rated):
    """What the office does."""

    def job(db):
        found = rulings.rating(db, rated.invitation)
        kept = documents.keep(db, hub.vault, PDF, "pdf", by="user:bangong", now=now())
        ruled = Ruled(of=found.position, by="user:bangong", reason=REASON, evidence=(kept.digest,))
        return rulings.enter(db, hub.vault, found, ruled, now()).position

    return hub.writer.call(job)


def rate(hub, **change):
    """A rating as ingest leaves it: its invitation is ended by it."""
    rated = hub.rate(**change)
    hub.writer.call(
        lambda db: db.conn.execute(
            "UPDATE invitations SET outcome = 'rated', outcome_id = ? WHERE id = ?",
            (rated.id, rated.invitation),
        )
    )
    return rated


def write(hub, rated, text="补充：后来有人来电道歉"):
    """What the citizen's own page does."""
    hub.writer.call(
        lambda db: additions.enter(
            db,
            hub.vault,
            invitations.get(db, rated.invitation),
            text,
            now(),
            incomplete=INCOMPLETE,
        )
    )


def forward(hub, city, folder, *changes):
    dialect = speak(city.name, city.url, folder, *changes)
    return hub.forward_until("", hub.nothing_waits, dialect=dialect)


def paths(city):
    return [path for path, *_ in city.asked if path != "/token"]


def of_rating(city):
    (record,) = [each for each in city.register.records if "satisfaction" in each]
    return record["satisfaction"], record["EffectivEvalua"], record["appStatus"]
