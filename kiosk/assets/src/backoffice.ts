import "./htmx";
import { autoSubmit } from "./modules/auto-submit";
import { clock } from "./modules/clock";
import { confirmFirst } from "./modules/confirm";
import { fragmentCode } from "./modules/fragment-code";
import { networkErrors } from "./modules/network-errors";
import { printButton } from "./modules/print";
import { sideMenu } from "./modules/side-menu";
import { start } from "./modules/start";
import { submitGuard } from "./modules/submit-guard";
import { wedge } from "./modules/wedge";

start(confirmFirst, submitGuard, sideMenu, autoSubmit, wedge, clock, networkErrors, printButton, fragmentCode);
