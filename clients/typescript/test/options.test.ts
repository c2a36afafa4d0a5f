import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { create, toJson, type DescMethod, type JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { MemoryFilterSchema, MemoryService, pack, Role, type MemoryClient } from "../src/index.js";
import { serve } from "./server.js";

const eight = new Date("2026-01-01T08:00:00Z");
type Send = (memories: MemoryClient) => Promise<unknown>;

/** A client of a server that answers every RPC, and the requests that it received. */
async function record(t: TestContext): Promise<[MemoryClient, JsonValue[]]> {
  const received: JsonValue[] = [];
  const handler = ({ localName, input }: DescMethod) => {
    const handle = (call: any, answer?: any) => {
      received.push(toJson(input, call.request));
      return answer ? answer(null, {}) : call.end();
    };
    return [localName, handle];
  };
  return [await serve(t, Object.fromEntries(MemoryService.methods.map(handler))), received];
}

async function drain(hits: AsyncIterable<unknown>): Promise<void> {
  for await (const hit of hits) {
    assert.fail(String(hit));
  }
}

const SENT: [string, Send, JsonValue][] = [
  [
    "store",
    (memories) =>
      memories.store("We ship on Fridays", {
        index: "notes",
        userId: "me",
        sessionId: "monday",
        role: "user",
        timestamp: eight,
        id: "m",
        ttlMs: 86_400_005,
        embedding: [1, 0.5],
        embeddingModel: "own",
        labels: ["a", "b"],
        metadata: { key: "value" },
        nearDuplicateMinScore: 0,
      }),
    {
      index: "notes",
      userId: "me",
      sessionId: "monday",
      role: "ROLE_USER",
      content: "We ship on Fridays",
      timestamp: "2026-01-01T08:00:00Z",
      id: "m",
      ttl: "86400.005s",
      embedding: Buffer.from(pack([1, 0.5])).toString("base64"),
      embeddingModel: "own",
      labels: ["a", "b"],
      metadata: { key: "value" },
      nearDuplicateMinScore: 0,
    },
  ],
  [
    "store, with the types of messages",
    (memories) => memories.store("x", { role: Role.TOOL, requestId: "r", expireTime: timestampFromDate(eight), embedding: pack([1]) }),
    { content: "x", role: "ROLE_TOOL", requestId: "r", expireTime: "2026-01-01T08:00:00Z", embedding: "AACAPw==" },
  ],
  [
    "batchStore",
    (memories) => memories.batchStore([{ content: "x", id: "1", role: "tool" }], { index: "notes" }),
    { index: "notes", memories: [{ content: "x", id: "1", role: "ROLE_TOOL" }] },
  ],
  [
    "search",
    (memories) => drain(memories.search("When do we release?", { userId: "me", k: 5 })),
    { queryText: "When do we release?", filter: { userId: "me" }, k: 5 },
  ],
  [
    "search, with all kinds of options",
    (memories) =>
      drain(
        memories.search("x", {
          queryEmbedding: Float32Array.of(1),
          mode: "hybrid",
          k: 0,
          minScore: 0,
          recency: { halfLifeMs: 86_400_000, weight: 0.5 },
          context: { before: 1, after: 2 },
          consistency: "partial",
          excludeIds: ["m"],
          sessionIds: ["monday"],
          roles: ["user", Role.TOOL],
          startTime: eight,
          textWeight: undefined,
        }),
      ),
    {
      queryText: "x",
      queryEmbedding: "AACAPw==",
      mode: "SEARCH_MODE_HYBRID",
      k: 0,
      minScore: 0,
      recency: { halfLife: "86400s", weight: 0.5 },
      context: { before: 1, after: 2 },
      consistency: "CONSISTENCY_PARTIAL",
      excludeIds: ["m"],
      filter: { sessionIds: ["monday"], roles: ["ROLE_USER", "ROLE_TOOL"], startTime: "2026-01-01T08:00:00Z" },
    },
  ],
  [
    "search, with a filter as a message",
    (memories) => drain(memories.search("x", { filter: create(MemoryFilterSchema, { allUsers: true }) })),
    { queryText: "x", filter: { allUsers: true } },
  ],
  [
    "list",
    (memories) => memories.list({ userId: "me", order: "newest_first", pageSize: 9, timeoutMs: 5000 }),
    { filter: { userId: "me" }, order: "LIST_ORDER_NEWEST_FIRST", pageSize: 9 },
  ],
  ["list, without options", (memories) => memories.list(), { filter: {} }],
  ["list, as a request", (memories) => memories.list({ filter: { userId: "me" } }, {}), { filter: { userId: "me" } }],
  ["get", (memories) => memories.get("m", { userId: "me" }), { userId: "me", id: "m" }],
  ["delete of one", (memories) => memories.delete("m", { userId: "me" }), { userId: "me", ids: ["m"] }],
  ["delete", (memories) => memories.delete(["m", "n"], { allUsers: true }), { allUsers: true, ids: ["m", "n"] }],
  [
    "deleteMatching",
    (memories) => memories.deleteMatching({ userId: "me", anyLabels: ["a"], dryRun: true }),
    { filter: { userId: "me", anyLabels: ["a"] }, dryRun: true },
  ],
  [
    "ensureIndex",
    (memories) => memories.ensureIndex("notes", { dimension: 3, algorithms: ["flat"], layout: "hash" }),
    { index: "notes", dimension: 3, algorithms: ["ALGORITHM_FLAT"], layout: "LAYOUT_HASH" },
  ],
  ["ensureIndex of the default index", (memories) => memories.ensureIndex(), {}],
  ["listIndexes", (memories) => memories.listIndexes(), {}],
  ["getIndex", (memories) => memories.getIndex("notes"), { index: "notes" }],
  ["dropIndex", (memories) => memories.dropIndex("notes", { deleteMemories: true }), { index: "notes", deleteMemories: true }],
];

for (const [name, send, expected] of SENT) {
  test(`options of ${name} are the fields of the request`, async (t) => {
    const [memories, received] = await record(t);
    await send(memories);
    assert.deepEqual(received, [expected]);
  });
}

const WRONG: [(memories: any) => unknown, string][] = [
  [(memories) => memories.get("m", { usrId: "me" }), "usrId is not a field of GetRequest: use one of allUsers, id, index, userId"],
  [(memories) => memories.search("x", { k: -1 }), "k is -1: it must be a non-negative integer"],
  [(memories) => memories.search("x", { k: "5" }), 'k is "5": it must be a non-negative integer'],
  [(memories) => memories.search("x", { mode: "fuzzy" }), 'mode is "fuzzy": use one of "vector", "text", "hybrid"'],
  [(memories) => memories.search("x", { sessionIds: [1] }), "sessionIds[0] is 1: it must be a string"],
  [(memories) => memories.search("x", { context: { befor: 1 } }), "context.befor is not a field of ContextSize: use one of after, before"],
  [(memories) => memories.search("x", { context: 2 }), "context is 2: it must be an object"],
  [(memories) => memories.search("x", { allowDegraded: 1 }), "allowDegraded is 1: it must be a boolean"],
  [(memories) => memories.search("x", { filter: {}, userId: "me" }), "filter and userId are both set: use one of them"],
  [(memories) => memories.search("x", { queryText: "y" }), "queryText is set twice: pass it only as the first argument"],
  [(memories) => memories.list("me"), 'the first argument of list is "me": pass an object'],
  [(memories) => memories.store(5), "the first argument of store is 5: pass content"],
  [(memories) => memories.store("x", { role: "users" }), 'role is "users": use one of "user", "assistant", "system", "tool"'],
  [(memories) => memories.store("x", { timestamp: 5 }), "timestamp is 5: it must be a valid Date or a Timestamp"],
  [(memories) => memories.store("x", { ttlMs: "1h" }), 'ttlMs is "1h": it must be a number of milliseconds'],
  [(memories) => memories.store("x", { ttlMs: 1, expireTime: eight }), "ttlMs and expireTime are both set: use one of them"],
  [(memories) => memories.store("x", { embedding: ["a"] }), 'embedding is ["a"]: it must be an array of numbers, a Float32Array or a Uint8Array'],
  [(memories) => memories.store("x", { metadata: { a: 1 } }), 'metadata is {"a":1}: it must be an object of strings'],
  [
    (memories) => memories.batchStore([{ ttlMs: 1, expireTime: eight }]),
    "memories[0].ttlMs and memories[0].expireTime are both set: use one of them",
  ],
  [(memories) => memories.batchStore([{ role: "none" }]), 'memories[0].role is "none": use one of "user", "assistant", "system", "tool"'],
];

for (const [send, message] of WRONG) {
  test(`a wrong option is named: ${message}`, async (t) => {
    const [memories] = await record(t);
    await assert.rejects(async () => send(memories), { name: "TypeError", message });
  });
}
