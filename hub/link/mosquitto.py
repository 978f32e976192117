"""The configuration of mosquitto (2.0.11 and later): it lets in known certificates, nobody else.

One TLS listener for kiosks and hub: the certificate's CN is user name and client id, whatever
the client says of itself. One listener on loopback for `hub.link.kick`, which may do nothing
but take over a session. Pure: texts in, texts out; `hub.link.brokerfiles` reads and writes.
"""

import base64
import hashlib
from pathlib import Path

from msgspec import Struct

from protocol import topics
from protocol.topics import DOWN, HUB, UP
from protocol.wire import LIMIT

KICKER = "kick"
"""The user of the loopback listener."""

SALT_BYTES = 12
"""As mosquitto 2.0 wants it, neither more nor fewer."""

_ITERATIONS = 101
"""As mosquitto_passwd has it; the password is random and long, and each kick is checked."""

_HEAD = """\
# Written by `pingyi-hub broker-config`; change hub.toml and write it anew, not this file.

# Each listener has rights of its own; without this the kick listener's would be everybody's.
per_listener_settings true

# Nothing is kept over a restart: the hub says everything again when it connects, a kiosk keeps
# its ratings until the hub's receipt. A file here would only bring back what is outdated.
persistence false

# The largest message has 64 KiB. What is larger ends the connection before it is read.
message_size_limit {message}
max_packet_size {packet}

# Per client. What does not fit is dropped, and said again by whoever has no receipt for it.
max_inflight_messages 100
max_queued_messages 10000
max_queued_bytes 16777216

# For all together, in bytes.
memory_limit 268435456

# Seconds; binds MQTT 5 clients only, ours say 20.
max_keepalive 120

# Without it every message waits 40 ms for an acknowledgement.
set_tcp_nodelay true

# Who came and went; topics only at debug level, payloads never.
connection_messages true
log_timestamp_format %Y-%m-%dT%H:%M:%S
log_type error
log_type warning
log_type notice
log_type information
log_dest syslog
"""

_TLS = """
# Whatever is said of a listener stands below it: above the first one it would open port 1883.
listener {port} {bind}
max_connections {connections}
max_qos 1
cafile {cafile}
certfile {certfile}
keyfile {keyfile}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {acl}
"""

_KICK = """
# The hub ends the session of a revoked kiosk here, by taking over its client id.
listener {port} 127.0.0.1
max_connections 4
allow_anonymous false
password_file {passwords}
acl_file {acl}
"""

KICK_ACL = f"user {KICKER}\ntopic deny #\n"


class Plan(Struct, frozen=True, kw_only=True):
    """What the configuration depends on. `folder`: where its files lie, as mosquitto sees it."""

    hall: str
    folder: Path
    port: int
    kick_port: int
    bind: str = "0.0.0.0"
    connections: int = 2000
    crl: bool = True


def hub_user(hall: str) -> str:
    """Return the CN of a hall's hub; no device may have a name that begins like it."""
    return HUB + topics.name(hall)


def configuration(plan: Plan) -> str:
    """Return `mosquitto.conf`."""
    text = _HEAD.format(message=LIMIT, packet=LIMIT + 512)
    text += _TLS.format(
        port=plan.port,
        bind=plan.bind,
        connections=plan.connections,
        cafile=plan.folder / "ca.pem",
        certfile=plan.folder / "server.pem",
        keyfile=plan.folder / "server.key",
        acl=plan.folder / "pingyi.acl",
    )
    if plan.crl:
        text += f"crlfile {plan.folder / 'crl.pem'}\n"
    return text + _KICK.format(
        port=plan.kick_port,
        passwords=plan.folder / "kick.users",
        acl=plan.folder / "kick.acl",
    )


def rights(hall: str) -> str:
    """Return the ACL: each device its own leaves, by pattern; the hub those of all devices."""
    base = f"{topics.ROOT}/{topics.name(hall)}"
    lines = [f"user {hub_user(hall)}"]
    lines += [f"topic read {base}/+/{leaf}" for leaf in sorted(UP)]
    lines += [f"topic write {base}/+/{leaf}" for leaf in sorted(DOWN)]
    lines.append("")
    lines += [f"pattern write {base}/%u/{leaf}" for leaf in sorted(UP)]
    lines += [f"pattern read {base}/%u/{leaf}" for leaf in sorted(DOWN)]
    return "\n".join(lines) + "\n"


def password_line(password: str, salt: bytes) -> str:
    """Return the line of mosquitto's password file for the kick listener (PBKDF2-SHA512)."""
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    parts = (base64.b64encode(salt).decode(), base64.b64encode(hashed).decode())
    return f"{KICKER}:$7${_ITERATIONS}${parts[0]}${parts[1]}\n"
