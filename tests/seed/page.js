/**
 * A strict page of the seed's, as a function for a real browser. It says what the seed's pages said:
 * `ready`, an `offer` and each `candidate` as an object; it reads `answer` and `candidate` at the top
 * level, and closes its video with its socket. What it cannot use is kept in `page.faults`, what it
 * does not know in `page.unknown`.
 */
([url, token, robotId, takesOver]) => {
  const page = (window.page = { faults: [], unknown: [], errors: [], locked: null, added: 0, closed: false });
  const fault = (what) => (error) => page.faults.push(`${what}: ${error}`);
  const video = document.body.appendChild(document.createElement("video"));
  Object.assign(video, { muted: true, autoplay: true });
  const socket = new WebSocket(`${url}?token=${encodeURIComponent(token)}`);
  const say = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  let peer = null;

  async function begin(from) {
    peer = new RTCPeerConnection();
    page.peer = peer;
    peer.onicecandidate = ({ candidate }) => candidate && say({ type: "candidate", from, to: robotId, candidate });
    peer.ontrack = ({ streams }) => (video.srcObject = streams[0]);
    page.channel = peer.createDataChannel("control");
    peer.addTransceiver("video", { direction: "recvonly" });
    await peer.setLocalDescription(await peer.createOffer());
    if (takesOver) say({ type: "takeover", robotId });
    say({ to: robotId, from, type: "offer", sdp: peer.localDescription.sdp });
  }

  socket.onopen = () => say({ type: "ready" });
  socket.onclose = () => {
    peer?.close();
    page.closed = true;
  };
  socket.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "welcome") return begin(message.connectionId);
    if (message.type === "error") return page.errors.push({ error: message.error, message: message.message });
    if (message.type === "session-locked") return (page.locked = message);
    if (message.type === "answer" && message.sdp) {
      return peer.setRemoteDescription({ type: "answer", sdp: message.sdp }).catch(fault("answer"));
    }
    if (message.type === "candidate" && message.candidate) {
      try {
        await peer.addIceCandidate(new RTCIceCandidate(message.candidate));
        page.added += 1;
      } catch (error) {
        fault("candidate")(error);
      }
      return;
    }
    page.unknown.push(message.type);
  };
}
