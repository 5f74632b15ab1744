// Text size and light/dark change at once, without losing what was typed; the server is told so that the next page keeps
// it (the form works without this script by reloading the page).

export function display(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-display]");
  form?.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!(button instanceof HTMLButtonElement) || !button.name) return;
    event.preventDefault();
    const body = new FormData(form);
    body.set(button.name, button.value);
    document.documentElement.dataset[button.name] = button.value;
    turn(button);
    window.dispatchEvent(new Event("resize"));
    void fetch(form.action, { method: "POST", body, redirect: "manual", keepalive: true }).catch(console.warn);
  });
}

/** The button carries its states as JSON [[value, label, icon], …] and always offers the one after the shown one. */
function turn(button: HTMLButtonElement): void {
  const states = JSON.parse(button.dataset.states ?? "[]") as [string, string, string][];
  const shown = states.findIndex(([value]) => value === button.value);
  const next = states[(shown + 1) % states.length];
  if (!next) return;
  const [value, label, icon] = next;
  button.value = value;
  const name = button.querySelector("span");
  if (name) name.textContent = label;
  const use = button.querySelector("use");
  use?.setAttribute("href", `${use.getAttribute("href")?.split("#")[0]}#${icon}`);
}
