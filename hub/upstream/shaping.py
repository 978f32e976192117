"""From the record as it is meant to the record as one city wants it written. Pure."""

from typing import Literal

from hub.rules.records import TIMES, Record
from hub.upstream.quirks import TIME_PARTS, Fields


class Unwritable(ValueError):
    """A value for which the hall's quirks file has no form; in Chinese, says what to add."""


def shape(kind: Literal["service", "rating"], record: Record, fields: Fields) -> Record:
    """Return the record in the city's own names and values; raises `Unwritable`.

    Order: `data_source`, `codes`, `area_code_digits`, times, `reason_separator`; then what the
    city does not want is left out, the rest renamed, and the constants are added. A value that
    a table of codes does not know is never passed on as it is: it might mean something else.
    """
    shaped = dict(record)
    if fields.data_source:
        shaped["dataSource"] = fields.data_source
    for field, table in fields.codes.items():
        if shaped.get(field):
            shaped[field] = _translate(field, shaped[field], table)
    shaped["areaCode"] = _area(shaped["areaCode"], fields.area_code_digits)
    for field in TIMES:
        if shaped.get(field):
            shaped[field] = _time(shaped[field], fields.time_format)
    if "evalDetail" in shaped:
        shaped["evalDetail"] = shaped["evalDetail"].replace(",", fields.reason_separator)
    left_out = fields.omit.service if kind == "service" else fields.omit.rating
    written = {
        fields.rename.get(field, field): value
        for field, value in shaped.items()
        if field not in left_out
    }
    return written | fields.constants


def _translate(field: str, value: str, table: dict[str, str]) -> str:
    try:
        return table[value]
    except KeyError:
        raise Unwritable(
            f"报文格式文件的 codes.{field} 没有规定“{value}”怎样填写，请补上后重新报送"
        ) from None


def _area(code: str, digits: int) -> str:
    if code[digits:].strip("0"):
        raise Unwritable(f"区划代码 {code} 超过 {digits} 位，请核对报文格式文件的 area_code_digits")
    return code[:digits]


def _time(moment: str, form: str) -> str:
    for part, place in TIME_PARTS.items():
        form = form.replace(part, moment[place])
    return form
