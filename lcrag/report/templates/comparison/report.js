// The table of questions: search, filters, sorting, a page at a time. Text of documents only ever becomes text nodes.
"use strict";
(() => {
  const SIZE = 25;
  const { routes, items } = JSON.parse(document.getElementById("items").textContent);
  let details = null; // the answers, parsed when they are first needed
  const answers = () => (details ??= JSON.parse(document.getElementById("details").textContent));
  const get = (id) => document.getElementById(id);
  const body = get("rows");
  let order = items.map((_, place) => place);
  let page = 0;
  let sorted = { key: "place", down: false };

  const make = (name, properties = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in element) element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const number = (value) => (value === null ? "–" : value.toLocaleString("en"));
  const router = routes.indexOf("router");
  const others = (item) => item.scores.filter((_, at) => at !== router);

  const FILTERS = {
    all: () => true,
    wrong: (item) => item.scores[router] < 0.5,
    right: (item) => item.scores[router] >= 0.5,
    regret: (item) => Math.max(...others(item)) > item.scores[router],
    disagree: (item) => Math.max(...item.scores) - Math.min(...item.scores) >= 0.5,
    hopeless: (item) => Math.max(...item.scores) < 0.5,
    absent: (item) => item.unanswerable,
  };
  const KEYS = {
    place: (item, place) => place,
    question: (item) => item.question.toLowerCase(),
    diffusion: (item) => item.diffusion ?? -1,
    scope: (item) => item.scope ?? -1,
  };
  routes.forEach((name, at) => (KEYS["route-" + at] = (item) => item.scores[at] ?? -1));

  const text = (item, place) =>
    [item.id, item.question, item.gold.join(" "), ...answers()[place].routes.map((route) => route.answer || "")]
      .join("\n")
      .toLowerCase();

  function choose() {
    const wanted = get("search").value.trim().toLowerCase();
    const keep = FILTERS[get("filter").value];
    const source = get("source") ? get("source").value : "";
    const key = KEYS[sorted.key];
    order = items
      .map((_, place) => place)
      .filter((place) => keep(items[place]) && (!source || items[place].dataset === source))
      .filter((place) => !wanted || text(items[place], place).includes(wanted));
    const sign = sorted.down ? -1 : 1;
    order.sort((a, b) => {
      const left = key(items[a], a), right = key(items[b], b);
      return left < right ? -sign : left > right ? sign : a - b;
    });
    page = 0;
    show();
  }

  function show() {
    const shown = order.slice(page * SIZE, (page + 1) * SIZE);
    body.replaceChildren(...shown.map(row));
    const first = order.length ? page * SIZE + 1 : 0;
    get("count").textContent = `${number(first)}–${number(page * SIZE + shown.length)} of ${number(order.length)}`;
    get("before").disabled = page === 0;
    get("after").disabled = (page + 1) * SIZE >= order.length;
    document.querySelectorAll(".questions th[data-key]").forEach((th) => {
      const mine = th.dataset.key === sorted.key;
      th.setAttribute("aria-sort", mine ? (sorted.down ? "descending" : "ascending") : "none");
    });
  }

  function mark(score, status) {
    const answered = status === "answered" || status === "contradictory";
    if (score === null) return { sign: answered ? "answered" : "nothing", word: "not scored", style: "sa" };
    const style = score >= 0.5 ? "s1" : "s0";
    const sign = score === 1 ? "●" : score === 0 ? (answered ? "○" : "–") : score.toFixed(2);
    return { sign, word: score === 1 ? "right" : score === 0 ? (answered ? "wrong" : "nothing found") : "", style };
  }

  function row(place) {
    const item = items[place];
    const id = "detail-" + place;
    const open = make("button", { type: "button", className: "open", "aria-expanded": "false", "aria-controls": id });
    open.append(make("span", {}, item.question));
    const cells = routes.map((name, at) => {
      const { sign, word, style } = mark(item.scores[at], item.statuses[at]);
      const cell = make("td", { "data-label": name }, make("span", { className: style, "aria-hidden": "true" }, sign));
      cell.append(make("span", { className: "vh" }, `${word} ${item.scores[at] ?? ""}`));
      return cell;
    });
    const line = make("tr", {}, make("td", {}, open));
    line.append(
      make("td", { "data-label": "diffusion", className: "weak" }, item.diffusion === null ? "–" : item.diffusion.toFixed(2)),
      make("td", { "data-label": "scope", className: "weak" }, number(item.scope)),
      ...cells,
    );
    open.addEventListener("click", () => {
      const opened = open.getAttribute("aria-expanded") === "true";
      open.setAttribute("aria-expanded", String(!opened));
      if (opened) get(id).remove();
      else line.after(detail(place, id));
    });
    return line;
  }

  function detail(place, id) {
    const item = items[place];
    const details = answers()[place];
    const gold = item.unanswerable ? "There is no answer in the documents." : item.gold.join("  ·  ") || "no gold answer";
    const box = make("td", { colSpan: routes.length + 3 });
    box.append(make("p", { className: "note" }, `${item.id} · scored by ${item.metric} · ${number(item.tokens)} tokens of documents`));
    box.append(make("p", {}, make("strong", {}, "Gold: "), gold));
    routes.forEach((name, at) => box.append(routeAnswer(name, at, item, details)));
    return make("tr", { className: "detail", id }, box);
  }

  function routeAnswer(name, at, item, details) {
    const answer = details.routes[at];
    const { word, sign } = mark(item.scores[at], item.statuses[at]);
    const facts = [
      word || `score ${sign}`,
      item.statuses[at].replaceAll("_", " "),
      answer.plan,
      `${number(answer.input_tokens)} tokens`,
      `${answer.seconds.toFixed(2)} s`,
      answer.predicted === null ? "" : `P(correct) ${answer.predicted.toFixed(2)}`,
      answer.evidence ? `evidence read ${Math.round(answer.evidence.read * 100)}%` : "",
      answer.verdict ? `judged ${answer.verdict}` : "",
    ].filter(Boolean);
    const head = make("h4", {}, name, ...facts.map((fact) => make("span", {}, fact)));
    const box = make("div", { className: "route-answer" }, head);
    if (answer.same_as) {
      box.append(make("p", { className: "note" }, `The same plan as ${answer.same_as}, and so the same answer.`));
      return box;
    }
    if (answer.answer) box.append(make("p", { className: "answer" }, answer.answer));
    const list = make("ol");
    for (const citation of answer.citations) {
      const passage = details.passages[citation.passage];
      const where = citation.page !== null ? `p. ${citation.page}` : citation.line !== null ? `line ${citation.line}` : "";
      list.append(
        make("li", {},
          make("span", { className: "note" }, `[${citation.marker}] ${citation.source} ${where}`),
          make("blockquote", {},
            passage.text.slice(0, passage.start),
            make("mark", {}, passage.text.slice(passage.start, passage.end)),
            passage.text.slice(passage.end))),
      );
    }
    if (answer.citations.length) box.append(list);
    return box;
  }

  let timer = 0;
  get("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(choose, 120);
  });
  get("filter").addEventListener("change", choose);
  if (get("source")) get("source").addEventListener("change", choose);
  const turn = (by) => { page += by; show(); get("questions").scrollIntoView(); };
  get("before").addEventListener("click", () => turn(-1));
  get("after").addEventListener("click", () => turn(1));
  document.querySelectorAll(".questions th[data-key] .sort").forEach((button) => {
    button.addEventListener("click", () => {
      const key = button.parentElement.dataset.key;
      sorted = { key, down: sorted.key === key ? !sorted.down : key.startsWith("route-") };
      choose();
    });
  });
  show();
  document.documentElement.dataset.ready = "true";
})();
