// Says in plain words when a fragment request did not reach the hub; the form keeps its idempotency key for the retry.
import { text, toast } from "./toast";

export function networkErrors(): void {
  document.addEventListener("htmx:error", () => toast(text("network"), "bad"));
}
