/* Sends one file as the raw body of a PUT request and reports what happens. */
export function put(file, { url, token, language, path, onProgress }) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (e) => onProgress(e.total ? Math.min(e.loaded / e.total, 0.99) : 0);
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText || "{}"); } catch { /* an answer of a proxy, not ours */ }
      if (request.status >= 200 && request.status < 300) resolve(answer);
      else reject({ message: answer.message || "", status: request.status });
    };
    request.onerror = () => reject({ message: "", status: 0 });
    request.onabort = () => reject({ aborted: true });
  });
  const query = `${url.includes("?") ? "&" : "?"}name=${encodeURIComponent(file.name)}${path ? `&path=${encodeURIComponent(path)}` : ""}`;
  request.open("PUT", `${window.path_prefix || ""}${url}${query}`);
  request.setRequestHeader("X-CSRF-Token", token);
  request.setRequestHeader("Accept-Language", language);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(file);
  return { done, cancel: () => request.abort() };
}

export function size(bytes, language) {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes, unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value.toLocaleString(language, { maximumFractionDigits: value < 10 && unit ? 1 : 0 })} ${units[unit]}`;
}
