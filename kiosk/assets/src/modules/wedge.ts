// Barcode scanners that type like a keyboard. Works wherever the focus is: a burst of keys with less than MEAN_GAP_MS between
// them on average is a scan, slower keys are a person. What a burst typed into a focused field is taken out again. Each scan
// waits its turn in a queue and is posted with the form[data-scan] of the page; the queue survives a change of page.
import { freshKey } from "./idempotency";
import { text, toast } from "./toast";

const MEAN_GAP_MS = 50;
// A busy computer may hold back one key of a scan; a longer pause ends it.
const LONGEST_GAP_MS = 300;
const SHORTEST = 4;
// Two or three letters of a fast typist may fall close together.
const SHORTEST_IN_FIELD = 6;
const LONGEST = 16384;
const QUEUE = "scan-queue";

interface Burst {
  text: string;
  first: number;
  last: number;
  field: HTMLInputElement | HTMLTextAreaElement | null;
  before: string;
  caret: number;
}

let burst: Burst | null = null;
let silence = 0;
let sending = false;

export function wedge(): void {
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("scan", onSerial);
  document.addEventListener("htmx:finally:request", (event) => {
    const source = (event as CustomEvent).detail?.ctx?.sourceElement as Element | undefined;
    if (sending && source?.matches("form[data-scan]")) {
      sending = false;
      sendNext();
    }
  });
  sendNext();
}

function onKey(event: KeyboardEvent): void {
  if (!event.isTrusted || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const now = event.timeStamp;
  if (burst && now - burst.last >= LONGEST_GAP_MS) finish();
  if (event.key === "Enter" || event.key === "Tab") {
    if (isScan(burst)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      finish();
    } else burst = null;
    return;
  }
  if (event.key.length !== 1) return;
  burst ??= begin(event.target, now);
  burst.last = now;
  if (burst.text.length < LONGEST) burst.text += event.key;
  // Outside fields a fast key would press focused buttons (space) or scroll the page.
  if (!burst.field && burst.text.length > 1) event.preventDefault();
  window.clearTimeout(silence);
  silence = window.setTimeout(finish, LONGEST_GAP_MS);
}

function begin(target: EventTarget | null, now: number): Burst {
  const typing = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  const field = typing && !target.readOnly ? target : null;
  return { text: "", first: now, last: now, field, before: field?.value ?? "", caret: field?.selectionStart ?? 0 };
}

function isScan(candidate: Burst | null): candidate is Burst {
  if (candidate === null) return false;
  const gaps = candidate.text.length - 1;
  const isFast = candidate.last - candidate.first < gaps * MEAN_GAP_MS;
  const isLong = candidate.text.length >= (candidate.field ? SHORTEST_IN_FIELD : SHORTEST);
  // A field that wants the scanner's own text (backoffice: barcode of a new product) says so.
  return isFast && isLong && !candidate.field?.hasAttribute("data-scan-own");
}

function finish(): void {
  window.clearTimeout(silence);
  const done = burst;
  burst = null;
  if (!isScan(done)) return;
  if (done.field?.isConnected) restore(done.field, done);
  enqueue(done.text);
  sendNext();
}

function restore(field: HTMLInputElement | HTMLTextAreaElement, done: Burst): void {
  field.value = done.before;
  if (field.type !== "email" && field.type !== "number") field.setSelectionRange(done.caret, done.caret);
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function readQueue(): string[] {
  return JSON.parse(sessionStorage.getItem(QUEUE) ?? "[]") as string[];
}

function enqueue(code: string): void {
  sessionStorage.setItem(QUEUE, JSON.stringify([...readQueue(), code]));
}

function sendNext(): void {
  const [code, ...rest] = readQueue();
  if (sending || code === undefined) return;
  sessionStorage.setItem(QUEUE, JSON.stringify(rest));
  const form = formFor(code);
  const input = form?.querySelector<HTMLInputElement>("input[data-scan-input]");
  if (!form || !input) {
    toast(text("scan-nowhere"), "warning");
    sendNext();
    return;
  }
  input.value = code;
  const key = form.querySelector<HTMLInputElement>('input[name="idempotency_key"]');
  if (key) key.value = freshKey();
  sending = true;
  document.dispatchEvent(new CustomEvent("shop:scanned"));
  whenReady(form, () => form.requestSubmit());
}

/** A code of ours (D1M member card, D1R receipt …) goes to the form that asks for it, if the page has one. */
function formFor(code: string): HTMLFormElement | null {
  const own = /(?:^|#)(D1[A-Z])[A-Z2-7]{20,}$/i.exec(code.trim())?.[1]?.toUpperCase();
  const wanted = own && document.querySelector<HTMLFormElement>(`form[data-scan-own="${own}"]`);
  return wanted || document.querySelector<HTMLFormElement>("form[data-scan]");
}

/** A serial scanner of this kiosk: its codes arrive with the live events. */
function onSerial(event: Event): void {
  const { data } = JSON.parse((event as CustomEvent).detail?.data ?? "{}") as { data?: string };
  if (!data) return;
  enqueue(data);
  sendNext();
}

/** htmx binds its forms shortly after the document is ready; a submit before that would leave the page. */
function whenReady(form: HTMLFormElement, submit: () => void): void {
  const ready = (form as unknown as { _htmx?: { initialized?: boolean } })._htmx?.initialized;
  if (ready || !form.hasAttribute("hx-post")) submit();
  else form.addEventListener("htmx:after:init", submit, { once: true });
}
