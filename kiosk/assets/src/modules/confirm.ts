// A form that cannot be taken back asks first: <form data-confirm="dialog-id">. Without script it is sent at once, so the
// server must not rely on the question.

export function confirmFirst(): void {
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target as HTMLFormElement;
      const dialog = document.getElementById(form.dataset.confirm ?? "");
      if (!(dialog instanceof HTMLDialogElement) || "confirmed" in form.dataset) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      ask(dialog, form);
    },
    true,
  );
}

function ask(dialog: HTMLDialogElement, form: HTMLFormElement): void {
  dialog.returnValue = "";
  dialog.showModal();
  dialog.addEventListener(
    "close",
    () => {
      if (dialog.returnValue !== "yes") return;
      form.dataset.confirmed = "";
      form.requestSubmit();
      delete form.dataset.confirmed;
    },
    { once: true },
  );
}
