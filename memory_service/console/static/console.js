// Keyboard shortcut, short addresses, and links from errors to their fields.

// "/" focuses the search box, or opens the search page.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select")) return;
  event.preventDefault();
  const box = document.getElementById("q");
  if (box) {
    box.focus();
    box.select();
  } else {
    document.querySelector("nav a[href^='/search']")?.click();
  }
});

// Leave empty fields out of the address.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const name of new Set(event.formData.keys())) {
    if (event.formData.getAll(name).every((value) => !value.trim())) event.formData.delete(name);
  }
});

// A link to a field focuses it, and opens the <details> that contains it.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".problem a[href^='#']");
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  field.closest("details")?.setAttribute("open", "");
  (field.matches("fieldset") ? field.querySelector("input") : field).focus();
});
