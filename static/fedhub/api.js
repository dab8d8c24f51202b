"use strict";

// The pages of the API. A form sends the JSON body that a program would send; the answer's page comes back, and its
// part with the answer takes the place of the old one.
const PAGE = "text/html,application/xhtml+xml";

// A control without a value means "any"; an empty parameter would find nothing.
function leaveOutEmptyFilters(form) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const name of new Set(formData.keys())) {
      const values = formData.getAll(name).filter((value) => value !== "");
      formData.delete(name);
      for (const value of values) formData.append(name, value);
    }
  });
}

const inShell = (text) => `'${text.replaceAll("'", `'"'"'`)}'`;

function shellCommand(form, body) {
  const lines = [`curl -s -X ${form.dataset.method}`, '-H "Authorization: Bearer $TOKEN"'];
  for (const [name, value] of Object.entries(headersOf(form))) lines.push(`-H ${inShell(`${name}: ${value}`)}`);
  if (body !== null) lines.push(`-H ${inShell("Content-Type: application/json")}`, `-d ${inShell(body)}`);
  return [...lines, inShell(form.action)].join(" \\\n  ");
}

function headersOf(form) {
  const chosen = [...form.querySelectorAll("[data-header]:checked")];
  return Object.fromEntries(chosen.map((box) => [box.dataset.header, box.value]));
}

// Returns the value of a field as JSON, undefined for a member to leave out.
function valueOf(field, isPresent) {
  const text = field.value;
  switch (field.dataset.kind) {
    case "flag": return field.checked ? true : isPresent ? false : undefined;
    case "lines": return text.trim() || isPresent ? text.split("\n").filter((line) => line !== "") : undefined;
    case "number": return text === "" ? undefined : Number(text);
    case "json": return text.trim() ? JSON.parse(text) : undefined;
    default: return text === "" && !field.required ? undefined : text;
  }
}

function fill(field, value) {
  const isText = ["text", "long", "number", "select"].includes(field.dataset.kind);
  field.setCustomValidity("");
  if (field.dataset.kind === "flag") field.checked = value === true;
  else if (value === undefined || value === null) field.value = "";
  else if (field.dataset.kind === "lines") field.value = [].concat(value).join("\n");
  else field.value = isText ? String(value) : JSON.stringify(value, null, 2);
}

// Keeps the fields, the body and the command in step. The body is what is sent.
function joinFieldsAndBody(form) {
  const area = form.querySelector("[data-body]");
  const fields = [...form.querySelectorAll("[data-member]")];
  const curl = form.querySelector("[data-curl]");
  const showCommand = () => { if (curl) curl.textContent = shellCommand(form, area ? area.value : null); };
  const read = () => {
    try {
      const body = JSON.parse(area.value.trim() || "{}");
      if (body === null || typeof body !== "object" || Array.isArray(body)) throw new Error("the body must be an object");
      area.setCustomValidity("");
      return body;
    } catch (error) {
      area.setCustomValidity(`This is not a JSON object: ${error.message}`);
      return null;
    }
  };
  const fillFields = () => {
    const body = read();
    if (body) for (const field of fields) fill(field, body[field.dataset.member]);
    showCommand();
  };
  const write = (field) => {
    const body = read();
    if (!body) return;
    try {
      const value = valueOf(field, field.dataset.member in body);
      if (value === undefined) delete body[field.dataset.member];
      else body[field.dataset.member] = value;
      field.setCustomValidity("");
      area.value = JSON.stringify(body, null, 2);
      showCommand();
    } catch (error) {
      field.setCustomValidity(`This is not JSON: ${error.message}`);
    }
  };
  for (const field of fields) field.addEventListener("input", () => write(field));
  for (const box of form.querySelectorAll("[data-header]")) box.addEventListener("input", showCommand);
  if (!area) return;
  area.addEventListener("input", fillFields);
  // A browser cannot show what is wrong with a control inside a closed fold.
  area.addEventListener("invalid", () => { area.closest("details").open = true; });
  form.querySelector("[data-example]")?.addEventListener("change", (event) => { area.value = event.target.value; fillFields(); });
  fillFields();
}

async function send(form) {
  const area = form.querySelector("[data-body]");
  const headers = { Accept: PAGE, "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content, ...headersOf(form) };
  if (area) headers["Content-Type"] = "application/json";
  const button = form.querySelector("[type=submit]");
  const state = form.querySelector("[data-state]");
  button.disabled = true;
  if (state) state.textContent = "The hub works on it …";
  try {
    const response = await fetch(form.action, { method: form.dataset.method, headers, body: area ? area.value || "{}" : undefined });
    show(await response.text(), response, form.dataset.method);
    if (state) state.textContent = "";
  } catch (error) {
    if (state) state.textContent = `The hub could not be reached: ${error.message}. Look at the object before you send it again.`;
  } finally {
    button.disabled = false;
  }
}

// Puts the answer into the page. An answer that is not a page, such as one of the front, is shown as its text.
function show(text, response, method) {
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  const found = isPage ? new DOMParser().parseFromString(text, "text/html").getElementById("answer") : null;
  const answer = found ? document.importNode(found, true) : plainAnswer(text, response);
  const old = document.getElementById("answer");
  if (old) old.replaceWith(answer); else document.getElementById("main").append(answer);
  if (response.ok && method !== "OPTIONS") answer.querySelector("h2").after(reloadNote());
  prepare(answer);
  answer.focus();
  answer.scrollIntoView();
}

// The forms of the page are from before the request: an object may be gone, or in another state.
function reloadNote() {
  const note = document.createElement("p");
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Load this page again";
  note.className = "note";
  note.append(link, " to see what the object is now. The actions below are from before this request.");
  return note;
}

function plainAnswer(text, response) {
  const answer = document.createElement("section");
  answer.id = "answer";
  answer.tabIndex = -1;
  const heading = document.createElement("h2");
  heading.textContent = `${response.status} ${response.statusText}`;
  const shown = document.createElement("pre");
  shown.textContent = text.slice(0, 100000);
  answer.append(heading, shown);
  return answer;
}

async function copy(button) {
  const shown = button.previousElementSibling;
  // Browsers give the clipboard only to pages on HTTPS or loopback; on other pages the text is selected.
  if (navigator.clipboard) await navigator.clipboard.writeText(shown.textContent);
  else getSelection().selectAllChildren(shown);
  button.textContent = navigator.clipboard ? "Copied" : "Selected";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

async function download() {
  const response = await fetch(location.href, { headers: { Accept: "application/json" } });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = `${location.pathname.split("/").filter(Boolean).at(-1)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function prepare(root) {
  for (const form of root.querySelectorAll("[data-filters]")) leaveOutEmptyFilters(form);
  for (const form of root.querySelectorAll("[data-action]")) {
    joinFieldsAndBody(form);
    form.querySelector("[type=submit]").disabled = false;
    form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  }
  for (const button of root.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
  for (const button of root.querySelectorAll("[data-download]")) button.addEventListener("click", download);
}

prepare(document);
