// The URLs of Zulip's own settings, as in instructions and bookmarks, lead to the pages here.
const PAGES = {
  "#settings": "/settings/account/",
  "#settings/profile": "/settings/account/",
  "#settings/account-and-privacy": "/settings/account/",
  "#settings/your-bots": "/settings/bots/",
  "#organization": "/organization/users/",
  "#organization/users": "/organization/users/",
  "#organization/users/active": "/organization/users/",
  "#organization/users/deactivated": "/organization/users/?status=deactivated",
  "#organization/users/invitations": "/organization/invitations/",
  "#organization/bots": "/organization/bots/",
  "#organization/bots/your-bots": "/settings/bots/",
  "#organization/bots/all-bots": "/organization/bots/",
  "#organization/organization-profile": "/organization/profile/",
  "#organization/organization-permissions": "/organization/policies/",
};

/** Go to the page that the URL's fragment stands for, if there is one. */
export function leadOn() {
  const page = PAGES[window.location.hash.replace(/\/$/, "")] ?? placeOf(window.location.hash);
  if (page) window.location.replace(page);
}

/** The page of the channel, topic or conversation that a Zulip URL names. */
function placeOf(hash) {
  const found = hash.match(/^#narrow\/(channel|stream|dm|pm-with)\/([\d,]+)[^/]*(?:\/(?:topic|subject)\/([^/]*))?/);
  if (!found) return null;
  const [, kind, ids, topic] = found;
  const query = new URLSearchParams(kind === "dm" || kind === "pm-with" ? { with: ids } : { channel: ids });
  if (topic !== undefined) query.set("topic", decodeURIComponent(topic.replaceAll(".", "%")));
  return `/messages/?${query}`;
}

window.addEventListener("hashchange", leadOn);
