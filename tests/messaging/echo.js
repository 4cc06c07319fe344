// A bot on zulip-js: it repeats what it is told, and uses the rest of the client while it is at it.
const zulip = require("zulip-js");

(async () => {
  const client = await zulip({ zuliprc: process.argv[2] });
  const me = await client.users.me.getProfile();
  await client.callOnEachEvent(async (event) => {
    const message = event.message;
    if (!message || message.sender_id === me.user_id) return;
    const answers = [
      await client.messages.send({ type: "private", to: [message.sender_id], content: `js: ${message.content}` }),
      await client.reactions.add({ message_id: message.id, emoji_name: "tada" }),
      await client.messages.flags.add({ messages: [message.id], flag: "read" }),
      await client.messages.retrieve({ anchor: "newest", num_before: 5, num_after: 0, narrow: [["is", "dm"]] }),
      await client.messages.render("*x*"),
      await client.streams.retrieve(),
      await client.streams.getStreamId("general"),
      await client.streams.topics.retrieve({ stream_id: 1 }),
      await client.streams.subscriptions.retrieve(),
      await client.users.me.subscriptions.add({ subscriptions: JSON.stringify([{ name: "from js" }]) }),
      await client.typing.send({ to: [message.sender_id], op: "start" }),
      await client.emojis.retrieve(),
      await client.filters.retrieve(),
    ];
    console.log(JSON.stringify(answers.map((answer) => answer.result + answer.msg)));
  }, ["message"]);
})();
