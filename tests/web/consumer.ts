/** What a TypeScript application sees of the package: compiled with its types, and never run. */

import { Session, SignalingError, connect, type Robot, type View } from "robosignal";

const signal = connect({ url: "wss://signal.example/prod", token: async () => "token" });
signal.on("presence", (robots: Robot[]) => robots.map(({ online, stale }) => online && !stale));
signal.on("state", (state: "offline" | "connecting" | "online") => state);

const session: Session = await signal.drive("demo");
session.on("control", (view: View) =>
  view.requests.map(({ sessionId }) => session.grant(sessionId)),
);
session.on("control-requested", ({ sessionId, by }) => session.deny(sessionId).then(() => by.name));
session.on("stream", (stream: MediaStream) => stream.id);
const wasSent: boolean = session.drive({ x: 0, y: 1 });

const watching: Session = await signal.view("demo", { signal: AbortSignal.timeout(5_000) });
const taken: Session = await signal.takeOver(watching.robotId, {
  signal: AbortSignal.timeout(5_000),
});
taken.leave();

try {
  await session.requestControl();
} catch (error) {
  if (error instanceof SignalingError) console.log(error.code, error.controlledBy?.userId, wasSent);
}

// @ts-expect-error a token is required
connect({ url: "wss://signal.example/prod" });
// @ts-expect-error there is no such event
signal.on("precense", () => {});
// @ts-expect-error one robot's video is viewed; watched are all of them
await signal.watch("demo");
// @ts-expect-error a command has two axes
session.drive({ x: 0 });
// @ts-expect-error a session comes from drive, view or takeOver
new Session();
