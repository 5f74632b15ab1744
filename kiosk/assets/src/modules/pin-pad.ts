// Large keys for PINs, codes and amounts. The pad fills an ordinary input, which also works with a real keyboard alone.

export function pinPad(): void {
  document.addEventListener("click", (event) => {
    const key = (event.target as Element).closest<HTMLButtonElement>("[data-pad] button[data-key]");
    const pad = key?.closest<HTMLElement>("[data-pad]");
    const input = pad && document.getElementById(pad.dataset.pad ?? "");
    if (key && input instanceof HTMLInputElement) press(input, key.dataset.key ?? "");
  });
}

function press(input: HTMLInputElement, key: string): void {
  const longest = input.maxLength > 0 ? input.maxLength : 32;
  if (key === "back") input.value = input.value.slice(0, -1);
  else if (key === "clear") input.value = "";
  else if (input.value.length + key.length <= longest) input.value += key;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
