// What several scripts use. They all import it by this name: a module under two addresses would run twice.

let toastTimer = 0;

export function toast(text) {
  document.querySelector(".toast")?.remove();
  const box = document.createElement("div");
  box.className = "toast";
  box.setAttribute("role", "status");
  document.body.append(box);
  box.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.remove(), 2500);
}

export function isTyping(target) {
  return target.closest?.("input, textarea, select, dialog, [contenteditable]") !== null;
}

// What a refused request says, in words for a person.
export async function explain(reply) {
  if (reply.status === 401) return "You are signed out: reload the browser page to sign in again.";
  try {
    const problem = await reply.json();
    return [problem.title, problem.detail].filter(Boolean).join(": ");
  } catch {
    return `The server answers ${reply.status}.`;
  }
}
