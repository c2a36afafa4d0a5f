import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { create, fromBinary, toBinary, type DescMethod, type DescService } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { connect, ErrorReason, MemoryError, MemoryService, pack, unpack } from "../src/index.js";
import { BadRequestSchema, ErrorInfoSchema } from "../src/generated/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/generated/google/rpc/status_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../src/generated/grpc/health/v1/health_pb.js";

type Handlers = Record<string, (call: any, answer?: any) => void>;

/** A server with these handlers, and a client of it. */
async function serve(t: TestContext, handlers: Handlers, health: Handlers = {}) {
  const server = new grpc.Server();
  add(server, MemoryService, handlers);
  add(server, Health, { watch: (call) => call.write({ status: Serving.SERVING }), ...health });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  const client = connect(`127.0.0.1:${port}`, { token: "secret" });
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}

function add(server: grpc.Server, service: DescService, handlers: Handlers): void {
  const definition = ({ name, input, output, methodKind }: DescMethod) => ({
    path: `/${service.typeName}/${name}`,
    requestStream: false,
    responseStream: methodKind === "server_streaming",
    requestSerialize: (message: any) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(input, bytes),
    responseSerialize: (message: any) => Buffer.from(toBinary(output, create(output, message))),
    responseDeserialize: (bytes: Buffer) => fromBinary(output, bytes),
  });
  const used = service.methods.filter((method) => method.localName in handlers);
  server.addService(Object.fromEntries(used.map((one) => [one.localName, definition(one)])), handlers);
}

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

test("no call goes to a server that says it is not healthy", async (t) => {
  let toldAt = 0;
  const memories = await serve(
    t,
    { get: (_call, answer) => answer(null, {}) },
    {
      watch: (call) => {
        call.write({ status: Serving.NOT_SERVING });
        toldAt = Date.now();
        setTimeout(() => call.write({ status: Serving.SERVING }), 300);
      },
    },
  );
  await memories.get({});
  await new Promise((resolve) => setTimeout(resolve, 100));
  await memories.get({}); // it is retried until the server is well
  assert.ok(Date.now() - toldAt >= 300);
});

test("a wrong address is told in one line", async () => {
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
