"""The website, read as files: links and anchors, ids, alt text, what was published, what is asked
of other hosts."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlparse

from bs4 import BeautifulSoup

from booktools.checks import _book
from booktools.checks._book import Finding, Findings

# Pages that Sphinx makes itself.
GENERATED = {"index", "genindex", "search", "404", "py-modindex", "prf-prf", "np-modindex"}
REFERENCES = (("a", "href"), ("link", "href"), ("img", "src"), ("script", "src"), ("source", "src"),
              ("iframe", "src"), ("video", "src"), ("audio", "src"), ("object", "data"),
              ("embed", "src"))
# A link element with one of these relations names a page and fetches nothing.
NAMES_ONLY = {"canonical", "alternate", "license", "author"}
FILE_NAME = re.compile(r"_images/|\.(png|svg|jpe?g|gif|webp)$", re.IGNORECASE)


def pages(site: Path) -> list[Path]:
    """Every page of the website; `_static` and `_sources` hold parts of pages."""
    return [p for p in sorted(site.rglob("*.html")) if p.relative_to(site).parts[0][0] != "_"]


def check(root: Path, site: Path) -> Findings:
    findings = Findings()
    soups = {p: BeautifulSoup(p.read_text("utf8"), "html.parser") for p in pages(site)}
    ids = {p: identifiers(soup) for p, soup in soups.items()}
    known = {p: set(names) for p, names in ids.items()}
    published = set(_book.toc(root)) | GENERATED
    counts: Counter[str] = Counter()
    for page, soup in soups.items():
        name = page.relative_to(site).as_posix()
        if name.removesuffix(".html") not in published:
            findings.append(Finding(name, None, "published, and not in _toc.yml"))
        for identifier, count in Counter(ids[page]).items():
            if count > 1:
                findings.append(Finding(name, None, f"id {identifier} stands {count} times"))
        findings += [Finding(name, None, message) for message in images(soup)]
        for tag, address in references(soup):
            message = broken(page, tag, address, site, known, counts)
            if message:
                findings.append(Finding(name, tag.sourceline, message))
    findings.note = (f"{len(soups)} pages, {counts['local']} local links, "
                     f"{counts['external']} to other sites")
    return findings


def identifiers(soup: BeautifulSoup) -> list[str]:
    named = [e["name"] for e in soup.find_all("a", attrs={"name": True})]
    return [e["id"] for e in soup.find_all(id=True)] + named


def images(soup: BeautifulSoup) -> list[str]:
    messages = []
    for image in soup.find_all("img"):
        alt, source = image.get("alt"), image.get("src", "")[:80]
        if alt is None or FILE_NAME.search(alt):
            messages.append(f"image {source} has no real alt text: {alt}")
        elif not alt.strip() and image.find_parent(["article", "figure"]):
            messages.append(f"image {source} in the text has an empty alt text")
    return messages


def references(soup: BeautifulSoup) -> list[tuple]:
    """(element, address) of everything that points somewhere."""
    found = [(e, e[attribute]) for name, attribute in REFERENCES
             for e in soup.find_all(name, attrs={attribute: True})]
    for e in soup.find_all("meta", attrs={"http-equiv": re.compile("refresh", re.IGNORECASE)}):
        if match := re.search(r"url=\s*['\"]?([^'\"]+)", e.get("content", ""), re.IGNORECASE):
            found.append((e, match.group(1)))
    return found


def broken(page: Path, tag, address: str, site: Path, known: dict, counts: Counter) -> str | None:
    """Why an address does not work here, or None."""
    url = urlparse(address)
    if url.scheme in ("data", "mailto", "javascript", "blob"):
        return None
    if url.scheme or url.netloc:
        counts["external"] += tag.name == "a"
        relations = set(tag.get("rel") or [])
        if tag.name == "a" or (tag.name == "link" and relations & NAMES_ONLY):
            return None
        return f"<{tag.name}> asks another host: {address[:100]}"
    counts["local"] += 1
    if url.path.startswith("/"):
        return f"{address} begins with /: it breaks below a folder and on file://"
    target = (page.parent / unquote(url.path)).resolve() if url.path else page
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return f"broken link: {address}"
    if not target.is_relative_to(site):
        return f"{address} leaves the website"
    fragment = unquote(url.fragment)
    if fragment and target in known and fragment not in known[target]:
        return f"no such anchor: {address}"
    return None
