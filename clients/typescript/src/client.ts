import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { clone, create, fromBinary, toBinary, type DescMethod, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { MemoryError } from "./errors.js";
import { healthyRoundRobin } from "./health.js";
import {
  BatchStoreRequestSchema,
  MemoryService,
  StoreRequestSchema,
  type Hit,
  type SearchResponse,
  type SearchSummary,
} from "./generated/semantic_memory/v1/memory_service_pb.js";

/** Round robin over healthy servers, and a retry of UNAVAILABLE for all calls that are safe to repeat. */
const SERVICE_CONFIG = {
  ...JSON.parse(readFileSync(new URL("../../service_config.json", import.meta.url), "utf8")),
  loadBalancingConfig: [healthyRoundRobin],
};

export interface ConnectOptions {
  /** PEM of the authorities to trust, and the client's own certificate and key; {} trusts the roots of Node. */
  tls?: { ca?: Buffer; certificate?: Buffer; key?: Buffer };
  /** Sent with each call as "authorization: Bearer <token>". Use TLS with it. */
  token?: string;
  /** For calls that give none. Default: 30 seconds. */
  timeoutMs?: number;
  /** What else grpc-js should know. */
  channel?: grpc.ChannelOptions;
}

export interface CallOptions {
  timeoutMs?: number;
  /** Ends the call, here and on the server. */
  signal?: AbortSignal;
}

type Methods = typeof MemoryService.method;
type Call<M extends DescMethod> = (
  request: MessageInitShape<M["input"]>,
  options?: CallOptions,
) => Promise<MessageShape<M["output"]>>;

/** The RPCs of MemoryService. Their errors are MemoryError. */
export type MemoryClient = { readonly [Name in Exclude<keyof Methods, "search">]: Call<Methods[Name]> } & {
  /** Hits, best first. Leaving the loop early ends the search on the server too. */
  search(request: MessageInitShape<Methods["search"]["input"]>, options?: CallOptions): Hits;
  /** Any RPC that this server answers, such as those of health checking. */
  unary<M extends DescMethod>(method: M): Call<M>;
  stream<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    options?: CallOptions,
  ): AsyncGenerator<MessageShape<M["output"]>, void>;
  close(): void;
};

/** The hits of one search, to be iterated once. */
export class Hits implements AsyncIterable<Hit> {
  /** What the search did; there after the last hit. */
  summary: SearchSummary | undefined;

  constructor(private readonly responses: AsyncIterable<SearchResponse>) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Hit, void> {
    for await (const response of this.responses) {
      this.summary = response.summary;
      yield* response.hits;
    }
  }
}

/** A client of the server at this address, "host:port" or "dns:///host:port". The first call makes the connection. */
export function connect(address: string, options: ConnectOptions = {}): MemoryClient {
  const { tls, token, timeoutMs: defaultTimeoutMs = 30_000 } = options;
  const credentials = tls
    ? grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.certificate ?? null)
    : grpc.credentials.createInsecure();
  const client = new grpc.Client(address, credentials, {
    "grpc.service_config": JSON.stringify(SERVICE_CONFIG),
    "grpc.service_config_disable_resolution": 1,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.keepalive_permit_without_calls": 1,
    // A hit whose whole context is of the longest contents.
    "grpc.max_receive_message_length": 16 * 2 ** 20,
    ...options.channel,
  });

  function parts<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>, { timeoutMs }: CallOptions) {
    const metadata = new grpc.Metadata();
    if (token) {
      metadata.set("authorization", `Bearer ${token}`);
    }
    return [
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<M["input"]>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<M["output"]>,
      repeatable(method, clone(method.input, create(method.input, request)) as MessageShape<M["input"]>),
      metadata,
      { deadline: Date.now() + (timeoutMs ?? defaultTimeoutMs) },
    ] as const;
  }

  function unary<M extends DescMethod>(method: M): Call<M> {
    return (request, options = {}) =>
      new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(...parts(method, request, options), (error, response) => {
          options.signal?.removeEventListener("abort", cancel);
          return error ? reject(MemoryError.from(error)) : resolve(response!);
        });
        const cancel = cancelOn(options.signal, call);
      });
  }

  async function* stream<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>, options: CallOptions = {}) {
    const call = client.makeServerStreamRequest(...parts(method, request, options));
    call.on("error", () => {}); // the iterator throws it; after a cancellation nobody waits for it
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

  const calls = Object.fromEntries(MemoryService.methods.map((method) => [method.localName, unary(method)]));
  return {
    ...calls,
    search: (request, options) => new Hits(stream(MemoryService.method.search, request, options)),
    unary,
    stream,
    close: () => client.close(),
  } as MemoryClient;
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel);
  if (signal?.aborted) {
    cancel();
  }
  return cancel;
}

/** Gives each memory to be stored a request id, unless it has an id: what makes a retry of Store safe. */
function repeatable<T>(method: DescMethod, request: T): T {
  const { store, batchStore } = MemoryService.method;
  const memories =
    method === store ? [request as MessageShape<typeof StoreRequestSchema>]
    : method === batchStore ? (request as MessageShape<typeof BatchStoreRequestSchema>).memories
    : [];
  for (const memory of memories) {
    if (!memory.id && !memory.requestId) {
      memory.requestId = randomUUID();
    }
  }
  return request;
}
