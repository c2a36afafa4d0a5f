// Remembers a conversation and asks across sessions: npm run example -- 127.0.0.1:50051
import { connect, Role } from "../src/index.js";

const memories = connect(process.argv[2] ?? "127.0.0.1:50051");
const userId = "noder";
for (const [sessionId, content] of [["monday", "We ship on Fridays"], ["tuesday", "My cat is called Miso"]] as const) {
  await memories.store({ userId, sessionId, role: Role.USER, content });
}
for await (const hit of memories.search({ queryText: "When do we release?", filter: { userId }, k: 1 })) {
  console.log(hit.score.toFixed(3), hit.memory?.sessionId, hit.memory?.content);
}
memories.close();
