/*
 * Says why the console does not start, in browsers that cannot run its modules: no syntax after ES5
 * here. For other pages `connect` makes the same check, with the same sentence.
 */

(function () {
  "use strict";

  var OLD =
    "This browser is too old for robosignal: it lacks LACKS. Use Chrome or Edge 100, Firefox 113, Safari 15.4, or a later version of these.";
  var UNLOADED =
    "The console could not be loaded. Reload the page; if it is in a frame of another page, open it in its own tab.";

  /** What the console needs, and old browsers lack. */
  function lacks() {
    var peer = window.RTCPeerConnection;
    if (!("noModule" in document.createElement("script"))) return "JavaScript modules";
    if (!("hasOwn" in Object)) return "Object.hasOwn";
    if (!window.AbortSignal || !("throwIfAborted" in AbortSignal.prototype))
      return "AbortSignal.throwIfAborted";
    if (peer && !("connectionState" in peer.prototype)) return "RTCPeerConnection.connectionState";
    return "";
  }

  /**
   * @param {string} words
   */
  function say(words) {
    var notice = document.getElementById("notice");
    if (!notice)
      return document.addEventListener("DOMContentLoaded", function () {
        say(words);
      });
    notice.setAttribute("data-tone", "bad");
    notice.textContent = words;
  }

  var lacking = lacks();
  if (lacking) say(OLD.replace("LACKS", lacking));
  // A script that fails to load fires an error at its own element only, so listen in the capture phase.
  document.addEventListener(
    "error",
    function (event) {
      if (event.target instanceof HTMLScriptElement && !lacking) say(UNLOADED);
    },
    true
  );
})();
