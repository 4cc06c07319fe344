// The addresses of Zulip's own settings, which instructions and bookmarks name, lead to the pages of ours.
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

/** Go where the fragment of this page's address means, if it means something. */
export function leadOn() {
  const page = PAGES[window.location.hash.replace(/\/$/, "")] ?? placeOf(window.location.hash);
  if (page) window.location.replace(page);
}

/** The page of a channel, topic or conversation that an address of Zulip's names. */
function placeOf(hash) {
  const found = hash.match(/^#narrow\/(channel|stream|dm|pm-with)\/([\d,]+)[^/]*(?:\/(?:topic|subject)\/([^/]*))?/);
  if (!found) return null;
  const [, kind, ids, topic] = found;
  const query = new URLSearchParams(kind === "dm" || kind === "pm-with" ? { with: ids } : { channel: ids });
  if (topic !== undefined) query.set("topic", decodeURIComponent(topic.replaceAll(".", "%")));
  return `/messages/?${query}`;
}

window.addEventListener("hashchange", leadOn);
