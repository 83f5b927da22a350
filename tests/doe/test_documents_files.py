"""Documents in files say the same as JSON and as YAML, and hostile files are refused."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.documents import from_document, load_document, save_document, to_document
from doe.errors import DocumentError
from tests.doe.test_documents import VALUES, same


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@given(data=st.data())
@settings(max_examples=15)
def test_a_saved_document_is_loaded_the_same_from_json_and_yaml(
    suffix: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cls, drawn = VALUES[data.draw(st.sampled_from(["factor space", "response", "design"]))]
    value = data.draw(drawn)
    path = tmp_path_factory.mktemp("documents") / f"größe.{suffix}"

    save_document(path, to_document(value))

    assert load_document(path) == to_document(value)
    assert same(from_document(cls, load_document(path)), value)
    assert path.read_text(encoding="utf-8").endswith("\n")


@given(text=st.text(st.characters(codec="utf-8")))
@settings(max_examples=100)
def test_any_text_survives_yaml_as_text(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("documents") / "d.yaml"

    save_document(path, {"text": text, text: 1})

    assert load_document(path) == {"text": text, text: 1}


@pytest.mark.parametrize("text", ["no", "1e3", "010", "1:30", "2026-01-31", "0x1F", "~", "1_000"])
def test_texts_that_yaml_mistakes_for_other_things_stay_texts(text: str, tmp_path: Path) -> None:
    save_document(tmp_path / "d.yml", {"level": text})

    assert load_document(tmp_path / "d.yml") == {"level": text}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("1:30", "1:30"),
        ("2026-01-31", "2026-01-31"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("010", 10),
        ("true", True),
        ("null", None),
        ("-.5", -0.5),
    ],
)
def test_plain_words_in_yaml_mean_what_people_wrote(written: str, meant: object) -> None:
    assert load_document(f"value: {written}\n") == {"value": meant}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ('{"a": NaN}', "holds NaN"),
        ('{"a": }', "line 1, column 7"),
        ("{" + '"a":{' * 100_000, "not JSON"),
        ("a: 1\na: 2\n", "line 2: the key 'a' stands twice"),
        ("a: 1\n1: 2\n'1': 3\n", "line 3: the key '1' stands twice"),
        ("a: [1, 2\nb: 3\n", "line 2"),
        ("a: &x [*x]\n", "contains itself"),
        ("a: !!timestamp 2026-01-31\n", "could not determine a constructor"),
        ("a: !!binary aGVsbG8=\n", "could not determine a constructor"),
        ("a: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        ("? [1]\n: 2\n", "a key must be text"),
        ("- 1\n- 2\n", "holds list, expected an object"),
        ("a: " + "[" * 5_000 + "\n", "not YAML"),
        ("\n" + "x" * 3_000_000, "at most"),
    ],
)
def test_a_text_that_is_no_safe_document_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        load_document(text)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    """The billion laughs: nine levels of ten aliases each stand for 10^9 texts."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]

    with pytest.raises(DocumentError, match="more than 200,000 parts"):
        load_document("\n".join(lines) + "\n")


@given(content=st.binary(max_size=200))
@settings(max_examples=100)
def test_a_file_of_any_bytes_is_read_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for suffix in ("json", "yaml", "txt"):
        path = tmp_path_factory.mktemp("documents") / f"d.{suffix}"
        path.write_bytes(content)
        try:
            document = load_document(path)
        except DocumentError:
            continue
        assert isinstance(document, dict)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DocumentError, match=r"'absent\.yaml' cannot be opened"):
        load_document("absent.yaml")


def test_a_document_that_cannot_be_written_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    save_document(path, {"a": 1})

    with pytest.raises(DocumentError, match=r"'d\.json' cannot be written"):
        save_document(path, {"a": math.nan})
    with pytest.raises(DocumentError, match=r"'d\.json' cannot be written"):
        save_document(path, {"a": "\ud800"})

    assert load_document(path) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["d.json"]
