// Says in plain words when a fragment request did not reach the hub; the form keeps its idempotency key for the retry.
import { text, toast } from "./toast";

export function networkErrors(): void {
  document.addEventListener("htmx:error", () => {
    // Once the page says that the hub is away, it need not say so at every look.
    if (!("away" in document.documentElement.dataset)) toast(text("network"), "bad");
  });
}
