// The page after a reset wipes what the browser still holds of the last visitor.

export function reset(): void {
  if (!("fresh" in document.body.dataset)) return;
  sessionStorage.clear();
  // Back must not lead into the last visitor's pages.
  history.replaceState(null, "", location.href);
}
