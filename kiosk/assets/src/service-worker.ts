// Keeps the public pages readable while the hub is down or hangs (kiosk.md 3.7). Network first; a copy says how old it is and
// shows no state of a machine. Copies hold what anybody sees, in the shop's language: the hub leaves the visitor out of them.
// Personal pages, payments and whatever is sent are never kept: without the hub they answer with one page that says so.

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
  waitUntil(work: Promise<unknown>): void;
}
interface WorkerScope {
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate" | "fetch" | "message", listener: (event: FetchEvent) => void): void;
  skipWaiting(): Promise<void>;
}

const worker = self as unknown as WorkerScope;
const CACHE = `kiosk${location.search}`;
const SORRY = "/kiosk/offline";
const STARTS = [SORRY, "/kiosk/", "/kiosk/board", "/kiosk/events"];
const PUBLIC = /^\/kiosk\/(?:|events|board(?:\/[0-9a-f-]{36})?)(?:\?[\w&=-]*)?$/;
const LINK = /href="(\/kiosk\/[^"#]*)"/g;
const MOST_COPIES = 80;
const SHORT_WAIT_MS = 1500;
const LONG_WAIT_MS = 6000;
const DOWN_MS = 15_000;
const REFRESH_MS = 300_000;
const FIRST_GATEWAY_ERROR = 502;

let downSince = 0;
let refreshedAt = 0;

worker.addEventListener("install", (event) => event.waitUntil(refresh().then(() => worker.skipWaiting())));
worker.addEventListener("activate", (event) => event.waitUntil(dropOldCaches().then(() => worker.clients.claim())));
// An open page has heard from the hub.
worker.addEventListener("message", () => {
  downSince = 0;
});
worker.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") event.respondWith(answer(event));
});

async function answer(event: FetchEvent): Promise<Response> {
  const { method, url } = event.request;
  const copy = method === "GET" ? await copyOf(key(url)) : null;
  const isDown = Date.now() - downSince < DOWN_MS;
  if (copy && isDown) return copy;
  try {
    const fresh = await ask(event.request, copy || isDown ? SHORT_WAIT_MS : LONG_WAIT_MS);
    if (fresh.status < FIRST_GATEWAY_ERROR) {
      downSince = 0;
      if (Date.now() - refreshedAt > REFRESH_MS) event.waitUntil(refresh());
      return fresh;
    }
  } catch (error) {
    console.info(error);
  }
  downSince = Date.now();
  return copy ?? (await copyOf(SORRY, method)) ?? Response.error();
}

/** Nothing that is sent is cut short: the hub may be busy with it. (A navigation's request takes no signal of ours.) */
function ask(request: Request, waitMs: number): Promise<Response> {
  if (request.method !== "GET") return fetch(request);
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("the hub hangs")), waitMs));
  return Promise.race([fetch(request), late]);
}

/** The copy of a public page, marked with the hub's time at which it was made, and with what had been asked for. */
async function copyOf(path: string, method = "GET"): Promise<Response | null> {
  const kept = await (await caches.open(CACHE)).match(path);
  if (!kept) return null;
  const made = Date.parse(kept.headers.get("Date") ?? "");
  const text = (await kept.text()).replace("<html ", `<html data-copy="${made}" data-asked="${method}" `);
  return new Response(text, { headers: kept.headers });
}

/** Home is also asked for as /kiosk/?fresh=1, after a reset. */
function key(address: string): string {
  const { pathname, search } = new URL(address);
  return pathname === "/kiosk/" ? pathname : pathname + search;
}

/** Fetch the starting pages anew, and the public pages that they lead to. */
async function refresh(): Promise<void> {
  refreshedAt = Date.now();
  const cache = await caches.open(CACHE);
  const wanted = [...STARTS];
  for (const path of wanted) {
    const page = await fetch(path, { headers: { "X-Public-Copy": "1" }, cache: "no-store" }).catch(() => null);
    if (!page) return;
    if (!page.ok) continue;
    await cache.put(path, page.clone());
    for (const [, found] of (await page.text()).matchAll(LINK)) {
      const link = found?.replaceAll("&amp;", "&") ?? "";
      if (wanted.length < MOST_COPIES && PUBLIC.test(link) && !wanted.includes(link)) wanted.push(link);
    }
  }
  for (const old of await cache.keys()) if (!wanted.includes(key(old.url))) await cache.delete(old);
}

async function dropOldCaches(): Promise<void> {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
}

export {};
