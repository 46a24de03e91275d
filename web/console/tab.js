/**
 * What this tab remembers through a reload, where the browser lets it. A browser may refuse: in a
 * frame of another site, with site data blocked, or when its storage is full. Then memory serves
 * until the page is loaded again.
 */

/** A `Storage` that never throws. */
export class TabStorage {
  #open;
  /** @type {Map<string, string>} */
  #memory = new Map();
  #isLasting = true;

  /**
   * @param {() => Pick<Storage, "getItem" | "setItem" | "removeItem">} [open] where the browser keeps it; may throw each time
   */
  constructor(open = () => sessionStorage) {
    this.#open = open;
  }

  /** Whether what was stored last is still there after a reload. */
  get isLasting() {
    return this.#isLasting;
  }

  /**
   * @param {string} key
   * @returns {string | null}
   */
  getItem(key) {
    return this.#memory.get(key) ?? this.#attempt((storage) => storage.getItem(key)) ?? null;
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  setItem(key, value) {
    this.removeItem(key);
    this.#isLasting = this.#attempt((storage) => (storage.setItem(key, value), true)) === true;
    if (!this.#isLasting) this.#memory.set(key, value);
  }

  /**
   * @param {string} key
   */
  removeItem(key) {
    this.#memory.delete(key);
    this.#attempt((storage) => storage.removeItem(key));
  }

  /**
   * @template Value
   * @param {(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">) => Value} use
   * @returns {Value | undefined} nothing when the browser refuses
   */
  #attempt(use) {
    try {
      return use(this.#open());
    } catch {
      return undefined;
    }
  }
}

/** This tab's. */
export const tabStorage = new TabStorage();

/**
 * What was stored as JSON; null for nothing, and for what is no JSON object.
 *
 * @param {Pick<Storage, "getItem">} storage
 * @param {string} key
 * @returns {any}
 */
export function readStored(storage, key) {
  try {
    const found = JSON.parse(storage.getItem(key) ?? "null");
    return typeof found === "object" ? found : null;
  } catch {
    return null;
  }
}

/**
 * Show another address without loading it. A browser may refuse that in a frame, and when it was
 * asked too often; the page goes on under the old one.
 *
 * @param {string} path
 */
export function showAddress(path) {
  try {
    history.replaceState(null, "", path);
  } catch {
    // Nothing is lost but the looks of the address.
  }
}
