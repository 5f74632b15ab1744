// Filters apply as soon as they are changed: <form data-auto-submit>. The button stays for pages without script.

export function autoSubmit(): void {
  document.addEventListener("change", (event) => {
    const form = (event.target as HTMLElement).closest<HTMLFormElement>("form[data-auto-submit]");
    form?.requestSubmit();
  });
}
