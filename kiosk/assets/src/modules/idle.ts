// Nobody there? After body[data-idle] seconds without touch or key a dialog asks; after body[data-idle-dialog] more seconds the
// page's reset form is sent (kiosk.md 3.2, WCAG 2.2.1: at least 20 s to extend, as often as wanted).
// Reading aloud, a payment and an open door ([data-keep-awake]) hold the clock.
import { isSpeaking } from "./speech";

const TICK_MS = 250;
const SHORTEST_DIALOG_S = 20;
const SHIELD_MS = 400;
// No "scroll": the page scrolls by itself too. A finger that scrolls is a touchmove, a wheel is a wheel.
const ACTIVITY = ["pointerdown", "keydown", "input", "touchmove", "wheel", "shop:scanned"];

let lastActivity = 0;
let warnedAt: number | null = null;

export function idle(): void {
  const limit = Number(document.body.dataset.idle ?? 0) * 1000;
  const dialog = document.querySelector<HTMLDialogElement>("dialog[data-idle-dialog]");
  if (!limit || !dialog) return;
  const grace = Math.max(SHORTEST_DIALOG_S, Number(document.body.dataset.idleDialog ?? 30)) * 1000;
  lastActivity = performance.now();
  for (const name of ACTIVITY) document.addEventListener(name, touched, { capture: true, passive: true });
  dialog.querySelector("[data-idle-more]")?.addEventListener("click", () => extend(dialog));
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    extend(dialog);
  });
  window.setInterval(() => tick(dialog, limit, grace), TICK_MS);
}

function touched(): void {
  // While the dialog stands, only its buttons count: a stray touch elsewhere proves no reader.
  if (warnedAt === null) lastActivity = performance.now();
}

function tick(dialog: HTMLDialogElement, limit: number, grace: number): void {
  const now = performance.now();
  if (document.querySelector("[data-keep-awake]") || isSpeaking()) lastActivity = now;
  if (warnedAt === null) {
    if (now - lastActivity >= limit) warn(dialog, now);
    return;
  }
  const left = warnedAt + grace - now;
  const countdown = dialog.querySelector("[data-idle-left]");
  if (countdown) countdown.textContent = String(Math.max(0, Math.ceil(left / 1000)));
  if (left <= 0) dialog.querySelector<HTMLFormElement>("form[data-reset]")?.requestSubmit();
}

function warn(dialog: HTMLDialogElement, now: number): void {
  warnedAt = now;
  // Modal: the browser makes everything below inert.
  if (!dialog.open) dialog.showModal();
  dialog.querySelector<HTMLElement>("[data-idle-more]")?.focus();
  chime();
}

function extend(dialog: HTMLDialogElement): void {
  warnedAt = null;
  lastActivity = performance.now();
  dialog.close();
  // A quick second tap would land on what lies below.
  const shield = document.createElement("div");
  shield.className = "shield";
  document.body.append(shield);
  window.setTimeout(() => shield.remove(), SHIELD_MS);
}

/** Two soft notes: more than one sense when time runs out (EAA). Silent where the browser allows no sound. */
function chime(): void {
  try {
    const context = new AudioContext();
    [660, 520].forEach((pitch, index) => {
      const tone = context.createOscillator();
      const volume = context.createGain();
      const from = context.currentTime + index * 0.35;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, from);
      volume.gain.exponentialRampToValueAtTime(0.001, from + 0.6);
      tone.connect(volume).connect(context.destination);
      tone.start(from);
      tone.stop(from + 0.7);
    });
    window.setTimeout(() => void context.close(), 2000);
  } catch (error) {
    console.warn(error);
  }
}
