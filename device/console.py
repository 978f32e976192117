"""What the commands share: what is wrong with a command line, told in Chinese."""

import sys
from collections.abc import Sequence
from typing import Any

import click


class Commands(click.Group):
    """A group whose faults of the command line, and Ctrl-C, are told in Chinese."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end with the code of the command: 2 where the line is wrong."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            click.echo("\n已取消。", err=True)
            sys.exit(1)
        except click.ClickException as error:
            from protocol import wording  # noqa: PLC0415 - not before the first picture

            click.echo(wording.command_line(error), err=True)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)
