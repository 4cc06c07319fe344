// An event queue on the wire: events are reported as they happen, and a lost connection is restored.
const SETTLE = 1000; // Events that arrive together are reported together, and no queue is asked more often.
const LONGEST_PAUSE = 30_000;
const LONGEST_POLL = 90_000; // The server answers sooner, with a heartbeat if nothing happens.
const TYPES = ["message", "update_message", "delete_message", "reaction", "subscription", "stream"];

const sleep = (time) => new Promise((done) => { setTimeout(done, time); });

/** The token that a change must send; each page has it in its forms. */
export function token() {
  return document.querySelector("input[name=csrfmiddlewaretoken]").value;
}

async function call(method, path, fields, options) {
  const body = new URLSearchParams(fields);
  const isGet = method === "GET";
  const response = await fetch(isGet ? `/json/${path}?${body}` : `/json/${path}`, {
    method,
    cache: "no-store",
    ...(isGet ? {} : { body, headers: { "X-CSRFToken": token() } }),
    ...options,
  });
  if (response.status === 401) window.location.reload(); // The sign-in page follows.
  const answer = await response.json();
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.msg), { code: answer.code, wait: 1000 * response.headers.get("Retry-After") });
}

/** Call `onEvents` now and whenever something may have changed, and `onState` with whether there is a connection. */
export function follow(onEvents, onState) {
  const stop = new AbortController();
  window.addEventListener("pagehide", () => stop.abort(), { once: true });
  window.addEventListener("pageshow", (event) => { if (event.persisted) follow(onEvents, onState); }, { once: true });
  run(onEvents, onState, stop.signal);
}

async function run(onEvents, onState, stop) {
  let queue = null;
  let pause = SETTLE;
  stop.addEventListener("abort", () => {
    if (queue) call("DELETE", "events", { queue_id: queue.id }, { keepalive: true }).catch(() => {});
  });
  while (!stop.aborted) {
    try {
      if (queue === null) {
        queue = await register(stop);
        onEvents();
      }
      onState(true);
      const events = await poll(queue, stop);
      pause = SETTLE;
      queue.last = Math.max(queue.last, ...events.map((event) => event.id));
      if (events.some((event) => event.type !== "heartbeat")) onEvents();
      await sleep(SETTLE);
    } catch (problem) {
      if (stop.aborted) return;
      if (problem.code === "BAD_EVENT_QUEUE_ID") {
        queue = null;
        continue;
      }
      onState(false);
      await Promise.race([sleep(problem.wait || pause), online(stop)]);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }
}

async function register(stop) {
  const answer = await call("POST", "register", {
    event_types: JSON.stringify(TYPES),
    fetch_event_types: JSON.stringify(["message"]),
    all_public_streams: "true",
  }, { signal: stop });
  return { id: answer.queue_id, last: answer.last_event_id };
}

/** The next events. A connection without an answer ends after a while, or at once if the browser knows that it is offline. */
async function poll(queue, stop) {
  const cut = new AbortController();
  const end = () => cut.abort();
  window.addEventListener("offline", end, { signal: cut.signal });
  const signal = AbortSignal.any([stop, cut.signal, AbortSignal.timeout(LONGEST_POLL)]);
  try {
    return (await call("GET", "events", { queue_id: queue.id, last_event_id: queue.last }, { signal })).events;
  } finally {
    cut.abort();
  }
}

function online(stop) {
  return new Promise((done) => {
    window.addEventListener("online", done, { once: true, signal: stop });
  });
}
