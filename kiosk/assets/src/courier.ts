import "./htmx";
import { autoRefresh } from "./modules/auto-refresh";
import { confirmFirst } from "./modules/confirm";
import { fragmentCode } from "./modules/fragment-code";
import { networkErrors } from "./modules/network-errors";
import { start } from "./modules/start";
import { submitGuard } from "./modules/submit-guard";

start(confirmFirst, submitGuard, autoRefresh, networkErrors, fragmentCode);
