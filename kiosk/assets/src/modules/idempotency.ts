// Keys that make a repeated POST harmless. The server puts one into each form; a form that stays on the page after it was
// answered (next scan, next step) needs a fresh one, a form whose request was lost keeps its key.

const FIELD = 'input[name="idempotency_key"]';

/** 128 random bits as hex. crypto.randomUUID would need HTTPS, which a kiosk in a village LAN may lack. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Give the form a new key. */
export function renewKey(form: HTMLFormElement): void {
  const field = form.querySelector<HTMLInputElement>(FIELD);
  if (field) field.value = freshKey();
}
