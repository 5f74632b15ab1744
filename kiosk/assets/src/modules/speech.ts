// "Vorlesen": the hub speaks (espeak-ng), the page plays. The button posts the view's text and receives the address of a
// sound file; a second touch stops it.
import { text, toast } from "./toast";

let sound: HTMLAudioElement | null = null;

/** Whether the page is being read aloud just now (holds the idle clock). */
export function isSpeaking(): boolean {
  return sound !== null && !sound.paused && !sound.ended;
}

export function speech(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-speech]");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isSpeaking()) sound?.pause();
    else void speak(form);
  });
}

async function speak(form: HTMLFormElement): Promise<void> {
  const body = new FormData(form);
  if (!body.get("text")) body.set("text", readableText());
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    if (!answer.ok) throw new Error(`speech answered ${answer.status}`);
    const { url } = (await answer.json()) as { url: string };
    sound = new Audio(url);
    await sound.play();
  } catch (error) {
    console.warn(error);
    toast(text("speech"), "warning");
  }
}

/** Title and content of the view in reading order, one sentence for each block. */
function readableText(): string {
  const parts: string[] = [];
  for (const element of document.querySelectorAll<HTMLElement>(".bar h1, .main")) {
    parts.push(...element.textContent.split("\n").map((line) => line.trim()));
  }
  return parts.filter(Boolean).join(". ").slice(0, 4000);
}
