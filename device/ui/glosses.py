"""English beside the official Chinese of levels and reasons: a gloss, never what is recorded.

The catalogue alone says what a citizen chooses (domain page, 2: nobody may reword an entry);
these lines help somebody who cannot read it. They hold for one version of the catalogue.
"""

VERSION = "2021.1"

LEVELS = {
    5: "Very satisfied",
    4: "Satisfied",
    3: "Fairly satisfied",
    2: "Dissatisfied",
    1: "Very dissatisfied",
}

REASONS = {
    "510": "One counter, one visit, done",
    "511": "Accepted first, papers later",
    "512": "No certificates asked for",
    "513": "All of it can be done online",
    "514": "Can be done by phone",
    "515": "Can be done close by",
    "516": "Done without any papers",
    "517": "Warm and efficient service",
    "406": "One form was enough",
    "407": "Papers sent online, checked here",
    "408": "One list named every paper",
    "409": "A pledge replaced some papers",
    "410": "Appointments online",
    "411": "One visit to the hall was enough",
    "412": "Self-service machines",
    "413": "Good attitude",
    "307": "Told at once what was missing",
    "308": "Samples of the papers provided",
    "309": "Done within the promised time",
    "310": "The guide was accurate",
    "311": "The guide's papers were enough",
    "312": "Delivered by courier",
    "313": "As many visits as promised",
    "314": "Ordinary attitude",
    "207": "No sample of the papers",
    "208": "No list of the papers",
    "209": "Not done in the promised time",
    "210": "Same proof asked for repeatedly",
    "211": "Promised online, but not possible",
    "212": "Booked online, yet had to queue",
    "213": "Staff did not know the work well",
    "214": "Stiff attitude",
    "108": "Conditions beyond the guide",
    "109": "Papers beyond the guide",
    "110": "Past the legal time without reason",
    "111": "A sample in the guide was wrong",
    "112": "Papers not taken online as promised",
    "113": "Sent from counter to counter",
    "114": "More visits than promised",
    "115": "Poor attitude, slow work",
}


def reason(version: str, code: str) -> str:
    """Return the gloss of a reason, or "" where there is none for this catalogue."""
    return REASONS.get(code, "") if version == VERSION else ""
