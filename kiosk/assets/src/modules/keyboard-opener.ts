// Opens the on-screen keyboard when a text field gets the focus; the keyboard itself is fetched only then.

const TEXT = new Set(["text", "search", "email", "tel", "url", "number"]);

type Field = HTMLInputElement | HTMLTextAreaElement;

export function keyboardOpener(): void {
  document.addEventListener("focusin", (event) => {
    if (isTyped(event.target)) void open(event.target);
  });
  // Where a finger lands is looked at when it lands, since a key that changes the layout is gone from the page afterwards.
  // The keys go once it has lifted: a button that moved away under the finger would not be pressed.
  let isElsewhere = false;
  const landed = (event: Event) => {
    const target = event.target as Element;
    isElsewhere = !target.closest(".keyboard") && !isTyped(target);
  };
  document.addEventListener("pointerdown", landed, true);
  document.addEventListener("click", () => isElsewhere && void close());
  // A view made for one text (the search) starts with the keys.
  const first = document.querySelector("[data-keyboard-now]");
  if (first instanceof HTMLInputElement || first instanceof HTMLTextAreaElement) {
    first.focus();
    first.setSelectionRange(first.value.length, first.value.length); // typing goes on after the words that stand there
  }
}

function isTyped(target: EventTarget | null): target is Field {
  if (target instanceof HTMLTextAreaElement) return !target.readOnly;
  if (!(target instanceof HTMLInputElement) || target.readOnly) return false;
  return TEXT.has(target.type) && !target.closest("[data-no-keyboard]");
}

// The page names the file, since only the server knows its hashed name.
function keys(): Promise<typeof import("../keyboard")> {
  return import(document.body.dataset.keyboard ?? "");
}

async function open(field: Field): Promise<void> {
  const { showKeyboard } = await keys();
  if (document.activeElement === field) showKeyboard(field);
}

async function close(): Promise<void> {
  if (!document.querySelector(".keyboard")) return;
  const { hideKeyboard } = await keys();
  hideKeyboard();
}
