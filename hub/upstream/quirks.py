"""What one city does differently, in one commented TOML file (`data/*.toml` are its patterns)."""

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from hub.rules.records import CITIZEN, FIELDS, KEYS, PRESSED
from hub.upstream.sm import Coding, Order, Padding, Sm4Mode
from protocol import strict
from protocol.messages import Part
from protocol.strict import Fault

DialectName = Literal["plain", "flat", "form", "envelope", "token", "hub"]
Address = Annotated[str, Meta(max_length=200, pattern=r"^(/[!-~]*)?(?![\s\S])")]
FieldName = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[!-~]+(?![\s\S])")]
Words = dict[str, tuple[str, ...]]

AREA_DIGITS = 12
MOST_AT_ONCE = 100
TIME_PARTS = {
    "yyyy": slice(0, 4),
    "MM": slice(5, 7),
    "dd": slice(8, 10),
    "HH": slice(11, 13),
    "mm": slice(14, 16),
    "ss": slice(17, 19),
}
T = TypeVar("T")
LEVELS = {"1", "2", "3", "4", "5"}


class QuirksError(Exception):
    """The file cannot be used; the text lists every fault with file and key, in Chinese."""


class Addresses(Part, frozen=True, kw_only=True):
    """What follows the city's address (`upstream.url`) for each kind of record.

    `update` only where `Quirks.update` is "endpoint".
    """

    service: Address
    rating: Address
    update: Address = ""
    ruling: Address = ""
    addition: Address = ""


class Omit(Part, frozen=True, kw_only=True):
    """The fields that a city does not want, by kind of record."""

    service: tuple[str, ...] = ()
    rating: tuple[str, ...] = ()


class Fields(Part, frozen=True, kw_only=True):
    """How fields are named and filled.

    `data_source` empty: that of hub.toml. `codes`: by field, our value to the city's.
    """

    data_source: Annotated[str, Meta(pattern=r"^[0-9]{0,8}(?![\s\S])")] = ""
    area_code_digits: Annotated[int, Meta(ge=6, le=AREA_DIGITS)] = AREA_DIGITS
    time_format: Annotated[str, Meta(max_length=40)] = "yyyy-MM-dd HH:mm:ss"
    reason_separator: Annotated[str, Meta(min_length=1, max_length=3)] = ","
    codes: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    omit: Omit = Omit()
    rename: dict[str, FieldName] = msgspec.field(default_factory=dict)
    constants: dict[FieldName, str] = msgspec.field(default_factory=dict)


class Answer(Part, frozen=True, kw_only=True):
    """The city's words. Members are named by path (`code`, `data.code`), values as text.

    Success: every member of `success` has one of its values. Existing before: a member of
    `exists` has one of its values, or the message holds one of `exists_words`. Refusal: a
    member of `refused` has one of its values and none speaks of success. What matches
    `not_the_record` or holds one of `not_the_record_words` speaks of our access or of the
    city's state, and whatever else is answered is no answer.
    """

    success: Words
    refused: Words
    exists: Words = msgspec.field(default_factory=dict)
    exists_words: tuple[str, ...] = ()
    not_the_record: Words = msgspec.field(default_factory=dict)
    not_the_record_words: tuple[str, ...] = ()
    message: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Nothing is a success that the file does not spell out."""
        for name in ("success", "refused"):
            words: Words = getattr(self, name)
            if not words or not all(words.values()) or any("" in each for each in words.values()):
                raise ValueError(f"{name} 须写明平台表示此意的字段和取值，不能为空")
        for path, values in self.success.items():
            for other in (self.refused, self.exists, self.not_the_record):
                if set(values) & set(other.get(path, ())):
                    raise ValueError(f"{path} 的同一个值不能既是成功又是其他")
        if any(word in "不存在" for word in self.exists_words):
            raise ValueError("exists_words 的词太宽：“不存在”也会被当成已存在")
        if "" in self.not_the_record_words:
            raise ValueError("not_the_record_words 中不能有空的词")


class Sm2(Part, frozen=True, kw_only=True):
    """Which operation of SM2 makes `sign`, and how ciphertexts and signatures are written."""

    sign: Literal["encrypt", "sign"]
    order: Order
    prefix_04: bool
    coding: Coding
    signature: Literal["rs", "der"] = "rs"


class Sm4(Part, frozen=True, kw_only=True):
    """How the body is encrypted. `iv`: in front of the ciphertext, the key, or zeros."""

    mode: Sm4Mode = "CBC"
    padding: Padding = "pkcs7"
    iv: Literal["prefix", "key", "zeros"] = "prefix"
    coding: Coding = "base64"


class Envelope(Part, frozen=True, kw_only=True):
    """The names of the lists in `params`, and which part of it SM2 seals."""

    service_list: FieldName
    rating_list: FieldName
    seal: Literal["none", "records", "params"]


class Token(Part, frozen=True, kw_only=True):
    """How the token is asked for, found and shown. `life_s`: where the answer says no end."""

    address: Address
    key_field: FieldName
    time_field: FieldName
    time: Literal["ms", "s", "yyyyMMddHHmmss"]
    sign_field: Annotated[str, Meta(max_length=60, pattern=r"^[!-~]*(?![\s\S])")]
    success: Words
    token: str
    expires_s: str = ""
    life_s: Annotated[int, Meta(ge=10, le=86_400)] = 1800
    carry: Literal["header", "body"]
    name: FieldName
    data_field: FieldName
    refused: Words = msgspec.field(default_factory=dict)


class Quirks(Part, frozen=True, kw_only=True):
    """The whole file; which sections a dialect needs is in `SECTIONS`.

    `update`: how a case is corrected that the city has: the record "again" to the same address,
    to an "endpoint" of its own, or not at all ("none"). `ruling`, in the same words: how the
    city is told that a rating is not adopted. `additions`: whether it takes 追评.
    `batch`: how many records one request may hold, more than one only for a format with a list.
    """

    dialect: DialectName
    update: Literal["again", "endpoint", "none"] = "again"
    ruling: Literal["again", "endpoint", "none"] = "again"
    additions: bool = True
    batch: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)] = 1
    addresses: Addresses
    fields: Fields = Fields()
    answer: Answer | None = None
    sm2: Sm2 | None = None
    sm4: Sm4 | None = None
    envelope: Envelope | None = None
    token: Token | None = None


SECTIONS: dict[DialectName, tuple[str, ...]] = {
    "plain": (),
    "flat": ("answer",),
    "form": ("answer", "sm2"),
    "envelope": ("answer", "sm2", "envelope"),
    "token": ("answer", "sm4", "token"),
    "hub": (),
}
LISTS: frozenset[DialectName] = frozenset({"envelope"})
"""The dialects whose format holds a list of records."""


def pattern(dialect: DialectName) -> str:
    """Return the commented file that ships for a dialect, as a hall copies it."""
    data = resources.files("hub.upstream").joinpath("data", f"{dialect}.toml")
    return data.read_text(encoding="utf-8")


def load(dialect: DialectName, path: Path | None = None) -> Quirks:
    """Read a hall's file, or the pattern where there is none.

    Raises `QuirksError` with all its faults at once.
    """
    name = str(path or f"{dialect}.toml")
    try:
        text = pattern(dialect) if path is None else path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except FileNotFoundError:
        raise QuirksError(f"找不到报文格式文件 {name}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise QuirksError(f"{name}：无法读取：{error}") from error
    try:
        quirks = strict.convert(data, Quirks)
        faults = [*_sections(quirks, dialect), *_fields(quirks.fields)]
    except strict.Faults as error:
        faults = list(error.faults)
    if faults:
        raise QuirksError("\n".join(f"{name}：{each.place}：{each.message}" for each in faults))
    return quirks


def _sections(quirks: Quirks, dialect: DialectName) -> list[Fault]:
    if quirks.dialect != dialect:
        return [Fault("dialect", f"这是 {quirks.dialect} 的文件，hub.toml 中选的是 {dialect}")]
    faults = []
    for section in ("answer", "sm2", "sm4", "envelope", "token"):
        there = getattr(quirks, section) is not None
        if there != (section in SECTIONS[dialect]):
            say = f"报文格式 {dialect} 不用这一节，请删去" if there else "缺少此节"
            faults.append(Fault(section, say))
    if (quirks.update == "endpoint") != bool(quirks.addresses.update):
        say = 'update = "endpoint" 时须写明更正数据的路径，其他情况不写'
        faults.append(Fault("addresses.update", say))
    if (quirks.ruling == "endpoint") != bool(quirks.addresses.ruling):
        say = 'ruling = "endpoint" 时须写明复核认定的路径，其他情况不写'
        faults.append(Fault("addresses.ruling", say))
    if quirks.ruling == "again" and "EffectivEvalua" in quirks.fields.omit.rating:
        say = 'ruling = "again" 时复核认定靠 EffectivEvalua 告知平台，不能省去'
        faults.append(Fault("fields.omit.rating", say))
    if quirks.batch > 1 and dialect not in LISTS:
        say = f"报文格式 {dialect} 一次只能报一条，没有列表：请删去这一项，或写成 1"
        faults.append(Fault("batch", say))
    if dialect == "hub" and quirks.fields != Fields():
        faults.append(Fault("fields", "大厅之间照原样报送，不改字段：请删去这一节"))
    if quirks.addresses.addition and not quirks.additions:
        faults.append(Fault("addresses.addition", "additions = false 时不写追评的路径"))
    return faults


def there(section: T | None) -> T:
    """Return a section that `load` has seen to be there; raises `QuirksError`."""
    if section is None:
        raise QuirksError("报文格式文件缺少所需的一节")
    return section


def _fields(fields: Fields) -> list[Fault]:
    return [
        *_known(fields),
        *_time_format(fields.time_format),
        *_codes(fields.codes),
        *_left_out(fields.omit),
        *_names(fields),
    ]


def _known(fields: Fields) -> list[Fault]:
    named: list[tuple[str, Iterable[str]]] = [
        ("codes", fields.codes),
        ("rename", fields.rename),
        ("omit.service", fields.omit.service),
        ("omit.rating", fields.omit.rating),
    ]
    return [
        Fault(f"fields.{place}", f"没有 {field} 这个字段，请检查拼写")
        for place, names in named
        for field in names
        if field not in FIELDS
    ]


def _time_format(form: str) -> list[Fault]:
    faults = []
    for part in TIME_PARTS:
        if form.count(part) != 1:
            faults.append(Fault("fields.time_format", f"须有且只有一个 {part}"))
        form = form.replace(part, "")
    if any(letter.isalnum() and letter not in "T年月日时分秒" for letter in form):
        faults.append(Fault("fields.time_format", "除年月日时分秒外只能有分隔符"))
    return faults


def _codes(codes: dict[str, dict[str, str]]) -> list[Fault]:
    """No table may turn what a person pressed into something else."""
    faults = []
    levels = codes.get("satisfaction")
    if levels is not None and (levels.keys() != LEVELS or len(set(levels.values())) < len(LEVELS)):
        say = "须把 1 至 5 五个等级各对应到一个不同的值：两个等级不能合为一个"
        faults.append(Fault("fields.codes.satisfaction", say))
    valid = codes.get("EffectivEvalua")
    if valid is not None and (valid.keys() != {"0", "1"} or len(set(valid.values())) < 2):
        say = "须把 1（有效）和 0（不采纳）各对应到一个不同的值"
        faults.append(Fault("fields.codes.EffectivEvalua", say))
    for field, table in codes.items():
        if "" in table.values():
            faults.append(Fault(f"fields.codes.{field}", "对应的值不能为空"))
        if field in {*CITIZEN, *PRESSED, *KEYS} - {"satisfaction"}:
            faults.append(Fault(f"fields.codes.{field}", "这个字段只能照原样报送"))
    return faults


def _left_out(omit: Omit) -> list[Fault]:
    return [
        Fault(f"fields.omit.{kind}", f"{field} 必须报送，不能省去")
        for kind, fields in (("service", omit.service), ("rating", omit.rating))
        for field in fields
        if field in {*KEYS, "satisfaction", "evalDetail", "writingEvaluation"}
    ]


def _names(fields: Fields) -> list[Fault]:
    say = "这个字段的值由系统填写，不能写成固定值；需要换值时请用 codes"
    faults = [
        Fault(f"fields.constants.{field}", say) for field in fields.constants if field in FIELDS
    ]
    added = [name for name in fields.constants if name not in FIELDS]
    written = [fields.rename.get(field, field) for field in FIELDS] + added
    twice = sorted({name for name in written if written.count(name) > 1})
    if twice:
        faults.append(Fault("fields.rename", f"有不止一个字段叫 {'、'.join(twice)}"))
    return faults
