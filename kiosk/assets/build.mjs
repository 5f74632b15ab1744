// node build.mjs FOLDER: bundles TypeScript, CSS, fonts and icons into FOLDER with content-hashed names and writes
// manifest.json: {logical name: file name}. Started by build_hook.py; the hook compresses, stamps and moves the result.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = resolve(process.argv[2] ?? join(here, "..", "static", "dist"));
const entries = [
  "src/kiosk.ts",
  "src/keyboard.ts",
  "src/backoffice.ts",
  "src/courier.ts",
  "src/camera.ts",
  "src/service-worker.ts",
  "styles/kiosk.css",
  "styles/backoffice.css",
  "styles/courier.css",
];

/** One SVG with a <symbol> per file in icons/, so that a page loads all icons with a single request. */
async function buildSprite() {
  const folder = join(here, "icons");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".svg")).sort();
  const symbols = [];
  for (const name of files) {
    const text = await readFile(join(folder, name), "utf8");
    const inner = text
      .replace(/^[\s\S]*?<svg[^>]*>/, "")
      .replace(/<\/svg>\s*$/, "")
      .trim();
    symbols.push(`<symbol id="${basename(name, ".svg")}" viewBox="0 0 48 48">${inner}</symbol>`);
  }
  const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
  return { "icons.svg": await writeHashed("icons", sprite) };
}

/** Pictures that stand alone, e.g. the logo. */
async function copyImages() {
  const manifest = {};
  for (const name of (await readdir(join(here, "images"))).sort()) {
    const text = await readFile(join(here, "images", name), "utf8");
    manifest[name] = await writeHashed(basename(name, ".svg"), text);
  }
  return manifest;
}

async function writeHashed(stem, text) {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8).toUpperCase();
  const file = `${stem}-${hash}.svg`;
  await writeFile(join(output, file), text);
  return file;
}

/** Logical name of an output: the entry's own name, or the asset's name without its hash. */
function manifestOf(metafile) {
  const manifest = {};
  for (const [path, info] of Object.entries(metafile.outputs)) {
    const file = basename(path);
    const logical = file.replace(/-[A-Z0-9]{8}(\.[a-z0-9]+)$/, "$1");
    if (info.entryPoint || /\.(woff2|wasm)$/.test(file)) manifest[logical] = file;
  }
  return manifest;
}

await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: entries,
  outdir: output,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome110", "firefox115", "safari16"],
  charset: "utf8",
  legalComments: "none",
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".wasm": "file" },
  publicPath: "/static",
  metafile: true,
  logLevel: "warning",
});
const manifest = { ...manifestOf(result.metafile), ...(await buildSprite()), ...(await copyImages()) };
const sorted = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
await writeFile(join(output, "manifest.json"), `${JSON.stringify(sorted, null, 2)}\n`);
