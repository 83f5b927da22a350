"""The folder of the demonstration: what it wrote may be written again, nothing else is touched."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from doe.documents import load_document, save_document
from doe.errors import DocumentError, InvalidValueError

STORE, MANIFEST = "campaign.sqlite", "written-by-the-demo.json"
_MOST_FOLDERS = 1_000


def fresh_folder(wanted: Path) -> Path:
    """Return a folder to write to, without what an earlier demonstration left unchanged in it.

    Where somebody has gone on with the campaign, changed a file, or keeps other files of the same
    names, that folder stays as it is and the next free name is taken: ``bayeswell-demo-2``.

    Raises:
        InvalidValueError: If the name is that of a file.
    """
    wanted = wanted.resolve()
    if not wanted.name:
        raise InvalidValueError(f"'{wanted}' is no folder to write to: name another with --folder.")
    for number in range(1, _MOST_FOLDERS):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if folder.exists() and not folder.is_dir():
            raise InvalidValueError(f"'{folder}' is a file: name a folder with --folder.")
        if _is_ours(folder):
            _clear(folder)
            folder.mkdir(parents=True, exist_ok=True)
            return folder
    raise InvalidValueError(f"There are {_MOST_FOLDERS} folders like '{wanted}': remove some.")


def remember(folder: Path, files: Iterable[Path]) -> Path:
    """Write down what the demonstration wrote, so that it may replace just that."""
    written = {path.relative_to(folder).as_posix(): _digest(path) for path in files}
    save_document(folder / MANIFEST, {"files": written})
    return folder / MANIFEST


def _is_ours(folder: Path) -> bool:
    """Return whether nothing in the folder stands in the way."""
    if not folder.is_dir():
        return True
    written = _manifest(folder)
    if not written:
        return not any(folder.iterdir())
    there = {name: folder / name for name in written if (folder / name).exists()}
    return all(path.is_file() and _digest(path) == written[name] for name, path in there.items())


def _clear(folder: Path) -> None:
    for name in _manifest(folder):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir():
        (folder / MANIFEST).unlink(missing_ok=True)


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        files = load_document(path).get("files")
    except DocumentError:
        return {}
    if not isinstance(files, dict):
        return {}
    # A name that leads out of the folder was not written by the demonstration.
    inside = {name for name in files if _is_inside(name)}
    return {str(name): str(digest) for name, digest in files.items() if name in inside}


def _is_inside(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
