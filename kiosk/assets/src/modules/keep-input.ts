// Another language half-way through a form must not cost the text. What was typed travels through sessionStorage to
// the reloaded page and is removed there; secrets (password fields) and hidden fields never travel.

const STORE = "kept-input";

export function keepInput(): void {
  put();
  document.addEventListener("submit", (event) => {
    if ((event.target as Element).matches("form[data-language]")) take();
  });
}

function fields(): HTMLInputElement[] {
  const all = document.querySelectorAll<HTMLInputElement>(
    ".main input[name], .main textarea[name], .main select[name]",
  );
  return Array.from(all).filter((field) => field.type !== "password" && field.type !== "hidden");
}

function take(): void {
  const values = fields().map((field) => [field.name, isTick(field) ? field.checked : field.value]);
  if (values.length) sessionStorage.setItem(STORE, JSON.stringify([location.pathname, values]));
}

function put(): void {
  const kept = sessionStorage.getItem(STORE);
  sessionStorage.removeItem(STORE);
  if (!kept) return;
  const [path, values] = JSON.parse(kept) as [string, [string, string | boolean][]];
  if (path !== location.pathname) return;
  for (const [index, field] of fields().entries()) {
    const value = values[index];
    if (value?.[0] !== field.name) continue;
    if (isTick(field)) field.checked = value[1] === true;
    else if (typeof value[1] === "string") field.value = value[1];
  }
}

function isTick(field: HTMLInputElement): boolean {
  return field.type === "checkbox" || field.type === "radio";
}
