// Asks a server with zulip-js and prints what it said, as JSON: by the zuliprc that is named, and by name and password.
const zulip = require("zulip-js");

async function main() {
  const [zuliprc, realm, username, password] = process.argv.slice(2);
  const byFile = await zulip({ zuliprc });
  const byPassword = await zulip({ username, password, realm });
  const said = {
    fromFile: await byFile.users.me.getProfile(),
    fromPassword: await byPassword.users.me.getProfile(),
    settings: await byFile.server.settings(),
    members: await byFile.users.retrieve({ client_gravatar: true }),
    made: await byFile.callEndpoint("/bots", "POST", { full_name: "From JavaScript", short_name: "js" }),
    regenerated: await byFile.callEndpoint("/users/me/api_key/regenerate", "POST", {}),
  };
  said.afterwards = await byFile.users.me.getProfile();
  console.log(JSON.stringify(said));
}

main();
