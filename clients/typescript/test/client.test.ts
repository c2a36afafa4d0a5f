import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { connect, ErrorReason, MemoryError, pack, unpack } from "../src/index.js";
import { BadRequestSchema, ErrorInfoSchema } from "../src/generated/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/generated/google/rpc/status_pb.js";
import { HealthCheckResponse_ServingStatus as Serving } from "../src/generated/grpc/health/v1/health_pb.js";
import { serve } from "./server.js";

test("a Store is retried under one request id, with the token and a deadline", async (t) => {
  const calls: any[] = [];
  const memories = await serve(t, {
    store: (call, answer) => {
      calls.push(call);
      answer(calls.length < 3 ? { code: grpc.status.UNAVAILABLE, details: "not yet" } : null, { id: "1" });
    },
  });
  assert.equal((await memories.store({ userId: "u" })).id, "1");
  assert.equal(calls.length, 3);
  assert.ok(calls[0].request.requestId);
  assert.equal(calls[2].request.requestId, calls[0].request.requestId);
  assert.deepEqual(calls[2].metadata.get("authorization"), ["Bearer secret"]);
  assert.ok(calls[0].getDeadline() - Date.now() <= 30_000);
});

test("leaving the loop ends the search on the server", async (t) => {
  let cancelled: Promise<unknown> | undefined;
  const memories = await serve(t, {
    search: (call) => {
      cancelled = once(call, "cancelled");
      call.write({ hits: [{ score: 1 }] });
    },
  });
  for await (const hit of memories.search({})) {
    assert.equal(hit.score, 1);
    break;
  }
  await cancelled;
});

test("a signal ends a call", async (t) => {
  const memories = await serve(t, { get: () => {} });
  const error: MemoryError = await memories.get({}, { signal: AbortSignal.timeout(50) }).catch((error) => error);
  assert.equal(error.code, grpc.status.CANCELLED);
});

test("errors are typed", async (t) => {
  const details = [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "INVALID_REQUEST", metadata: { a: "b" } })),
    anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: [{ field: "id", reason: "string.max_bytes" }] })),
  ];
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, create(StatusSchema, { details }))));
  const refusal = { code: grpc.status.INVALID_ARGUMENT, details: "id: too long", metadata };
  const memories = await serve(t, { get: (_call, answer) => answer(refusal) });
  const error: MemoryError = await memories.get({}).catch((error) => error);
  assert.ok(error instanceof MemoryError);
  assert.equal(error.message, "INVALID_ARGUMENT INVALID_REQUEST: id: too long");
  assert.equal(error.reason, ErrorReason.INVALID_REQUEST);
  assert.deepEqual(error.metadata, { a: "b" });
  assert.equal(error.violations[0]?.rule, "string.max_bytes");
});

test("no call goes to an unhealthy server", async (t) => {
  let notServingAt = 0;
  const memories = await serve(
    t,
    { get: (_call, answer) => answer(null, {}) },
    {
      watch: (call) => {
        call.write({ status: Serving.NOT_SERVING });
        notServingAt = Date.now();
        setTimeout(() => call.write({ status: Serving.SERVING }), 300);
      },
    },
  );
  await memories.get({});
  await new Promise((resolve) => setTimeout(resolve, 100));
  await memories.get({}); // retried until the server is healthy
  assert.ok(Date.now() - notServingAt >= 300);
});

test("the error for a wrong address is one line", async () => {
  const memories = connect("127.0.0.1:1");
  const error: MemoryError = await memories.listIndexes({}).catch((error) => error);
  assert.match(error.message, /^UNAVAILABLE: .*127\.0\.0\.1:1.*$/);
  memories.close();
});

test("embeddings keep their bits", () => {
  const given = [2 ** -149, -0, 3.4028234663852886e38, 1];
  assert.deepEqual([...unpack(pack(given))], given);
  assert.throws(() => unpack(new Uint8Array(1)), RangeError);
});
