// Asks a server with zulip-js and prints what it said, as JSON: by two zuliprc files, the second with a named key, and by
// name and password.
const zulip = require("zulip-js");

async function main() {
  const [zuliprc, named, realm, username, password] = process.argv.slice(2);
  const byFile = await zulip({ zuliprc });
  const byNamedKey = await zulip({ zuliprc: named });
  const byPassword = await zulip({ username, password, realm });
  const said = {
    fromFile: await byFile.users.me.getProfile(),
    fromPassword: await byPassword.users.me.getProfile(),
    settings: await byFile.server.settings(),
    members: await byFile.users.retrieve({ client_gravatar: true }),
    sent: await byNamedKey.messages.send({ type: "stream", to: "general", topic: "keys", content: "by a named key" }),
    refused: await byNamedKey.callEndpoint("/bots", "GET", {}),
    made: await byFile.callEndpoint("/bots", "POST", { full_name: "From JavaScript", short_name: "js" }),
    regenerated: await byFile.callEndpoint("/users/me/api_key/regenerate", "POST", {}),
  };
  said.afterwards = await byFile.users.me.getProfile();
  console.log(JSON.stringify(said));
}

main();
