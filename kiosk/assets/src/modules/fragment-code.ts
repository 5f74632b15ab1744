// A code behind the # of a scanned address never reaches the server's log: form[data-fragment-code="D1S"] takes it from there,
// wipes the address and sends it as "code".

export function fragmentCode(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-fragment-code]");
  const input = form?.querySelector<HTMLInputElement>('input[name="code"]');
  const code = decodeURIComponent(location.hash.slice(1)).toUpperCase();
  if (!form || !input || !code.startsWith(form.dataset.fragmentCode ?? "?")) return;
  history.replaceState(null, "", location.pathname);
  input.value = code;
  form.requestSubmit();
}
