"""Check that what the documents refer to exists: files, links, headings, make targets."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import PROJECT_DIR

DOCUMENTS = tuple(
    sorted([*PROJECT_DIR.glob("*.md"), *(PROJECT_DIR / "docs").glob("*.md")], key=str)
)
MAKEFILE = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Paths in backticks below one of these folders. Files created at run time begin with a dot.
NAMED = re.compile(r"`((?:app|tests|docs|examples|benchmarks|migrations|models)/(?:\w[\w./-]*)?)`")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def name_of(document: Path) -> str:
    return str(document.relative_to(PROJECT_DIR))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for target in LINK.findall(FENCE.sub("", text_of(document))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        linked = document if not path else document.parent / path
        assert linked.exists(), target
        assert not heading or heading in set(headings(linked)), target


def headings(document: Path) -> Iterator[str]:
    """Return the anchors that GitHub gives to a document's headings."""
    for line in re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(document)), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_that_is_named_exists(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        return  # entries of earlier releases are not changed
    named = [PROJECT_DIR / path for path in NAMED.findall(text_of(document))]
    assert [path for path in named if not (path.exists() or path.with_suffix(".py").exists())] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = re.findall(r"(?:^|`)(?:\w+=\S+ )?make ([a-z-]+)", text_of(document), re.MULTILINE)
    assert [target for target in named if f"\n{target}:" not in MAKEFILE] == []
