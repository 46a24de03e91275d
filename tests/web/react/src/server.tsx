/** Renders the page on a server, which has no window. */

import { renderToString } from "react-dom/server";
import { App } from "./app";

console.log(renderToString(<App />));
