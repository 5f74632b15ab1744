// Runs the modules of a page. One that fails must not take the others (the till!) with it.

export type Behaviour = () => void;

/** Mark the page as scripted and start each behaviour once the document is there. */
export function start(...behaviours: Behaviour[]): void {
  document.documentElement.classList.add("js");
  const run = () => {
    for (const behaviour of behaviours) {
      try {
        behaviour();
      } catch (error) {
        console.error(error);
      }
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", run, { once: true });
  else run();
}
