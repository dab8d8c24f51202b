// The form of a new federation shows the fields of the picked provider alone. Without this script it shows all.
document.addEventListener("DOMContentLoaded", () => {
  const picked = document.querySelector("select#id_provider_type");
  if (!picked) return;
  const ofProviders = Object.entries(JSON.parse(picked.dataset.fields || "{}"));
  const show = () => {
    for (const [provider, fields] of ofProviders) {
      const parts = [`.fedhub-of-${provider}`, ...fields.map((name) => `.field-${name}`)].join(", ");
      for (const part of document.querySelectorAll(parts)) part.hidden = provider !== picked.value;
    }
  };
  picked.addEventListener("change", show);
  show();
});
