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
  "#organization/organization-permissions": "/organization/policies/",
};

/** Go where the fragment of this page's address means, if it means something. */
export function leadOn() {
  const page = PAGES[window.location.hash.replace(/\/$/, "")];
  if (page) window.location.replace(page);
}

window.addEventListener("hashchange", leadOn);
