// What the pages do beyond what the browser does by itself.

// "/" goes to the search box, or to the page that has one.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea")) return;
  event.preventDefault();
  const box = document.getElementById("q");
  if (box) {
    box.focus();
    box.select();
  } else {
    document.querySelector("nav a[href^='/search']")?.click();
  }
});

// Addresses of pages hold what was filled in, and no empty fields.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const name of new Set(event.formData.keys())) {
    if (event.formData.getAll(name).every((value) => !value.trim())) event.formData.delete(name);
  }
});

// A link to a field goes into it, wherever it is folded away.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".problem a[href^='#']");
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  field.closest("details")?.setAttribute("open", "");
  (field.matches("fieldset") ? field.querySelector("input") : field).focus();
});
