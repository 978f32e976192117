"""The windows of the configuration, found by their names."""

from collections.abc import Iterable, Iterator

from hub.config import WindowConfig
from hub.errors import UnknownWindow


class Windows:
    """All windows, in the order of the configuration."""

    def __init__(self, windows: Iterable[WindowConfig]) -> None:
        self._windows = {window.name: window for window in windows}

    def __iter__(self) -> Iterator[str]:
        return iter(self._windows)

    def __contains__(self, name: object) -> bool:
        return name in self._windows

    def __getitem__(self, name: str) -> WindowConfig:
        """Return a window; raises `UnknownWindow`."""
        window = self._windows.get(name)
        if window is None:
            raise UnknownWindow(f"没有名为“{name}”的窗口，请核对窗口名称或请管理员配置")
        return window
