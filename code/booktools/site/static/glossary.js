// The definition of a glossary term in a small box, on hover and on keyboard focus. The text stands in the
// page (data-definition, written by finish.py), so it works on file:// and without a network.
// WCAG 1.4.13: the pointer may rest on the box, Escape closes it, nothing else does but leaving.
(() => {
  const links = document.querySelectorAll("a[data-definition]");
  if (!links.length) return;
  const box = document.createElement("div");
  box.id = "term-box";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  document.body.append(box);
  let shown = null;
  let timer = 0;

  const hide = () => {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    box.hidden = true;
  };
  const show = (link) => {
    clearTimeout(timer);
    if (shown === link) return;
    hide();
    shown = link;
    link.setAttribute("aria-describedby", box.id);
    box.textContent = link.dataset.definition;
    box.hidden = false;
    const line = link.getClientRects()[0]; // a term that breaks over two lines: its first line
    const left = Math.min(line.left, document.documentElement.clientWidth - box.offsetWidth - 12);
    const below = line.bottom + box.offsetHeight + 8 < innerHeight;
    box.style.left = `${Math.max(12, left) + scrollX}px`;
    box.style.top = `${(below ? line.bottom : line.top - box.offsetHeight) + scrollY}px`;
  };
  // Time to move the pointer from the term to the box, and to pass over a term without opening it.
  const later = (action, wait) => { clearTimeout(timer); timer = setTimeout(action, wait); };

  for (const link of links) {
    link.addEventListener("pointerenter", (e) => {
      if (e.pointerType !== "touch") later(() => show(link), 120);
    });
    link.addEventListener("pointerleave", () => later(hide, 250));
    link.addEventListener("focus", () => show(link));
    link.addEventListener("blur", hide);
  }
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => later(hide, 250));
  addEventListener("keydown", (e) => { if (e.key === "Escape") hide(); });
})();
