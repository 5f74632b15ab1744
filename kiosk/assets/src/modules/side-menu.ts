// The backoffice menu folds on a phone.

export function sideMenu(): void {
  const key = document.querySelector<HTMLButtonElement>(".menu-key");
  const side = key?.closest(".side");
  key?.addEventListener("click", () => {
    const open = side?.classList.toggle("side-open") ?? false;
    key.setAttribute("aria-expanded", String(open));
  });
}
