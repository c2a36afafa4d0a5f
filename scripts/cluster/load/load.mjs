// Calls the service for some seconds and prints a JSON line for each call: node load.mjs ADDRESS CA TOKEN SECONDS
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../../clients/typescript/dist/src/index.js";

const [address, ca, token, seconds] = process.argv.slice(2);
const memories = connect(address, { tls: { ca: readFileSync(ca) }, token, timeoutMs: 10_000 });
const end = Date.now() + Number(seconds) * 1000;

async function call(operation, userId, count) {
  if (operation === "store") {
    await memories.store(`note ${count} of ${userId}`, { userId, sessionId: "load", role: "user" });
    return;
  }
  for await (const _ of memories.search("which note?", { userId })) {
    // Only the end of the stream matters.
  }
}

async function repeat(userId) {
  for (let count = 1; Date.now() < end; count++) {
    const began = Date.now();
    const operation = count % 4 === 0 ? "store" : "search";
    let error = null;
    try {
      await call(operation, userId, count);
    } catch (failure) {
      error = failure.message;
    }
    const took = Date.now() - began;
    console.log(JSON.stringify({ at: began / 1000, operation, seconds: took / 1000, error }));
    await sleep(Math.max(0, 200 - took));
  }
}

await Promise.all([0, 1, 2].map((task) => repeat(`typescript-${task}`)));
memories.close();
