declare module "*.wasm" {
  const url: string;
  export default url;
}
declare module "htmx.org/dist/htmx.esm.js";
declare module "htmx.org/dist/ext/hx-sse.js";
declare module "simple-keyboard/build/index.modern.esm.js" {
  export { default } from "simple-keyboard";
}
