/** The module's former address, for pages that import it from a server of robosignal's. */

export * from "../robosignal/index.js";
