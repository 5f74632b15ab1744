// Only on pages with a camera: these carry 'wasm-unsafe-eval' in their content security policy.
import { cameraScan } from "./modules/camera-scan";
import { start } from "./modules/start";

start(cameraScan);
