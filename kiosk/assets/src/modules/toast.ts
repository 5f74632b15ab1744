// Short messages at the foot of the page. Texts come from the page (data-text-*), so that they are translated.

export type Tone = "good" | "warning" | "bad";
const SHOWN_MS = 8000;

/** Translated sentence that the page carries for scripts, e.g. text("network") reads body[data-text-network]. */
export function text(name: string): string {
  return document.body.getAttribute(`data-text-${name}`) ?? "";
}

/** Show a sentence for eight seconds; screen readers hear it because the region is live. */
export function toast(message: string, tone: Tone = "bad"): void {
  const region = document.querySelector(".toasts");
  if (!region || !message) return;
  const box = document.createElement("div");
  box.className = `notice notice-${tone}`;
  const icons = document.body.dataset.icons;
  if (icons) box.append(icon(icons, tone));
  const line = document.createElement("p");
  line.textContent = message;
  box.append(line);
  region.replaceChildren(box);
  window.setTimeout(() => box.remove(), SHOWN_MS);
}

function icon(sprite: string, tone: Tone): SVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(namespace, "use");
  const names = { good: "success", warning: "warning", bad: "error" };
  use.setAttribute("href", `${sprite}#${names[tone]}`);
  svg.append(use);
  return svg;
}
