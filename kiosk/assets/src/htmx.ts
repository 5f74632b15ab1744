// htmx 4.0.1 with its SSE extension; the extension needs the global `htmx` that the module sets.
import "htmx.org/dist/htmx.esm.js";
import "htmx.org/dist/ext/hx-sse.js";
