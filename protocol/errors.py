"""The one tree of errors of what travels between kiosk and hub.

ProtocolError
├── WireError            the bytes are not a message
│   ├── TooLarge         more than 64 KiB
│   ├── Malformed        not JSON, or not the shape that was promised
│   └── WrongVersion     a version that this program does not speak
├── TopicError           a topic outside pingyi/v1/{hall}/{device}/{leaf}
├── SignatureInvalid     a signature that does not verify, or of the wrong kind
└── CatalogueError       the reason catalogue is unknown or was altered
"""


class ProtocolError(Exception):
    """Anything wrong with what travels; `cause` is a short stable word for counting."""

    cause = "protocol"


class WireError(ProtocolError):
    """Bytes that cannot be taken for a message."""

    cause = "wire"


class TooLarge(WireError):
    """More bytes than a message may have."""

    cause = "too_large"


class Malformed(WireError):
    """Not JSON, or JSON of another shape than promised."""

    cause = "malformed"


class WrongVersion(WireError):
    """A message version that this program does not speak."""

    cause = "wrong_version"


class TopicError(ProtocolError):
    """A topic outside of ours, or an identifier that cannot stand in one."""

    cause = "topic"


class SignatureInvalid(ProtocolError):
    """A signature that does not verify with the key of the device that is named."""

    cause = "signature"


class CatalogueError(ProtocolError):
    """A catalogue that is unknown, or whose checksum does not match its content."""

    cause = "catalogue"
