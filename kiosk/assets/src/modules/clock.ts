// The header's clock follows the hub's time (data-now, milliseconds since 1970), not the kiosk's own clock; only on a copy,
// made some time ago (service-worker.ts), there is nothing better than the latter.

export function clock(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-clock]")) run(element);
}

function run(element: HTMLElement): void {
  const started = performance.now();
  const now = "copy" in document.documentElement.dataset ? Date.now() : Number(element.dataset.now);
  const format = new Intl.DateTimeFormat(document.documentElement.lang || "de", {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone: element.dataset.zone || "Europe/Berlin",
  });
  const show = () => {
    const shown = format.format(now + performance.now() - started);
    if (element.textContent !== shown) element.textContent = shown;
  };
  show();
  window.setInterval(show, 1000);
}
