"""The section `[keypad]` of the kiosk's configuration."""

from typing import Annotated

from msgspec import Meta

from protocol.messages import Part


class KeypadConfig(Part, frozen=True, kw_only=True):
    """Where the pads are and of which model; all pads of a kiosk are of one model.

    `model`: a shipped name, or a file ending in `.toml`, from the configuration's directory.
    `port`: a device, a glob of devices (`/dev/pingyi/pad-*`) or what pyserial opens by URL;
    empty = there are no pads.
    """

    model: Annotated[str, Meta(min_length=1, max_length=255)] = "open"
    port: Annotated[str, Meta(max_length=255)] = ""
