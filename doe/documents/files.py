"""Documents in files: JSON, and YAML for people, read with care and written whole or not at all."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from doe.errors import DocumentError
from doe.runs import JSON
from doe.whole_files import replacing

if TYPE_CHECKING:
    import yaml

MAX_JSON_BYTES = 100_000_000
MAX_YAML_BYTES = 2_000_000
MAX_YAML_PARTS = 200_000
YAML_SUFFIXES = (".yaml", ".yml")

# YAML 1.1 reads 'no' as false, '1:30' as 90, '010' as 8, '2026-01-31' as a date and '1e3' as text.
# These are the rules of YAML 1.2 (core schema, section 10.3.2) without octal and hexadecimal.
_NULL, _BOOL, _INT, _FLOAT = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")
)
_RULES = (
    (_NULL, r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    (_BOOL, r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    (_INT, r"^[-+]?[0-9]+$", list("-+0123456789")),
    (
        _FLOAT,
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"
        r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
        list("-+.0123456789"),
    ),
)

_POINT = re.compile(r"\.(?=[iInN])")


def load_document(source: Path | str) -> Mapping[str, JSON]:
    """Return the document in a file, or in a text.

    A ``str`` that has a line break or starts with ``{`` is the document itself, otherwise a path.
    Files that end in ``.yaml`` or ``.yml`` are YAML, those in ``.json`` JSON; else a document that
    starts with ``{`` is JSON.

    Raises:
        DocumentError: If it cannot be read, is too large, or names a key twice.
    """
    is_text = isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{"))
    if is_text:
        name, text, suffix = "The text", str(source), ""
    else:
        path = Path(source)
        name, text, suffix = f"'{path.name}'", _read(path), path.suffix.lower()
    is_yaml = suffix in YAML_SUFFIXES or (suffix != ".json" and not text.lstrip().startswith("{"))
    document = _from_yaml(text, name) if is_yaml else _from_json(text, name)
    if not isinstance(document, dict):
        raise DocumentError(
            f"{name} holds {type(document).__name__}, expected an object with named fields."
        )
    return document


def save_document(path: Path | str, document: Mapping[str, JSON]) -> None:
    """Write a document as JSON, or as YAML when the path ends so; whole or not at all.

    Keys keep their order. The text is UTF-8 and ends with a line break.

    Raises:
        DocumentError: If it holds something that is no plain JSON.
    """
    path = Path(path)
    try:
        if path.suffix.lower() in YAML_SUFFIXES:
            text = _as_yaml(document)
        else:
            text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        content = text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError(f"'{path.name}' cannot be written: {error}.") from error
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"'{path.name}' is not UTF-8 text (byte {error.start}): save it as UTF-8."
        ) from error
    except (OSError, ValueError) as error:
        raise DocumentError(f"'{path.name}' cannot be opened: {error}.") from error
    if len(content) > MAX_JSON_BYTES:
        raise DocumentError(f"'{path.name}' has more than {MAX_JSON_BYTES:,} bytes: split it.")
    return text


def _from_json(text: str, name: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keyed = dict(items)
        if len(keyed) < len(items):
            keys = [key for key, _ in items]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DocumentError(f"{name} has the key '{twice}' twice in one object: remove one.")
        return keyed

    def constant(word: str) -> NoReturn:
        raise DocumentError(f"{name} holds {word}: numbers must be finite; use null for missing.")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"{name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except DocumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{name} is not JSON that can be read: {error}.") from error


def _from_yaml(text: str, name: str) -> Any:
    import yaml

    if len(text) > MAX_YAML_BYTES:
        raise DocumentError(
            f"{name} has {len(text):,} characters of YAML; at most {MAX_YAML_BYTES:,} are read: "
            "write it as JSON."
        )
    try:
        loader = _loader_class()(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _n_parts(node, name, {}, set())
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DocumentError(f"{name} is not YAML: {place}{error.problem}.") from error
    except DocumentError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError(f"{name} is not YAML that can be read: {error}.") from error


def _n_parts(node: "yaml.Node", name: str, known: dict[int, int], open_: set[int]) -> int:
    """Return how many parts there are once every alias is written out.

    Raises:
        DocumentError: If there are too many, an alias is endless, or a key stands twice.
    """
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in open_:
        raise DocumentError(f"{name} has an anchor that contains itself: write the part out.")
    if id(node) not in known:
        open_.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, name)
            inner = [part for pair in node.value for part in pair]
        else:
            inner = node.value
        known[id(node)] = 1 + sum(_n_parts(part, name, known, open_) for part in inner)
        open_.discard(id(node))
    if known[id(node)] > MAX_YAML_PARTS:
        raise DocumentError(f"{name} has more than {MAX_YAML_PARTS:,} parts: write it as JSON.")
    return known[id(node)]


def _check_keys(node: "yaml.MappingNode", name: str) -> None:
    import yaml

    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise DocumentError(f"{name}, line {line}: a key must be text: correct the brackets.")
        if key.value in seen:
            raise DocumentError(
                f"{name}, line {line}: the key '{key.value}' stands twice: remove one."
            )
        seen.add(key.value)


@lru_cache(maxsize=1)
def _loader_class() -> "type[yaml.SafeLoader]":
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads plain data by the rules of YAML 1.2."""

    Loader.yaml_implicit_resolvers = {}
    # Neither times, bytes, sets nor objects, even where a tag asks for them.
    Loader.yaml_constructors = {
        tag: made
        for tag, made in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("null", "bool", "str", "seq", "map")
    }
    Loader.add_constructor(_INT, lambda _, node: int(node.value))
    Loader.add_constructor(_FLOAT, lambda _, node: float(_POINT.sub("", node.value)))
    _add_rules(Loader)
    return Loader


@lru_cache(maxsize=1)
def _dumper_class() -> "type[yaml.SafeDumper]":
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes a text that either version of YAML would take for something else."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        # Outside double quotes PyYAML turns some line separators (U+0085) into spaces.
        style = None if value.isprintable() else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    known = yaml.SafeDumper.yaml_implicit_resolvers.items()
    Dumper.yaml_implicit_resolvers = {first: list(rules) for first, rules in known}
    _add_rules(Dumper)
    return Dumper


def _as_yaml(document: Mapping[str, JSON]) -> str:
    import yaml

    plain = json.loads(json.dumps(document, allow_nan=False))
    text: str = yaml.dump(
        plain, Dumper=_dumper_class(), sort_keys=False, allow_unicode=True, width=100
    )
    return text


def _add_rules(target: "type[yaml.SafeLoader] | type[yaml.SafeDumper]") -> None:
    for tag, pattern, first in _RULES:
        target.add_implicit_resolver(tag, re.compile(pattern), first)
