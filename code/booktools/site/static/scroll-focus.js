// A box that scrolls sideways can be reached with the keyboard and fades where more of it is hidden;
// one that does not scroll is no tab stop.
(() => {
  const boxes = ["mjx-container", "span.math.wide", "div.math", "pre", ".cell_output",
    ".pst-scrollable-table-container", ".diagram"].map((s) => `.bd-article ${s}`).join();
  const fade = (box) => {
    const hidden = box.scrollWidth - box.clientWidth - Math.abs(box.scrollLeft);
    const scrolls = box.hasAttribute("tabindex");
    box.classList.toggle("more-after", scrolls && hidden > 1);
    box.classList.toggle("more-before", scrolls && Math.abs(box.scrollLeft) > 1);
  };
  const mark = () => {
    // A formula in a line scrolls only where it is wider than the text around it.
    for (const formula of document.querySelectorAll(".bd-article span.math")) {
      const room = formula.parentElement.closest("p, li, dt, dd, th, td")?.clientWidth ?? Infinity;
      const width = formula.firstElementChild?.getBoundingClientRect().width ?? 0;
      formula.classList.toggle("wide", width > room);
      formula.removeAttribute("tabindex");
    }
    for (const box of document.querySelectorAll(boxes)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1 &&
        /auto|scroll/.test(getComputedStyle(box).overflowX);
      if (scrolls) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
      fade(box);
    }
  };
  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    mark();
  });
  addEventListener("resize", mark);
  addEventListener("scroll", ({ target }) => target.matches?.(boxes) && fade(target), true);
})();
