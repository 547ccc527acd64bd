"""The files that pages refer to: read once, with a tag of their content."""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file: what it holds, what it is, and the entity tag of it."""

    content: bytes
    media_type: str
    tag: bytes


def load_static_files() -> Mapping[str, StaticFile]:
    """Return every file by its path below `static/`."""
    return {
        path.relative_to(_FOLDER).as_posix(): _load(path) for path in _FOLDER.rglob("*") if path.is_file()
    }


def _load(path: Path) -> StaticFile:
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    media_type = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return StaticFile(content, media_type, b'"%s"' % hashlib.sha256(content).hexdigest()[:16].encode())
