// Suggestions for user and session fields. /suggestions reads the newest memories, since the API has no list of users or
// sessions. The note beside each field says how many memories it has read.

const answers = new Map();

function suggestions(form, kind) {
  const query = new URLSearchParams();
  const index = form.elements.index?.value.trim();
  const user = form.elements.user?.value;
  if (index) query.set("index", index);
  if (kind === "session") query.set("user", user);
  const address = `/suggestions?${query}`;
  if (!answers.has(address)) {
    const answer = fetch(address).then((response) => (response.ok ? response.json() : { values: [], note: "" }));
    answers.set(address, answer.catch(() => ({ values: [], note: "" })));
  }
  return answers.get(address);
}

const options = (values) =>
  values.map((value) => {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = value;
    return option;
  });

// Input fields offer the values as a native list while they are edited.
async function suggest({ target }) {
  const kind = target.dataset?.suggest;
  if (!kind || (kind === "session" && !target.form.elements.user.value)) return;
  const { values, note } = await suggestions(target.form, kind);
  target.list.replaceChildren(...options(values));
  target.closest(".field").querySelector(".note").textContent = note;
}
document.addEventListener("focusin", suggest);
// The field with autofocus has the focus before this script runs.
if (document.activeElement) suggest({ target: document.activeElement });

// Text areas have a select with a button that adds its value as a line.
async function fill(select) {
  const field = select.closest(".field");
  const user = select.form.elements.user.value;
  // Take up the space at once, so that the page below does not move when the values arrive.
  select.parentElement.hidden = !user;
  const { values, note } = user ? await suggestions(select.form, "session") : { values: [], note: "" };
  select.replaceChildren(...options(values));
  select.parentElement.hidden = !values.length;
  field.querySelector(".note").textContent = note;
}

for (const select of document.querySelectorAll("select[data-adds-to]")) {
  const area = document.getElementById(select.dataset.addsTo);
  const details = select.closest("details");
  select.nextElementSibling.addEventListener("click", () => {
    const lines = area.value.split("\n").filter((line) => line.trim());
    if (select.value && !lines.includes(select.value)) area.value = [...lines, select.value].join("\n");
  });
  const refresh = () => (!details || details.open) && fill(select);
  details?.addEventListener("toggle", refresh);
  select.form.elements.user.addEventListener("change", refresh);
  refresh();
}
