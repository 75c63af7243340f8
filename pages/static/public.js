/* The forms of the pages for people who are not signed in. */
const base = document.documentElement.dataset.base;
const message = document.getElementById("message");

function say(text, field, form) {
  message.textContent = text;
  message.className = "note bad";
  message.hidden = false;
  for (const input of form.querySelectorAll("input, select")) input.removeAttribute("aria-invalid");
  const wrong = field && form.elements[field];
  if (wrong) { wrong.setAttribute("aria-invalid", "true"); wrong.focus(); }
}

async function post(url, data, failed) {
  let response;
  try {
    response = await fetch(base + url, {
      method: "POST", body: JSON.stringify(data), credentials: "same-origin",
      headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
    });
  } catch { throw { message: failed }; }
  if (response.ok) return response.status === 204 ? null : response.json();
  let answer = {};
  try { answer = await response.json(); } catch { /* not ours */ }
  const reference = answer.request_id && response.status >= 500 ? ` (${answer.request_id})` : "";
  throw { message: (answer.message || failed) + reference, field: answer.field };
}

function handle(form, work) {
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button.main"), label = button.textContent;
    button.disabled = true;
    button.textContent = button.dataset.busy;
    try {
      await work(Object.fromEntries(new FormData(form)));
    } catch (error) {
      say(error.message, error.field, form);
      button.disabled = false;
      button.textContent = label;
    }
  });
}

const [signIn, setUp, provider, choosePassword, forgotten] =
  ["sign-in", "set-up", "provider", "choose-password", "forgotten"].map((id) => document.getElementById(id));

handle(signIn, async ({ email, password }) => {
  await post("/auth/sign-in", { email, password }, signIn.dataset.failed);
  window.location.assign(base + signIn.dataset.next);
});

handle(provider, async ({ organisation = "" }) => {
  const next = provider.dataset.next;
  const { url } = await post("/auth/oidc/start", { organisation, next }, provider.dataset.failed);
  window.location.assign(url);
});

handle(setUp, async (entered) => {
  await post("/set-up", entered, setUp.dataset.failed);
  await post("/auth/sign-in", { email: entered.email, password: entered.password }, setUp.dataset.failed);
  window.location.assign(`${base}/welcome`);
});

handle(choosePassword, async ({ email, ...entered }) => {
  await post("/auth/account-link", entered, choosePassword.dataset.failed);
  await post("/auth/sign-in", { email, password: entered.password }, choosePassword.dataset.failed);
  window.location.assign(`${base}/`);
});

handle(forgotten, async (entered) => {
  await post("/auth/forgotten-password", entered, forgotten.dataset.failed);
  message.textContent = forgotten.dataset.sent;
  message.className = "note ok";
  message.hidden = false;
  forgotten.hidden = true;
});
