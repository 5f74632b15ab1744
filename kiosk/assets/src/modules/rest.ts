// Nobody has touched the first page for a while: slides of what is on, one after the other, without motion; dark at night. Any
// touch or key leads back to the page and does nothing else (kiosk.md 3.2). Only where nothing of a visitor is left to forget.

const SHIELD_MS = 400;
const TICK_MS = 1000;
const ACTIVITY = ["pointerdown", "keydown", "wheel", "shop:scanned"];

interface Rest {
  readonly layer: HTMLElement;
  readonly shownAt: number;
  shown: number;
}

let lastActivity = 0;
let current: Rest | null = null;

export function rest(): void {
  const { rest: after, restSlides: address } = document.body.dataset;
  const limit = Number(after ?? 0) * 1000;
  if (!limit || !address) return;
  lastActivity = performance.now();
  for (const name of ACTIVITY) document.addEventListener(name, wake, { capture: true });
  window.setInterval(() => void tick(limit, address), TICK_MS);
}

async function tick(limit: number, address: string): Promise<void> {
  const now = performance.now();
  const isAway = "away" in document.documentElement.dataset;
  if (current && isAway) end();
  else if (current) turn(current, now);
  else if (!isAway && now - lastActivity >= limit) await begin(address);
}

async function begin(address: string): Promise<void> {
  // Two ticks must not begin twice while the slides are on their way.
  lastActivity = performance.now();
  const asked = lastActivity;
  const answer = await fetch(address, { headers: { "X-Background": "1" } }).catch(() => null);
  if (!answer?.ok || lastActivity !== asked) return;
  // What stands below is inert, so this is the one thing that there is to read.
  const layer = document.createElement("main");
  layer.className = "rest";
  layer.innerHTML = await answer.text();
  layer.toggleAttribute("data-night", isNight());
  document.body.append(layer);
  for (const part of page()) part.inert = true;
  current = { layer, shownAt: performance.now(), shown: -1 };
  turn(current, current.shownAt);
}

/** Show the slide whose turn it is; after the last one they are fetched anew, for what has come meanwhile. */
function turn(now: Rest, at: number): void {
  const slides = Array.from(now.layer.querySelectorAll<HTMLElement>(".slide"));
  const due = Math.floor((at - now.shownAt) / (Number(document.body.dataset.restSlide ?? 12) * 1000));
  if (due === now.shown) return;
  if (due >= slides.length) {
    end();
    lastActivity = Number.NEGATIVE_INFINITY;
    return;
  }
  now.shown = due;
  for (const [index, slide] of slides.entries()) slide.hidden = index !== due;
}

function wake(event: Event): void {
  lastActivity = performance.now();
  if (!current) return;
  if (event.cancelable) event.preventDefault();
  event.stopImmediatePropagation();
  end();
  // The rest of this touch would land on what lies below.
  const shield = document.createElement("div");
  shield.className = "shield";
  document.body.append(shield);
  window.setTimeout(() => shield.remove(), SHIELD_MS);
}

function end(): void {
  current?.layer.remove();
  current = null;
  for (const part of page()) part.inert = false;
}

function page(): Iterable<HTMLElement> {
  return document.querySelectorAll<HTMLElement>("body > :is(.head, .view, .foot)");
}

function isNight(): boolean {
  const { nightFrom, nightTo } = document.body.dataset;
  const hour = Number(document.querySelector("[data-clock]")?.textContent?.slice(0, 2));
  const [from, to] = [Number(nightFrom), Number(nightTo)];
  return from > to ? hour >= from || hour < to : hour >= from && hour < to;
}
