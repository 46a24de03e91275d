/** The robot of docs/howto/react.md under StrictMode, once or twice, mounted and unmounted by buttons. */

import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { Robot } from "./robot";
import { useSignal } from "./use-signal";

declare global {
  interface Window {
    /** How often React has run an effect that counts. */
    effects: number;
  }
}

window.effects = 0;

const asked = new URLSearchParams(location.hash.slice(1));
const url = asked.get("url") ?? "";
const token = () => asked.get("token") ?? "";

function Page() {
  const signal = useSignal(url, token);
  const [shown, setShown] = useState(["first"]);
  const toggle = (name: string) =>
    setShown((names) =>
      names.includes(name) ? names.filter((one) => one !== name) : [...names, name],
    );
  useEffect(() => {
    window.effects += 1;
  }, []);
  return (
    <>
      {["first", "second"].map((name) => (
        <button key={name} onClick={() => toggle(name)}>
          {name}
        </button>
      ))}
      {shown.map((name) => (
        <div id={name} key={name}>
          <Robot signal={signal} robotId="demo" />
        </div>
      ))}
    </>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
