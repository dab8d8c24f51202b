// The form of a new federation shows the fields of the picked provider alone. Without this script it shows all.
document.addEventListener("DOMContentLoaded", () => {
  const picked = document.querySelector("select#id_provider_type");
  if (!picked) return;
  const names = JSON.parse(picked.dataset.fields || "{}");
  const rows = (name) => document.querySelectorAll(`.field-${name}`);
  const show = () => {
    for (const [provider, fields] of Object.entries(names)) {
      for (const name of fields) for (const row of rows(name)) row.hidden = provider !== picked.value;
    }
    for (const set of document.querySelectorAll("fieldset.module")) {
      const own = [...set.querySelectorAll("[class*='field-']")].filter((row) => /(^| )field-/.test(row.className));
      set.hidden = own.length > 0 && own.every((row) => row.hidden);
    }
  };
  picked.addEventListener("change", show);
  show();
});
