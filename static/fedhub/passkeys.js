// Asks the browser for a passkey when a form with data-passkey is sent, and puts the answer into the form.
"use strict";

const toBytes = text => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, letter => letter.charCodeAt(0));
};

const toText = buffer => {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

const withBytes = credentials => (credentials ?? []).map(each => ({ ...each, id: toBytes(each.id) }));

const askBrowser = async (way, options) => {
  options.challenge = toBytes(options.challenge);
  if (way === "create") {
    options.user.id = toBytes(options.user.id);
    options.excludeCredentials = withBytes(options.excludeCredentials);
    return navigator.credentials.create({ publicKey: options });
  }
  options.allowCredentials = withBytes(options.allowCredentials);
  return navigator.credentials.get({ publicKey: options });
};

const asJson = credential => {
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const given = parts.filter(part => credential.response[part]);
  return JSON.stringify({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    response: Object.fromEntries(given.map(part => [part, toText(credential.response[part])])),
  });
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const problem = form.querySelector("[data-passkey-error]");
    problem.hidden = true;
    try {
      const credential = await askBrowser(form.dataset.passkey, JSON.parse(form.dataset.options));
      form.elements.passkey.value = asJson(credential);
      form.submit();
    } catch (error) {
      // The browser gives no reason to a page, so that the page learns nothing of the person's other passkeys.
      problem.textContent = error.name === "InvalidStateError"
        ? "This device is set up already. Use another one."
        : "The browser gave no passkey. Try again, or use another way.";
      problem.hidden = false;
    }
  });
}
