// The on-screen keyboard: simple-keyboard (MIT) with our own layouts, without dead keys and Tab. 11 columns of 20 mm fit a
// 21.5-inch screen held upright (kiosk.md 3.6). Keys go in at the caret and raise "input", like typing does.
import Keyboard from "simple-keyboard/build/index.modern.esm.js";

type Field = HTMLInputElement | HTMLTextAreaElement;

const LETTERS = {
  default: [
    "1 2 3 4 5 6 7 8 9 0 ß",
    "q w e r t z u i o p ü",
    "a s d f g h j k l ö ä",
    "{shift} y x c v b n m {bksp}",
    "{signs} , {space} . {enter}",
  ],
  shift: [
    "1 2 3 4 5 6 7 8 9 0 ?",
    "Q W E R T Z U I O P Ü",
    "A S D F G H J K L Ö Ä",
    "{shift} Y X C V B N M {bksp}",
    "{signs} ; {space} : {enter}",
  ],
  signs: [
    "1 2 3 4 5 6 7 8 9 0 €",
    '! " § % & / ( ) = ? +',
    "@ # * - _ ' : ; < > ~",
    "{letters} , . … – „ “ {bksp}",
    "{letters} , {space} . {enter}",
  ],
};
const EMAIL = {
  ...LETTERS,
  default: [
    "1 2 3 4 5 6 7 8 9 0 -",
    "q w e r t z u i o p _",
    "a s d f g h j k l . @",
    "{shift} y x c v b n m {bksp}",
    "{signs} .de {space} .com {enter}",
  ],
};
const NUMBERS = { default: ["1 2 3", "4 5 6", "7 8 9", "{bksp} 0 {enter}"] };
const DECIMALS = { default: ["1 2 3", "4 5 6", "7 8 9", "{bksp} 0 ,", "{enter}"] };

let board: Keyboard | null = null;
let field: Field | null = null;

/** Show the keys that suit the field and connect them with it. */
export function showKeyboard(target: Field): void {
  if (field === target && board) return;
  hideKeyboard();
  field = target;
  const frame = document.createElement("div");
  const numeric = target.inputMode === "numeric" || target.inputMode === "decimal" || target.type === "number";
  frame.className = numeric || target.type === "tel" ? "keyboard keyboard-numbers" : "keyboard";
  const keys = document.createElement("div");
  keys.className = "keyboard-keys";
  frame.append(keys);
  // Before the footer: the page's column makes room, nothing is covered.
  const foot = document.querySelector(".foot");
  if (foot) foot.before(frame);
  else document.body.append(frame);
  document.body.classList.add("typing");
  board = new Keyboard(keys, {
    layout: layoutFor(target),
    display: labels(),
    mergeDisplay: true,
    useButtonTag: true,
    preventMouseDownDefault: true,
    preventMouseUpDefault: true,
    theme: "hg-theme-default",
    onKeyPress: press,
  });
  if (target.value === "" && target.autocapitalize === "sentences") turnTo("shift");
  target.scrollIntoView({ block: "center" });
}

/** Take the keys away. */
export function hideKeyboard(): void {
  board?.destroy();
  board = null;
  field = null;
  document.querySelector(".keyboard")?.remove();
  document.body.classList.remove("typing");
}

function layoutFor(target: Field): Record<string, string[]> {
  if (target.type === "email") return EMAIL;
  if (target.inputMode === "decimal") return DECIMALS;
  if (target.type === "tel" || target.type === "number" || target.inputMode === "numeric") return NUMBERS;
  return LETTERS;
}

function labels(layer = "default"): Record<string, string> {
  const read = (name: string) => document.body.getAttribute(`data-text-key-${name}`) ?? name;
  return {
    "{shift}": layer === "shift" ? "abc" : "ABC",
    "{bksp}": "⌫",
    "{signs}": "!?#",
    "{letters}": "abc",
    "{space}": read("space"),
    "{enter}": read("enter"),
  };
}

function press(key: string): void {
  if (!board || !field) return;
  const layer = board.options.layoutName ?? "default";
  if (key === "{shift}") turnTo(layer === "shift" ? "default" : "shift");
  else if (key === "{signs}") turnTo("signs");
  else if (key === "{letters}") turnTo("default");
  else if (key === "{enter}") enter(field);
  else if (key === "{bksp}") erase(field);
  else {
    insert(field, key === "{space}" ? " " : key);
    if (layer === "shift") turnTo("default");
  }
}

function turnTo(layer: string): void {
  board?.setOptions({ layoutName: layer, display: labels(layer) });
}

function enter(target: Field): void {
  if (target instanceof HTMLTextAreaElement) {
    insert(target, "\n");
    return;
  }
  const form = target.form;
  hideKeyboard();
  target.blur();
  form?.requestSubmit();
}

function insert(target: Field, piece: string): void {
  const [from, to] = selection(target);
  replace(target, from, to, piece);
}

function erase(target: Field): void {
  const [from, to] = selection(target);
  replace(target, from === to ? Math.max(0, from - 1) : from, to, "");
}

/** Email and number inputs know no selection: their caret is taken to stand at the end. */
function selection(target: Field): [number, number] {
  const end = target.value.length;
  return [target.selectionStart ?? end, target.selectionEnd ?? end];
}

function replace(target: Field, from: number, to: number, piece: string): void {
  const value = target.value.slice(0, from) + piece + target.value.slice(to);
  if (target.maxLength > 0 && value.length > target.maxLength) return;
  target.value = value;
  if (target.selectionStart !== null) target.setSelectionRange(from + piece.length, from + piece.length);
  target.dispatchEvent(new Event("input", { bubbles: true }));
}
