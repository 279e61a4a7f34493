"""axe-core on every page: light and dark at 1280 px, and 375 px wide, where nothing may make the
page scroll sideways."""

from __future__ import annotations

import time
from pathlib import Path

from booktools.checks import _browser
from booktools.checks._book import Finding, Findings

MODES = (("light", 1280, "light"), ("dark", 1280, "dark"), ("375 px", 375, "light"))
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async tags => (await axe.run(document, {
  runOnly: {type: 'tag', values: tags}, resultTypes: ['violations'],
})).violations.map(v => ({id: v.id, help: v.help, count: v.nodes.length,
  target: v.nodes[0].target.join(' '),
  why: ((v.nodes[0].any[0] || v.nodes[0].all[0] || v.nodes[0].none[0] || {}).message || '')}))"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def check(root: Path, site: Path, browser: str) -> Findings:
    import axe_playwright_python

    script = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf8")
    findings = Findings()
    names = _browser.pages(site)
    start = time.perf_counter()
    with _browser.launched(browser) as chromium:
        for mode, width, scheme in MODES:
            viewport = {"width": width, "height": 900}
            context = chromium.new_context(viewport=viewport, color_scheme=scheme)
            page = context.new_page()
            for name in names:
                _browser.open_page(page, f"{site.as_uri()}/{name}")
                page.evaluate(script)
                for v in page.evaluate(RUN, TAGS):
                    message = (f"{mode}: {v['id']} ({v['count']}): {v['help']}; "
                               f"{v['target'][:120]}: {v['why'][:160]}")
                    findings.append(Finding(name, None, message))
                if width < 400 and (excess := page.evaluate(OVERFLOW)) > 1:
                    message = f"{mode}: the page scrolls sideways by {excess} px"
                    findings.append(Finding(name, None, message))
            context.close()
    each = (time.perf_counter() - start) / max(1, len(MODES) * len(names))
    findings.note = f"{len(names)} pages in {len(MODES)} modes, {each * 1000:.0f} ms each"
    return findings
