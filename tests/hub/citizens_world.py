"""A hall whose citizens are known, and a look into the raw bytes of its files."""

import random
from contextlib import closing

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import structs
from world_hall import KEYS, Hall, a_case, rated

from hub.citizens import retention
from hub.kiosks.keys import pem_of
from hub.rules.case import Applicant, Person
from hub.rules.days import DAY_MS
from hub.rules.retention import own_part
from hub.store import answers, deliveries, keys, ledger
from hub.store import vault as vaults
from hub.store.database import connect
from hub.verification import report, sources

WORDS = "等了两个小时，没有人理我"


def citizen(number):
    """The citizen of a case, and who came in their place; all of it made up."""
    return {
        "applicant": Applicant(
            name=f"示例申请人{number:05d}",
            certificate_number=f"00000019000101{number:04d}",
            mobile=f"1300000{number:04d}",
        ),
        "agent": Person(name=f"示例代办人{number:05d}", certificate_number=f"DB{number:010d}x"),
    }


def plain(number):
    """What of them must never be readable in a file."""
    of = citizen(number)
    texts = [of["applicant"].name, of["applicant"].certificate_number, of["applicant"].mobile]
    return [each.encode() for each in (*texts, of["agent"].name, of["agent"].certificate_number)]


class Town(Hall):
    """A hall with its key file; its first form, as an older hub made it."""

    def __init__(self, folder, **options):
        super().__init__(folder, **options)
        self.state = folder
        self.key = folder / "citizens.key"
        self.key.write_bytes(b"k" * 32)
        self.key.chmod(0o600)
        self.vault = vaults.load_or_create(self.key, needed=True)
        self.writer.call(
            lambda db: keys.remember(db, "k1", pem_of(KEYS["k1"].public_key()), self.now)
        )
        self._seq = 0

    def case(self, number, *, serial=None):
        """Register a case and invite its citizen; return the invitation's id."""
        name = serial or f"SL{number:06d}"
        case = structs.replace(a_case(name), **citizen(number))
        return self.ask(self.desk.invite("1号窗口", name, 1, case=case)).status.id

    def rate(self, invitation, **change):
        self._seq += 1
        return self.send(rated(invitation, seq=self._seq, **change))

    def visit(self, number, **change):
        """A citizen comes and rates; the signed bytes are returned."""
        return self.rate(self.case(number), **change)

    def city_takes_all(self):
        """The city has everything that waits."""

        def job(db):
            while due := deliveries.due(db, self.now, 100):
                for each in due:
                    answers.accepted(db, each.id, self.now)

        self.writer.call(job)

    def city_takes_all_but(self, kind, serial):
        """The city takes all that waits but this, which is set aside."""

        def job(db):
            while due := deliveries.due(db, self.now, 100):
                for each in due:
                    if (each.kind, each.serial) == (kind, serial):
                        answers.set_aside(db, each.id, "taskCode", self.now)
                    else:
                        answers.accepted(db, each.id, self.now)

        self.writer.call(job)

    def opens(self):
        """The hall is open: something is entered into the ledger."""
        entry = ledger.Entry(
            kind="settings", recorded_at=self.now, device="", invitation="", body=b"{}"
        )
        self.writer.call(lambda db: ledger.append(db, entry))

    def after(self, days):
        self.now += days * DAY_MS
        return self.now

    def erase(self, serial, number=1):
        return retention.erase(
            self.state, self.vault, serial, number, self.now, by="console", why="本人申请"
        )

    def run(self, terms, **options):
        return retention.run(self.state, self.vault, terms, self.now, **options)

    def sealed(self, serial):
        """The values of a citizen as they lie in the file."""
        row = self.rows(
            "SELECT applicant_name, applicant_number, mobile, agent_name, agent_number,"
            " find_applicant, find_mobile, find_agent FROM citizens WHERE serial = ?",
            serial,
        )[0]
        return [bytes(each) for each in row]

    def raw(self):
        """All bytes of the database, its log and its index."""
        return b"|".join(
            path.read_bytes() for path in sorted(self.state.glob("hub.db*")) if path.is_file()
        )

    def verified(self):
        """What a verification of the ledger finds."""
        found = []
        with closing(connect(self.path)) as db:
            report.verify(sources.live(db, None), found.append)
            report.around(db, found.append)
        return found


def shuffled(count, seed=5):
    numbers = list(range(1, count + 1))
    random.Random(seed).shuffle(numbers)
    return numbers


def in_first_form(town, *numbers):
    """Put cases back into the form of an older hub; return what it sealed."""

    def job(db):
        pieces = []
        for number in numbers:
            serial = f"SL{number:06d}"
            said = msgspec.json.encode(citizen(number))
            sealed = b"n" * 12 + AESGCM(b"k" * 32).encrypt(b"n" * 12, said, f"{serial}/1".encode())
            body = msgspec.to_builtins(a_case(serial))
            del body["applicant"], body["agent"]
            db.execute("DELETE FROM citizens WHERE serial = ?", (serial,))
            db.execute(
                "UPDATE cases SET body = ?, sealed = ? WHERE serial = ?",
                (msgspec.json.encode(body), sealed, serial),
            )
            pieces.append(sealed)
        return pieces

    return town.writer.call(job)


def erasures(town):
    return town.rows("SELECT position FROM erasures ORDER BY position")


def secrets(town, number, jws=b""):
    """What of a case must be found nowhere once it is erased: plaintext, ciphertext, words."""
    sealed = town.sealed(f"SL{number:06d}")
    found = [*plain(number), *(each[15:] for each in sealed[:5]), *sealed[5:]]
    if jws:
        found += [own_part(jws)[:96], jws, jws.split(b".")[1], WORDS.encode()]
    return found


def the_case(number):
    return structs.replace(a_case(f"SL{number:06d}"), **citizen(number))
