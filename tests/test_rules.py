"""Rules of the house that a tool can keep."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[1]
CODE = [path for folder in ("shop_hub", "kiosk", "devices") for path in (ROOT / folder).rglob("*.py")]
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"N_": None, "_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None}


def messages() -> set[str]:
    """Return every message id of code and templates."""
    found = set()
    for folder in ("shop_hub", "kiosk"):
        extracted = extract_from_dir(
            ROOT / folder,
            METHODS,
            {"**/templates/**.html": {"silent": "false", "newstyle_gettext": "true"}},
            keywords=KEYWORDS,
            directory_filter=lambda path: not path.endswith(("node_modules", "dist")),
        )
        found |= {message if isinstance(message, str) else message[0] for _, _, message, _, _ in extracted}
    return found - {""}


@pytest.fixture(scope="module")
def german() -> dict[str, list[str]]:
    """German texts by message id, from all catalogues."""
    texts: dict[str, list[str]] = {}
    for path in sorted((ROOT / "shop_hub" / "translations" / "de").glob("*.po")):
        with path.open("rb") as file:
            for entry in read_po(file, locale="de"):
                if entry.id:
                    ids, strings = (entry.id, entry.string) if entry.pluralizable else ([entry.id], [entry.string])
                    assert all(strings), (path.name, entry.id)
                    assert not entry.fuzzy, (path.name, entry.id)
                    texts.setdefault(ids[0], []).append(strings[0] if isinstance(strings, tuple | list) else strings)
    return texts


def test_every_text_has_a_german_one(german: dict[str, list[str]]) -> None:
    assert sorted(messages() - set(german)) == []


def test_no_text_has_two_german_ones(german: dict[str, list[str]]) -> None:
    assert {key: sorted(set(texts)) for key, texts in german.items() if len(set(texts)) > 1} == {}


def test_placeholders_are_the_same_in_both_languages(german: dict[str, list[str]]) -> None:
    def names(text: str) -> set[str]:
        return set(re.findall(r"%\((\w+)\)", text))

    wrong = {key for key, texts in german.items() for text in texts if not names(text) <= names(key) | {"num"}}
    assert wrong == set()


def test_only_the_database_module_commits() -> None:
    assert [path.name for path in CODE if ".commit(" in path.read_text()] == ["db.py"]


def test_no_code_is_left_for_later() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|NotImplemented)\b")
    left = [path.name for path in CODE if words.search(path.read_text()) and "migrations" not in path.parts]
    assert left == []


def test_every_link_of_the_readme_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def test_no_template_has_script_or_style_inside() -> None:
    templates = [path for folder in ("shop_hub", "kiosk") for path in (ROOT / folder).rglob("templates/**/*.html")]
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"", re.IGNORECASE)
    assert [path.name for path in templates if inline.search(path.read_text())] == []
    assert len(templates) > 50


def test_files_are_short() -> None:
    files = [*CODE, *(ROOT / "tests").rglob("*.py")]
    ours = [path for path in files if not {"migrations", "node_modules"} & set(path.parts)]
    lengths = {path: len(path.read_text().splitlines()) for path in ours}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}
