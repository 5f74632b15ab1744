// Runs in the page: returns a sentence for each fault of geometry. One control is what a finger aims at, so a label counts
// instead of the box inside it. Lengths are in millimetres of the screen that the page was made for.
([least, gap]) => {
  const SLACK = 0.75;
  const mm = Number.parseFloat(document.documentElement.dataset.mm ?? "4.03");
  const faults = [];
  const scope = document.querySelector("dialog[open]") ?? document.body;
  const main = document.querySelector(".main");
  const view = main?.getBoundingClientRect();
  const wanted =
    "a[href], button, input:not([type=hidden]), select, textarea, label.check, .button[aria-disabled=true]";

  const visible = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  const named = (e) => {
    const name = e.innerText || e.getAttribute("aria-label") || e.name || "";
    return `${e.tagName.toLowerCase()} "${name.trim().slice(0, 40)}"`;
  };
  const insideLabel = (e) => !e.matches("label") && e.closest("label.check") !== null;

  const controls = [...scope.querySelectorAll(wanted)].filter(
    (e) => visible(e) && !insideLabel(e) && !e.closest(".visually-hidden, .toasts"),
  );
  const rects = controls.map((e) => e.getBoundingClientRect());
  // What is scrolled out of the content is checked for its size only.
  const shown = (e, r) => !main?.contains(e) || (r.top >= view.top - 1 && r.bottom <= view.bottom + 1);

  const checkOne = (e, r) => {
    if (r.left < -SLACK || r.right > innerWidth + SLACK) faults.push(`${named(e)} leaves the glass sideways`);
    if (Math.min(r.width, r.height) < least * mm - SLACK) {
      faults.push(`${named(e)} is ${(r.width / mm).toFixed(1)} x ${(r.height / mm).toFixed(1)} mm`);
    }
    if (e.matches("a, button, label") && e.scrollWidth > e.clientWidth + 1) faults.push(`${named(e)} has cut text`);
    if (!shown(e, r)) return;
    if (r.top < -SLACK || r.bottom > innerHeight + SLACK) faults.push(`${named(e)} leaves the glass`);
    const hit = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
    if (hit && hit !== e && !e.contains(hit)) faults.push(`${named(e)} lies under ${named(hit)}`);
  };

  const checkPair = (a, b, ra, rb) => {
    const dx = Math.max(ra.left, rb.left) - Math.min(ra.right, rb.right);
    const dy = Math.max(ra.top, rb.top) - Math.min(ra.bottom, rb.bottom);
    const apart = Math.max(dx, dy);
    if (apart < gap * mm - SLACK) faults.push(`${named(a)} and ${named(b)} stand ${(apart / mm).toFixed(1)} mm apart`);
  };

  const checkTexts = () => {
    const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const owner = node.parentElement;
      if (!node.data.trim() || !visible(owner) || owner.closest(".visually-hidden, dialog:not([open])")) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const r = range.getBoundingClientRect();
      if (r.width && (r.left < -SLACK || r.right > innerWidth + SLACK)) {
        faults.push(`text "${node.data.trim().slice(0, 40)}" leaves the glass sideways`);
      }
    }
  };

  controls.forEach((e, i) => {
    checkOne(e, rects[i]);
    for (let j = i + 1; j < controls.length; j++) {
      if (shown(e, rects[i]) && shown(controls[j], rects[j])) checkPair(e, controls[j], rects[i], rects[j]);
    }
  });
  checkTexts();
  if (document.documentElement.scrollWidth > innerWidth) faults.push("the page scrolls sideways");
  if (main && main.scrollWidth > main.clientWidth + 1) faults.push("the content scrolls sideways");
  return faults;
};
