
// Images on their way to the server and back.

const endpoint = (window.gradio_config?.root || location.origin).replace(/\/$/, "") + "/afloc/images";

// `source` is { file }, { example } or { set, row }; it is kept so that the image can be sent again if the server dropped it.
async function send(source) {
  const { file, ...named } = source, query = file ? "" : `?${new URLSearchParams(named)}`;
  await file?.slice(0, 1).arrayBuffer().catch(() => { throw new Refusal("The file was moved or changed: please open it again."); });
  const response = await fetch(endpoint + query, { method: "POST", body: file ?? "", headers: { "Content-Type": "application/octet-stream" } });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Refusal(problem.error || "The server could not take this image.");
  }
  return [JSON.parse(response.headers.get("X-AFLoc-Image")), response];
}

// Gives `image`, { token, source, … }, a new token where the server had dropped it; once for all who ask for that meanwhile.
async function sendAgain(image) {
  image.sending ??= send(image.source).then(([{ token }]) => { image.token = token; }).finally(() => { image.sending = null; });
  await image.sending;
}

// The same for an image that is asked about, unless another one is shown by then: that one the server need not keep.
async function renew(image, isShown) {
  await sendAgain(image);
  if (!isShown()) forget(image.token);
}

// What the server answers to `ask(token)` about the image shown, which is sent again where it had been dropped.
async function askAbout(image, isShown, ask) {
  const reply = await ask(image.token);
  if (!reply.gone || !isShown()) return reply;
  await renew(image, isShown);
  return ask(image.token);
}

class Refusal extends Error {}

function forget(token) {
  fetch(`${endpoint}/${token}`, { method: "DELETE", keepalive: true }).catch(() => {});
}
