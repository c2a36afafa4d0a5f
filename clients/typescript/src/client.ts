import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { clone, create, fromBinary, toBinary, type DescMethod, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { MemoryError } from "./errors.js";
import { healthyRoundRobin } from "./health.js";
import { MemoryService, type BatchStoreRequest, type StoreRequest } from "./generated/semantic_memory/v1/memory_service_pb.js";
import { Hits } from "./hits.js";
import type { MemoryClient, MethodCall } from "./methods.js";
import type { CallOptions } from "./options.js";
import { toCall } from "./requests.js";

/** Round robin over the healthy servers, and retries of UNAVAILABLE for all calls that are safe to repeat. */
const SERVICE_CONFIG = {
  ...JSON.parse(readFileSync(new URL("../../service_config.json", import.meta.url), "utf8")),
  loadBalancingConfig: [healthyRoundRobin],
};

export interface ConnectOptions {
  /**
   * PEM of the authorities to trust and, for mutual TLS, of the client's certificate and key. {} trusts the authorities of
   * Node. Default: plaintext.
   */
  tls?: { ca?: Buffer; certificate?: Buffer; key?: Buffer };
  /** Sent with each call as "authorization: Bearer <token>". Use TLS with it. */
  token?: string;
  /** The default deadline of a call. Default: 30 seconds. */
  timeoutMs?: number;
  /** Further options of grpc-js. */
  channel?: grpc.ChannelOptions;
}

/** Creates a client of the server at "host:port" or "dns:///host:port". The first call opens the connection. */
export function connect(address: string, options: ConnectOptions = {}): MemoryClient {
  const { tls, token, timeoutMs: defaultTimeoutMs = 30_000 } = options;
  const credentials = tls
    ? grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.certificate ?? null)
    : grpc.credentials.createInsecure();
  const client = new grpc.Client(address, credentials, {
    "grpc.service_config": JSON.stringify(SERVICE_CONFIG),
    "grpc.service_config_disable_resolution": 1,
    // By default, a name is looked up at most every 30 seconds, and a client may know only servers that have stopped.
    "grpc.dns_min_time_between_resolutions_ms": 1000,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.keepalive_permit_without_calls": 1,
    // Room for a hit whose context has only contents of maximum length.
    "grpc.max_receive_message_length": 16 * 2 ** 20,
    ...options.channel,
  });

  function callArguments<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>, { timeoutMs }: CallOptions) {
    const metadata = new grpc.Metadata();
    if (token) {
      metadata.set("authorization", `Bearer ${token}`);
    }
    return [
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<M["input"]>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<M["output"]>,
      withRequestIds(method, clone(method.input, create(method.input, request)) as MessageShape<M["input"]>),
      metadata,
      { deadline: Date.now() + (timeoutMs ?? defaultTimeoutMs) },
    ] as const;
  }

  function unary<M extends DescMethod>(method: M): MethodCall<M> {
    return (request, options = {}) =>
      new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(...callArguments(method, request, options), (error, response) => {
          options.signal?.removeEventListener("abort", cancel);
          return error ? reject(MemoryError.from(error)) : resolve(response!);
        });
        const cancel = cancelOn(options.signal, call);
      });
  }

  async function* stream<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>, options: CallOptions = {}) {
    const call = client.makeServerStreamRequest(...callArguments(method, request, options));
    call.on("error", () => {}); // The iterator throws it. After a cancellation nothing listens, and Node would exit.
    const cancel = cancelOn(options.signal, call);
    try {
      yield* call as AsyncIterable<MessageShape<M["output"]>>;
    } catch (error) {
      throw MemoryError.from(error as grpc.ServiceError);
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  const calls = MemoryService.methods.map((method: DescMethod) => [
    method.localName,
    async (first?: unknown, second?: object) => unary(method)(...toCall(method, first, second)),
  ]);
  const { search } = MemoryService.method;
  return {
    ...Object.fromEntries(calls),
    search: (first?: unknown, second?: object) => new Hits(stream(search, ...toCall(search, first, second))),
    unary,
    stream,
    close: () => client.close(),
  };
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel);
  if (signal?.aborted) {
    cancel();
  }
  return cancel;
}

/** Adds a request id to each memory that has no id. A retry of the store then creates no duplicate. */
function withRequestIds<T>(method: DescMethod, request: T): T {
  const { store, batchStore } = MemoryService.method;
  const memories =
    method === store ? [request as StoreRequest]
    : method === batchStore ? (request as BatchStoreRequest).memories
    : [];
  for (const memory of memories) {
    if (!memory.id && !memory.requestId) {
      memory.requestId = randomUUID();
    }
  }
  return request;
}
