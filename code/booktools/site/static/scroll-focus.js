// A box that scrolls sideways can be reached with the keyboard; one that does not is no tab stop.
(() => {
  const boxes = ["mjx-container", "span.math", "div.math", "pre", ".cell_output .output",
    ".pst-scrollable-table-container"].map((s) => `.bd-article ${s}`).join();
  const mark = () => {
    for (const box of document.querySelectorAll(boxes)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1 &&
        /auto|scroll/.test(getComputedStyle(box).overflowX);
      if (scrolls) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(mark));
  addEventListener("resize", mark);
})();
