/**
 * A page of the form before the channel `drive`, as a function for a real browser: it opens `control`
 * alone, and its commands prove nothing. `page.answers` has what the robot said of each, and when.
 */
([url, token, robotId]) =>
  new Promise((resolve, reject) => {
    const page = (window.page = { answers: [], n: 0 });
    const socket = new WebSocket(url, ["robosignal.v1", `bearer.${token}`]);
    const peer = new RTCPeerConnection();
    const channel = peer.createDataChannel("control", { ordered: true });
    peer.addTransceiver("video", { direction: "recvonly" });

    page.drive = (y) => {
      page.n += 1;
      channel.send(JSON.stringify({ type: "command", n: page.n, drive: { x: 0, y } }));
      return page.n;
    };
    /** 20 commands a second, for so long. */
    page.hold = async (y, ms) => {
      for (const until = performance.now() + ms; performance.now() < until;) {
        page.drive(y);
        await new Promise((next) => setTimeout(next, 50));
      }
    };
    channel.onopen = () => resolve();
    channel.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "done" || message.type === "refused")
        page.answers.push({ ...message, at: performance.now() });
    };
    peer.onicegatheringstatechange = () => {
      if (peer.iceGatheringState !== "complete") return;
      const { type, sdp } = peer.localDescription;
      const offer = { type: "offer", id: "1", robotId, role: "controller", pcId: "pc-old" };
      socket.send(JSON.stringify({ ...offer, payload: { type, sdp } }));
    };
    socket.onopen = () => socket.send(JSON.stringify({ type: "ready", protocol: 1 }));
    socket.onmessage = async ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "welcome") await peer.setLocalDescription();
      if (frame.type === "answer") await peer.setRemoteDescription(frame.payload);
      if (frame.type === "error") reject(new Error(frame.message));
    };
  });
