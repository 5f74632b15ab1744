// A scan is also heard: a short high tone when it was taken, a low one when it was refused (more than one sense for errors).
// Silent where the browser allows no sound.

interface Answered extends CustomEvent {
  detail: { ctx?: { sourceElement?: Element; response?: { status?: number } } };
}

export function scanSound(): void {
  document.addEventListener("htmx:finally:request", (event) => {
    const { sourceElement, response } = (event as Answered).detail.ctx ?? {};
    if (!sourceElement?.matches("form[data-scan]")) return;
    const status = response?.status ?? 0;
    if (status >= 400) beep(220, 0.35);
    else if (status >= 200) beep(1760, 0.08);
  });
}

function beep(pitch: number, seconds: number): void {
  try {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.1, context.currentTime);
    volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + seconds);
    tone.connect(volume).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + seconds);
    tone.addEventListener("ended", () => void context.close());
  } catch (error) {
    console.warn(error);
  }
}
