// A public screen has no context menu, no dragging and no pinch zoom.

export function kioskManners(): void {
  for (const name of ["contextmenu", "dragstart", "gesturestart"]) {
    document.addEventListener(name, (event) => event.preventDefault());
  }
  document.addEventListener("wheel", (event) => event.ctrlKey && event.preventDefault(), { passive: false });
}
