// Reads codes with the phone's camera (zxing-wasm) and sends each new one with the form[data-scan] of the page. Cameras exist
// on HTTPS and localhost only; elsewhere the part stays hidden and the number is typed. Once turned on, the camera runs on the
// next pages too: a courier with ten parcels should not have to touch the glass ten times.
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import wasm from "zxing-wasm/reader/zxing_reader.wasm";
import { freshKey } from "./idempotency";
import { text, toast } from "./toast";

const BETWEEN_FRAMES_MS = 120;
const SAME_CODE_MS = 4000;
const RUNS = "camera-runs";
const LAST = "camera-last";
const FORMATS = ["QRCode", "Code128", "EAN13", "EAN8", "ITF", "DataMatrix", "Code39"] as const;

export function cameraScan(): void {
  const part = document.querySelector<HTMLElement>("[data-camera]");
  const button = part?.querySelector("button");
  if (!part || !button || !navigator.mediaDevices) return;
  part.hidden = false;
  button.addEventListener("click", () => void startCamera(part));
  if (sessionStorage.getItem(RUNS)) void startCamera(part);
}

async function startCamera(part: HTMLElement): Promise<void> {
  const video = part.querySelector("video");
  if (!video) return;
  try {
    prepareZXingModule({ overrides: { locateFile: () => wasm } });
    const wish = { video: { facingMode: "environment", width: { ideal: 1280 } } };
    video.srcObject = await navigator.mediaDevices.getUserMedia(wish);
    await video.play();
    part.dataset.running = "";
    sessionStorage.setItem(RUNS, "1");
    part.querySelector("button")?.setAttribute("hidden", "");
    await look(video);
  } catch (error) {
    console.warn(error);
    sessionStorage.removeItem(RUNS);
    toast(text("camera"), "warning");
  }
}

async function look(video: HTMLVideoElement): Promise<void> {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  while (video.isConnected && pen) {
    if (video.videoWidth) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      pen.drawImage(video, 0, 0);
      const image = pen.getImageData(0, 0, canvas.width, canvas.height);
      const [found] = await readBarcodes(image, { formats: [...FORMATS], maxNumberOfSymbols: 1 });
      if (found?.isValid && isNew(found.text)) send(found.text);
    }
    await new Promise((resume) => window.setTimeout(resume, BETWEEN_FRAMES_MS));
  }
}

/** A label that stays before the lens counts once, also when the page that took it has loaded anew. */
function isNew(code: string): boolean {
  const last = JSON.parse(sessionStorage.getItem(LAST) ?? "{}") as { code?: string; at?: number };
  sessionStorage.setItem(LAST, JSON.stringify({ code, at: Date.now() }));
  return code !== last.code || Date.now() - (last.at ?? 0) > SAME_CODE_MS;
}

function send(code: string): void {
  const form = document.querySelector<HTMLFormElement>("form[data-scan]");
  const input = form?.querySelector<HTMLInputElement>("input[data-scan-input]");
  if (!form || !input || form.getAttribute("aria-busy") === "true") return;
  navigator.vibrate?.(60);
  input.value = code;
  const key = form.querySelector<HTMLInputElement>('input[name="idempotency_key"]');
  if (key) key.value = freshKey();
  form.requestSubmit();
}
