// A double tap sends once. After the first submit the form's buttons rest until the answer is there.
import { renewKey } from "./idempotency";

interface RequestEvent extends CustomEvent {
  detail: { ctx?: { sourceElement?: Element; response?: { status?: number } } };
}

export function submitGuard(): void {
  document.addEventListener("submit", guard, true);
  document.addEventListener("htmx:finally:request", (event) => release(event as RequestEvent));
  // Back from the browser's page cache: everything must be usable again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.forms) setBusy(form, false);
  });
}

function guard(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  if (form.method === "dialog") return;
  if (form.getAttribute("aria-busy") === "true") {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  // After this task: a disabled button would not send its own name and value. A listener that took the event over
  // (a display switch, a validation) has called preventDefault by then; htmx does so too but marks its request.
  form.setAttribute("aria-busy", "true");
  window.setTimeout(() => {
    if (event.defaultPrevented && !isHtmx(form)) setBusy(form, false);
    else if (form.getAttribute("aria-busy") === "true") setBusy(form, true);
  });
}

function isHtmx(form: HTMLFormElement): boolean {
  return form.hasAttribute("hx-post") || form.hasAttribute("hx-get");
}

function setBusy(form: HTMLFormElement, busy: boolean): void {
  if (busy) form.setAttribute("aria-busy", "true");
  else form.removeAttribute("aria-busy");
  for (const control of form.elements) {
    if (!(control instanceof HTMLButtonElement)) continue;
    if (busy && !control.disabled) {
      control.disabled = true;
      control.dataset.resting = "";
    } else if (!busy && "resting" in control.dataset) {
      control.disabled = false;
      delete control.dataset.resting;
    }
  }
}

function release(event: RequestEvent): void {
  const form = event.detail.ctx?.sourceElement?.closest("form");
  if (!form) return;
  const status = event.detail.ctx?.response?.status ?? 0;
  if (status >= 200 && status < 500) renewKey(form);
  setBusy(form, false);
}
