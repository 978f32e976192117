"""The command `pingyi-hub`."""

import click

from hub.commands.audit import audit
from hub.commands.backup import backup, restore
from hub.commands.broker import broker_config, revoke
from hub.commands.citizens import group as citizens
from hub.commands.console import Commands
from hub.commands.key import key
from hub.commands.ledger import export, verify
from hub.commands.serve import serve
from hub.commands.status import status
from hub.commands.upstream import upstream
from hub.commands.user import user


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """大厅服务器：邀请评价、核验、入台账、报送上级平台。"""


for command in (
    serve,
    status,
    audit,
    broker_config,
    revoke,
    citizens,
    key,
    verify,
    backup,
    restore,
    export,
    upstream,
    user,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
