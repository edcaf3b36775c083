// The form of AskWidget. All text of the network is untrusted: it is set as textContent, and links lead to http(s) only.

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") element.textContent = value;
    else if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Control and formatting characters can change the direction of text or hide parts of it.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const LINE = 400, TEXT = 1200; // characters on display

function line(text, length = LINE) {
  const shown = String(text).slice(0, length).replace(UNPRINTABLE, " ");
  return String(text).length > length ? `${shown}…` : shown;
}

function prose(text) {
  return String(text).slice(0, TEXT).split("\n").map((one) => line(one, TEXT)).join("\n") + (String(text).length > TEXT ? "…" : "");
}

function safeLink(uri) {
  try {
    const parsed = new URL(uri);
    return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

function source(passage) {
  const title = line(passage.title || passage.uri);
  const href = safeLink(passage.uri);
  if (href) return make("a", { text: title, href, rel: "noopener noreferrer nofollow", target: "_blank" });
  return make("span", {}, make("span", { text: `${title} ` }), make("code", { text: line(passage.uri) }));
}

function facts(passage) {
  const { positive, negative, count } = passage.reliability;
  const mean = (1 + positive) / (2 + positive + negative);
  const similarity = (passage.scores.dense ?? 0).toFixed(2);
  return `node ${passage.provenance.node}, similarity ${similarity}, reliability ${mean.toFixed(2)} (${count} ratings)`;
}

function sentences(answer) {
  const said = make("p", { class: "knet-said" });
  for (const sentence of answer.sentences) {
    said.append(make("span", { text: line(sentence.text, TEXT) }));
    for (const citation of sentence.citations) said.append(make("sup", { text: `[${citation.passage + 1}]` }));
    said.append(" ");
  }
  if (!answer.sentences.length) said.textContent = line(answer.text, TEXT);
  return said;
}

function rating(model, passage, what) {
  const button = (value, text, label) =>
    make("button", {
      type: "button", text, "aria-label": label, title: label,
      onclick: () => model.send({ do: "rate", value, passage }),
    });
  return make("span", { class: "knet-rate" }, button(1, "+1", `${what} is right`), button(-1, "−1", `${what} is wrong`));
}

function passageItem(model, passage, number) {
  return make(
    "li",
    { value: number },
    source(passage),
    make("small", { text: ` ${facts(passage)} ` }),
    rating(model, number, `passage ${number}`),
    make("blockquote", { text: prose(passage.text), tabindex: "0" }),
  );
}

function nodeItem(node) {
  const detail = node.detail ? `, ${line(node.detail)}` : "";
  return make("li", { text: `${line(node.title) || `node ${node.node}`}: ${line(node.status)} in ${Math.round(node.milliseconds)} ms${detail}` });
}

function form(model) {
  const input = make("input", { type: "text", "aria-label": "Question", placeholder: "Ask the network", maxlength: "4096" });
  const button = make("button", { type: "submit", text: "Ask" });
  const element = make("form", { class: "knet-form" }, input, button);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!model.get("busy") && input.value.trim()) model.send({ do: "ask", question: input.value });
  });
  const question = () => { input.value = model.get("question"); };
  const busy = () => { button.disabled = model.get("busy"); };
  return { element, follow: { "change:question": question, "change:busy": busy } };
}

function region(model, names, properties, fill) {
  const element = make("div", properties);
  const update = () => element.replaceChildren(...fill());
  return { element, follow: Object.fromEntries(names.map((name) => [`change:${name}`, update])) };
}

function answerOf(model) {
  const answer = model.get("answer");
  if (!answer) return [];
  const passages = model.get("passages").map((passage, index) => passageItem(model, passage, index + 1));
  const act = (text, message) => make("button", { type: "button", text, onclick: () => model.send(message) });
  return [
    sentences(answer),
    make("p", { class: "knet-acts" },
      rating(model, null, "the answer"), act("Verify", { do: "verify" }), act("Put ratings on chain", { do: "flush" })),
    make("details", { open: "" }, make("summary", { text: `${passages.length} passages` }), make("ol", {}, ...passages)),
  ];
}

function nodesOf(model) {
  const nodes = model.get("nodes").filter((node) => node.status !== "skipped");
  if (!nodes.length) return [];
  const summary = make("summary", { text: `${nodes.length} nodes` });
  const open = model.get("busy") ? { open: "" } : {};
  return [make("details", open, summary, make("ul", {}, ...nodes.map(nodeItem)))];
}

function render({ model, el }) {
  const text = (name) => () => (model.get(name) ? [model.get(name)] : []);
  const parts = [
    form(model),
    region(model, ["message"], { class: "knet-message", role: "status", "aria-live": "polite" }, text("message")),
    region(model, ["error"], { class: "knet-error", role: "alert" }, text("error")),
    region(model, ["answer", "passages"], { class: "knet-answered" }, () => answerOf(model)),
    region(model, ["nodes", "busy"], { class: "knet-nodes" }, () => nodesOf(model)),
  ];
  const followed = parts.flatMap((part) => Object.entries(part.follow));
  for (const [event, update] of followed) {
    model.on(event, update);
    update();
  }
  el.classList.add("knet-widget");
  el.replaceChildren(...parts.map((part) => part.element));
  return () => followed.forEach(([event, update]) => model.off(event, update));
}

export default { render };
