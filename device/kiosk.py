"""The composition root of the kiosk: the assembly, and the stage on which it is seen."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from device.assembly import Kiosk
from device.config import KioskConfig

if TYPE_CHECKING:
    from device.ui.stage import Stage


def run(
    config: KioskConfig,
    base: Path,
    *,
    headless: bool = False,
    extend: Callable[["Stage"], None] = lambda _: None,
) -> None:
    """Show the kiosk until it is stopped; `extend` gets the stage before the curtain rises."""
    from device.ui import environment  # noqa: PLC0415 - a window opens with Kivy's import

    environment.prepare(
        config.screen.width,
        config.screen.height,
        headless=headless,
        fullscreen=config.screen.fullscreen,
    )
    from device.ui.stage import Stage  # noqa: PLC0415 - only after the environment is prepared

    kiosk = Kiosk(config, base)
    try:
        stage = Stage(kiosk, base / config.state)
        extend(stage)
        stage.run()
    finally:
        kiosk.stop()
