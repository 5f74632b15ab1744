import "./htmx";
import { autoRefresh } from "./modules/auto-refresh";
import { clock } from "./modules/clock";
import { confirmFirst } from "./modules/confirm";
import { display } from "./modules/display";
import { idle } from "./modules/idle";
import { keepInput } from "./modules/keep-input";
import { keyboardOpener } from "./modules/keyboard-opener";
import { kioskManners } from "./modules/kiosk-manners";
import { networkErrors } from "./modules/network-errors";
import { offline } from "./modules/offline";
import { pageScroll } from "./modules/page-scroll";
import { pinPad } from "./modules/pin-pad";
import { printButton } from "./modules/print";
import { reset } from "./modules/reset";
import { rest } from "./modules/rest";
import { scanSound } from "./modules/scan-sound";
import { speech } from "./modules/speech";
import { start } from "./modules/start";
import { submitGuard } from "./modules/submit-guard";
import { wedge } from "./modules/wedge";

start(
  confirmFirst,
  submitGuard,
  reset,
  wedge,
  scanSound,
  keepInput,
  display,
  clock,
  pageScroll,
  pinPad,
  keyboardOpener,
  speech,
  idle,
  rest,
  autoRefresh,
  networkErrors,
  offline,
  printButton,
  kioskManners,
);
