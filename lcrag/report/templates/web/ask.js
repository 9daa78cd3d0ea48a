// What documents say is only ever put into text nodes. The one piece of HTML that is taken, the plan, is made by the
// server from escaped text, and the page's policy lets no other script run.
"use strict";
const at = (id) => document.getElementById(id);
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function post(path, body) {
  const reply = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${sessionStorage.getItem("token") || ""}` },
    body: JSON.stringify(body),
  });
  if (reply.ok) return reply;
  at("token-field").hidden = reply.status !== 401;
  const said = await reply.json();
  const error = said.error || said;
  throw new Error(error.hint ? `${error.message}: ${error.hint}` : error.message);
}

async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) if (part !== "data: [DONE]") yield JSON.parse(part.slice("data: ".length));
  }
}

function place(citation) {
  const where = citation.page ? ` p. ${citation.page}` : citation.line ? `:${citation.line}` : "";
  return `${citation.source}${where}${citation.part ? ` (${citation.part})` : ""}`;
}

async function toggle(citation) {
  const source = at(`source-${citation.marker}`);
  const button = source.querySelector("button");
  const open = source.querySelector("blockquote");
  button.setAttribute("aria-expanded", String(!open));
  if (open) return open.remove();
  const passage = source.appendChild(element("blockquote", "…"));
  try {
    const reply = await post("/show", { place: `${citation.source}:${citation.start}-${citation.end}` });
    const shown = await reply.json();
    passage.replaceChildren(shown.before, element("mark", shown.quote), shown.after);
  } catch (error) {
    passage.textContent = error.message;
  }
  source.scrollIntoView({ block: "nearest" });
}

function showAnswer(value) {
  const known = new Map(value.citations.map((citation) => [String(citation.marker), citation]));
  if (value.status === "answered" || value.status === "contradictory") {
    const pieces = value.answer.split(/(\[\d+\])/).map((piece) => {
      const citation = /^\[\d+\]$/.test(piece) && known.get(piece.slice(1, -1));
      if (!citation) return piece;
      const marker = element("button", piece);
      marker.title = place(citation);
      marker.addEventListener("click", () => toggle(citation));
      return marker;
    });
    at("said").replaceChildren(...pieces);
  }
  at("sources").replaceChildren(
    ...value.citations.map((citation) => {
      const source = element("li", "", "source");
      source.id = `source-${citation.marker}`;
      const button = element("button", `[${citation.marker}] ${place(citation)}`);
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => toggle(citation));
      source.append(button, element("span", `“${citation.quote}”`, "quote"));
      return source;
    }),
  );
  at("cited").hidden = !value.citations.length;
  const usage = value.usage;
  const unsupported = value.statements.filter((statement) => !statement.supported).length;
  at("note").textContent =
    `${value.steps.map((step) => step.pipeline).join(", then ")}: ${usage.input_tokens.toLocaleString("en")} tokens read, ` +
    `${usage.calls} ${usage.calls === 1 ? "call" : "calls"}, ${usage.seconds.toFixed(2)} s` +
    (unsupported ? `. ${unsupported} of ${value.statements.length} sentences without support in the documents` : "");
}

async function ask(question, prefer) {
  const options = prefer ? { prefer } : {};
  const planned = post("/plan/view", { question, ...options }).then(async (reply) => {
    at("plan").innerHTML = await reply.text();
    at("planned").hidden = false;
  });
  planned.catch(() => {}); // the answer's error says the same
  const body = { model: "lcrag", stream: true, messages: [{ role: "user", content: question }], ...options };
  for await (const event of events(await post("/v1/chat/completions", body))) {
    if (event.error) throw new Error(event.error.message);
    const [choice] = event.choices;
    if (choice.delta.content) at("said").append(choice.delta.content);
    if (event.lcrag) showAnswer(event.lcrag);
  }
  await planned;
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (at("token").value) sessionStorage.setItem("token", at("token").value);
  for (const id of ["cited", "planned"]) at(id).hidden = true;
  at("answer").hidden = false;
  at("said").textContent = "";
  at("note").textContent = "reading …";
  at("note").className = "quiet";
  at("send").disabled = true;
  try {
    await ask(at("question").value, at("prefer").value);
  } catch (error) {
    at("note").textContent = error.message;
    at("note").className = "wrong";
  }
  at("send").disabled = false;
});
at("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    at("ask").requestSubmit();
  }
});
document.documentElement.dataset.ready = "true";
