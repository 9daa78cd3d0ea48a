// The answers side by side, and the table of questions: search, filters, sorting, a page at a time. Text of documents
// only ever becomes text nodes.
"use strict";
(() => {
  const SIZE = 25;
  const { routes, many, items } = JSON.parse(document.getElementById("items").textContent);
  let details = null; // the answers, parsed when they are first needed
  const answers = () => (details ??= JSON.parse(document.getElementById("details").textContent));
  const get = (id) => document.getElementById(id);
  const body = get("rows");
  let card = 0; // the question whose answers are shown, where there are many
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
    disagree: (item) => item.groups > 1,
    hopeless: (item) => Math.max(...item.scores) < 0.5,
    absent: (item) => item.unanswerable,
  };
  const KEYS = {
    place: (item, place) => place,
    question: (item) => item.question.toLowerCase(),
    diffusion: (item) => item.diffusion ?? -1,
    scope: (item) => item.scope ?? -1,
  };
  const found = (status) => status === "answered" || status === "contradictory";
  routes.forEach((name, at) => (KEYS["route-" + at] = (item) => item.scores[at] ?? Number(found(item.statuses[at]))));

  const text = (item, place) =>
    [item.id, item.question, answers()[place].gold, ...answers()[place].routes.map((route) => (route ? route.text : ""))]
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
    const answered = found(status);
    if (score === null) return { sign: answered ? "answered" : "nothing", word: answered ? "answered" : "nothing", style: "sa" };
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
    const box = make("td", { colSpan: routes.length + 3 }, ...sideBySide(place));
    return make("tr", { className: "detail", id }, box);
  }

  // What every route answers to a question: groups that agree, then a table of what each read and took.
  function sideBySide(place) {
    const details = answers()[place];
    const facts = [`${number(details.tokens)} tokens of documents`, details.gold && `right answer: ${details.gold}`];
    return [
      make("p", { className: "note" }, facts.filter(Boolean).join(" · ")),
      ...details.groups.map((group) => groupBox(group, details)),
      costTable(details),
    ];
  }

  function groupBox(group, details) {
    const box = make("div", { className: "group" }, make("h4", {}, group.title));
    for (const said of group.said) box.append(routeAnswer(said, details));
    return box;
  }

  function routeAnswer(said, details) {
    const answer = details.routes[said[0]];
    const names = make("p", { className: "names" });
    for (const at of said) {
      const { label, verdict, evidence } = details.routes[at];
      const name = make("span", { className: "name" }, label);
      if (at === details.choice) name.append(make("span", { className: "choice" }, "the router's choice"));
      if (verdict && details.metric !== "judge") {
        name.append(make("span", { className: { right: "s1", wrong: "s0" }[verdict] ?? "sa" }, verdict));
      }
      if (evidence) name.append(make("span", { className: "sa" }, `evidence read ${Math.round(evidence.read * 100)}%`));
      names.append(name);
    }
    const box = make("div", { className: "route-answer" }, names);
    box.append(make("p", { className: answer.answered ? "answer" : "note" }, answer.text));
    const list = make("ol");
    for (const citation of answer.citations) {
      const passage = details.passages[citation.passage];
      const quote = make("blockquote", {},
        passage.text.slice(0, passage.start),
        make("mark", {}, passage.text.slice(passage.start, passage.end)),
        passage.text.slice(passage.end));
      list.append(make("li", {}, make("details", {}, make("summary", {}, citation.place), quote)));
    }
    if (answer.citations.length) box.append(list);
    return box;
  }

  function costTable(details) {
    const head = ["route", ...details.costs.heads].map((name) => make("th", { scope: "col" }, name));
    const rows = details.costs.rows.map(([at, cells]) =>
      make("tr", { className: at === details.choice ? "router" : "" },
        make("th", { scope: "row" }, `${at === details.choice ? "* " : ""}${routes[at]}`),
        ...cells.map((cell) => make("td", {}, cell))));
    const table = make("table", { className: "sticky" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
    return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "What each route read and took" }, table);
  }

  function cards() {
    const places = many ? [card] : items.map((_, place) => place);
    get("cards").replaceChildren(...places.map((place) => {
      const title = items.length > 1 ? `${place + 1}. ${items[place].question}` : items[place].question;
      return make("article", { className: "card" }, make("h3", {}, title), ...sideBySide(place));
    }));
    if (!many) return;
    get("shown").textContent = `Question ${number(card + 1)} of ${number(items.length)}`;
    get("previous").disabled = card === 0;
    get("next").disabled = card + 1 === items.length;
  }

  cards();
  if (many) {
    get("previous").addEventListener("click", () => { card -= 1; cards(); });
    get("next").addEventListener("click", () => { card += 1; cards(); });
    watchTable();
  }
  document.documentElement.dataset.ready = "true";

  function watchTable() {
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
  }
})();
