"""Files that are dropped on a widget."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtGui import QDragEnterEvent, QDropEvent


def accept_files(event: QDragEnterEvent | None) -> None:
    """Say that files and folders may be dropped here."""
    data = event.mimeData() if event is not None else None
    if event is not None and data is not None and data.hasUrls():
        event.acceptProposedAction()


def dropped_files(event: QDropEvent | None) -> list[Path]:
    """Files and folders of this machine that were dropped."""
    data = event.mimeData() if event is not None else None
    urls = data.urls() if data is not None else []
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
