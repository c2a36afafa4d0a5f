// Stores two messages of different sessions and searches them: npm run example -- 127.0.0.1:50051
import { connect } from "../src/index.js";

const memories = connect(process.argv[2] ?? "127.0.0.1:50051");
const userId = "noder";
await memories.store("We ship on Fridays", { userId, sessionId: "monday", role: "user" });
await memories.store("My cat is called Miso", { userId, sessionId: "tuesday", role: "user" });
for await (const hit of memories.search("When do we release?", { userId, k: 1 })) {
  console.log(hit.score.toFixed(3), hit.memory?.sessionId, hit.memory?.content);
}
memories.close();
