
// Images on their way to the server and back.

const endpoint = (window.gradio_config?.root || location.origin).replace(/\/$/, "") + "/afloc/images";

// `source` is { file }, { example } or { set, row }; it is kept so that the image can be sent again if the server dropped it.
async function send(source) {
  const { file, ...named } = source, query = file ? "" : `?${new URLSearchParams(named)}`;
  const response = await fetch(endpoint + query, { method: "POST", body: file ?? "", headers: { "Content-Type": "application/octet-stream" } });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Refusal(problem.error || "The server could not take this image.");
  }
  return [JSON.parse(response.headers.get("X-AFLoc-Image")), response];
}

class Refusal extends Error {}

function forget(token) {
  fetch(`${endpoint}/${token}`, { method: "DELETE", keepalive: true }).catch(() => {});
}
