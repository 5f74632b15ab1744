// Says within seconds that the hub does not answer, and goes on when it does again (shop.md 3.8, kiosk.md 5). Meanwhile nothing can
// be sent, and no machine's state is shown as if it were of now. Public pages stay readable by their copies (service-worker.ts).

const LOOK_MS = 2000;
const LOOK_AGAIN_MS = 1000;
// A dead hub refuses at once; one that has much to do may take some seconds, and must not be taken for dead.
const WAIT_MS = 4000;
const REGISTER_AFTER_MS = 2500;
const RESET = "/kiosk/reset";
const FINISH = "#finish";

const page = document.documentElement;
let failures = 0;

export function offline(): void {
  const notice = document.querySelector<HTMLElement>("[data-away-notice]");
  if (!notice) return;
  const made = Number(page.dataset.copy) || Date.now();
  if ("copy" in page.dataset) showAway(notice, made);
  else if (location.hash === FINISH) document.querySelector<HTMLFormElement>("form[data-reset]")?.requestSubmit();
  void keepLooking(notice, made);
  const file = document.body.dataset.worker;
  if (!file || !("serviceWorker" in navigator)) return;
  // First the page, then what makes it last.
  window.setTimeout(() => void navigator.serviceWorker.register(file).catch(console.warn), REGISTER_AFTER_MS);
}

async function keepLooking(notice: HTMLElement, made: number): Promise<never> {
  for (;;) {
    await new Promise((resume) => window.setTimeout(resume, failures === 1 ? LOOK_AGAIN_MS : LOOK_MS));
    failures = (await isThere()) ? 0 : failures + 1;
    if (failures === 0 && !notice.hidden) goOn(notice);
    // One lost answer is a busy hub, two are an absent one.
    if (failures > 1 && notice.hidden) showAway(notice, made);
  }
}

async function isThere(): Promise<boolean> {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(WAIT_MS) })).ok;
  } catch {
    return false;
  }
}

function showAway(notice: HTMLElement, made: number): void {
  page.dataset.away = "";
  const clock = document.querySelector<HTMLElement>("[data-clock]");
  const time = notice.querySelector("time");
  const zone = { timeZone: clock?.dataset.zone || "Europe/Berlin" };
  const day = new Intl.DateTimeFormat("de", { dateStyle: "short", ...zone });
  // What was "tomorrow" yesterday is not said any more.
  if (day.format(made) !== day.format(Date.now())) page.dataset.old = "";
  if (time) time.textContent = new Intl.DateTimeFormat("de", { timeStyle: "short", ...zone }).format(made);
  notice.hidden = false;
  for (const part of resting()) part.inert = true;
}

function goOn(notice: HTMLElement): void {
  if ("copy" in page.dataset) {
    navigator.serviceWorker?.controller?.postMessage("there");
    location.replace(afterCopy());
    return;
  }
  delete page.dataset.away;
  notice.hidden = true;
  for (const part of resting()) part.inert = false;
}

/** The page that was asked for; after something was sent the page it came from, which knows what has become of it. */
function afterCopy(): string {
  if (page.dataset.asked === "GET") return location.href;
  if (location.pathname === RESET) return `/kiosk/${FINISH}`;
  return document.referrer.startsWith(`${location.origin}/kiosk/`) ? document.referrer : "/kiosk/";
}

/** What needs the hub: all that is sent, and the ways to pages of which no copy is kept. Who is writing may go on. */
function resting(): Iterable<HTMLElement> {
  const isReadable = "public" in document.body.dataset && navigator.serviceWorker?.controller;
  const forms = ".head form, .foot form, .actions";
  return document.querySelectorAll<HTMLElement>(isReadable ? forms : `${forms}, .main a, .main button`);
}
