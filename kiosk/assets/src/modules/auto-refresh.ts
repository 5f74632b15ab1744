// A page that only waits (payment runs, door opens) looks again by itself: <main data-refresh="2"> seconds. Pages with live
// events need none of this; it is their way out when the event stream is refused.

export function autoRefresh(): void {
  const element = document.querySelector<HTMLElement>("[data-refresh]");
  const seconds = Number(element?.dataset.refresh ?? 0);
  if (seconds > 0) window.setTimeout(() => location.reload(), seconds * 1000);
}
