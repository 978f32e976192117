"""udev's own rule engine on devices that are not there.

`udevadm test` reads the distribution's rules and ours as installed, evaluates them for a device
that umockdev puts into sysfs, sets group and mode on the node and makes the links. All of it in
a mount namespace with folders of its own for /dev, /run and /etc/udev, so this machine's devices
see nothing of it.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

UDEV = Path(__file__).parents[2] / "udev"
KIOSK = UDEV / "70-pingyi-kiosk.rules"
DESK = UDEV / "70-pingyi-desk.rules"
DEV = "/dev/pingyi/"
NEWEST = 255
"""The last udevadm whose `test` acts on nodes and links and prints one property a line."""
GROUP = 4711
"""The number that group pingyi has in the namespace; no machine is asked for its own."""

_NAMESPACE = r"""
set -eu
cd "$1"
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /dev
for node in "null 3" "zero 5" "urandom 9"; do
    set -- $node; mknod -m 666 /dev/$1 c 1 $2
done
mount --bind rules /etc/udev/rules.d
mount --bind group /etc/group
exec umockdev-run --device devices -- sh plug
"""
# Our own nodes, made where umockdev looks for /dev: the engine then really changes them. The
# preloaded library must not see the paths, or it would answer for them.
_NODE = """node=$UMOCKDEV_DIR/dev/{0}
LD_PRELOAD= mkdir -p "$(dirname "$node")"
LD_PRELOAD= mknod -m 600 "$node" c {1} {2}
"""
_STEP = "udevadm test --action={0} {1} >said{2} 2>log{2} || exit 9\n"
_LOOK = """LD_PRELOAD= find /dev/pingyi -type l -printf '%f %l\\n' >links 2>/dev/null
cd $UMOCKDEV_DIR/dev
LD_PRELOAD= find . -type c -printf '%P %G %m\\n' >"$OLDPWD"/nodes
"""


@dataclass(frozen=True)
class Named:
    """What the engine made of one device. `names`: its links in /dev/pingyi, as it was named."""

    names: tuple[str, ...]
    group: int
    mode: str
    properties: dict[str, str]

    @property
    def ours(self):
        """Whether any of our rules touched it."""
        return (
            bool(self.names)
            or self.group == GROUP
            or "ID_MM_DEVICE_IGNORE" in self.properties
            or "pingyi" in self.properties.get("SYSTEMD_WANTS", "")
        )


@dataclass(frozen=True)
class Seen:
    """All devices by node, and where each link of /dev/pingyi leads in the end.

    `gone`: the properties that the rules still gave to what was unplugged.
    """

    devices: dict[str, Named]
    gone: dict[str, dict[str, str]]
    links: dict[str, str]
    log: str


def require():
    """Skip, with the reason, where the engine cannot run."""
    for program, package in (("udevadm", "udev"), ("umockdev-run", "umockdev")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt install {package})")
    told = subprocess.run(["udevadm", "--version"], check=True, capture_output=True, text=True)
    if int(told.stdout.split()[0]) > NEWEST:
        pytest.skip(f"udevadm {told.stdout.split()[0]}: after {NEWEST} its test answers otherwise")
    if os.geteuid() != 0:
        pytest.skip("only root may make device nodes in a namespace of its own")
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("this machine allows no mount namespace")


def plug(folder, rules, *parts, then=(), action="add"):
    """Plug `parts` in order under the rules file `rules`, then unplug those in `then`."""
    folder.mkdir()
    (folder / "rules").mkdir()
    shutil.copy(rules, folder / "rules")
    groups = Path("/etc/group").read_text(encoding="utf-8").splitlines()
    kept = [line for line in groups if not line.startswith("pingyi:")]
    (folder / "group").write_text("\n".join([*kept, f"pingyi:x:{GROUP}:", ""]), encoding="utf-8")
    blocks = dict.fromkeys(
        block.strip() for part in parts for block in part.text.split("\n\n") if block.strip()
    )
    (folder / "devices").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    events = [(action, part) for part in parts] + [("remove", part) for part in then]
    (folder / "plug").write_text(
        "".join(_NODE.format(part.node, *part.numbers) for part in parts)
        + "".join(_STEP.format(does, part.path, at) for at, (does, part) in enumerate(events))
        + _LOOK,
        encoding="utf-8",
    )
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", _NAMESPACE, "sh", folder],
        check=True,
        timeout=60,
        capture_output=True,
    )
    return _read(folder, parts, then)


def _said(folder, at):
    lines = (folder / f"said{at}").read_text(errors="replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _read(folder, parts, unplugged):
    nodes = {}
    for line in (folder / "nodes").read_text().splitlines():
        node, group, mode = line.split()
        nodes[node] = (int(group), mode)
    devices = {}
    for at, part in enumerate(parts):
        properties = _said(folder, at)
        links = properties.get("DEVLINKS", "").split()
        ours = (link for link in links if link.startswith(DEV))
        names = sorted(link.removeprefix(DEV) for link in ours)
        devices[part.node] = Named(tuple(names), *nodes[part.node], properties)
    gone = {part.node: _said(folder, at) for at, part in enumerate(unplugged, len(parts))}
    ends = dict(line.split() for line in (folder / "links").read_text().splitlines())
    links = {name: end.removeprefix("../") for name, end in ends.items()}
    log = "".join((folder / f"log{at}").read_text(errors="replace") for at in range(len(parts)))
    return Seen(devices, gone, links, log)
