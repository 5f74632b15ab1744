// Two large keys turn the page of a view that is taller than the glass; nobody needs to know how to swipe.

const LEEWAY_PX = 4;
const OVERLAP = 0.85;

export function pageScroll(): void {
  const main = document.querySelector<HTMLElement>(".main");
  const bar = document.querySelector<HTMLElement>(".page-scroll");
  if (!main || !bar) return;
  const [up, down] = Array.from(bar.querySelectorAll("button"));
  if (!up || !down) return;
  const refresh = () => {
    const hidden = main.scrollHeight - main.clientHeight;
    // The bar itself takes room: once shown it stays until the view would fit together with it.
    const room = bar.hidden ? 0 : bar.offsetHeight;
    bar.hidden = hidden <= LEEWAY_PX + room - (bar.hidden ? 0 : room);
    up.disabled = main.scrollTop <= LEEWAY_PX;
    down.disabled = main.scrollTop >= hidden - LEEWAY_PX;
  };
  const turn = (direction: number) =>
    main.scrollBy({ top: direction * main.clientHeight * OVERLAP, behavior: "smooth" });
  up.addEventListener("click", () => turn(-1));
  down.addEventListener("click", () => turn(1));
  main.addEventListener("scroll", refresh, { passive: true });
  const watcher = new ResizeObserver(refresh);
  watcher.observe(main);
  for (const child of main.children) watcher.observe(child);
  document.addEventListener("htmx:after:settle", refresh);
  refresh();
}
