// Runs the cases on standard input and prints the result of each call: see clients/conformance.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fromJson, toJson, type DescMethod, type JsonValue, type Message } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { connect, MemoryError, MemoryService, pack, unpack, type Hits, type MemoryClient } from "../src/index.js";
import { ErrorReasonSchema, FieldViolationSchema, HitSchema, SearchSummarySchema } from "../src/index.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../src/generated/grpc/health/v1/health_pb.js";
import { optionArguments } from "./options.js";

interface Call {
  rpc?: string;
  health?: "Check" | "Watch";
  service?: string;
  request?: JsonValue;
  pack?: string[];
  timeout?: number;
  pause?: number;
  take?: number;
}

type Form = "message" | "keywords";

interface Case {
  name: string;
  form: Form;
  connect: { address: string; ca?: string; certificate?: string; key?: string; token?: string };
  calls: Call[];
}

async function run(client: MemoryClient, call: Call, form: Form): Promise<object> {
  await setTimeout((call.pause ?? 0) * 1000);
  const options = call.timeout ? { timeoutMs: call.timeout * 1000 } : {};
  const hits: JsonValue[] = [];
  const statuses: string[] = [];
  try {
    if (call.pack) {
      const packed = pack(floats(call.pack));
      return { packed: Buffer.from(packed).toString("hex"), unpacked: bits(unpack(packed)) };
    }
    if (call.health === "Check") {
      const answer = await client.unary(Health.method.check)({ service: call.service ?? "" }, options);
      return { statuses: [Serving[answer.status]] };
    }
    if (call.health === "Watch") {
      for await (const answer of client.stream(Health.method.watch, { service: call.service ?? "" }, options)) {
        if (statuses.push(Serving[answer.status]) === call.take) break;
      }
      return { statuses };
    }
    const method: DescMethod = MemoryService.methods.find((one) => one.name === call.rpc)!;
    const request = fromJson(method.input, packEmbeddings(call.request!));
    const [first, second] = form === "keywords" ? optionArguments(method.name, method.input, request) : [request];
    const callMethod = (client as unknown as Record<string, (first: unknown, options: object) => unknown>)[method.localName]!;
    const result = callMethod(first, { ...(second as object), ...options });
    if (call.rpc === "Search") {
      const found = result as Hits;
      for await (const hit of found) {
        if (hits.push(toJson(HitSchema, hit)) === call.take) break;
      }
      return { hits, summary: found.summary ? toJson(SearchSummarySchema, found.summary) : {} };
    }
    return { response: toJson(method.output, (await result) as Message) };
  } catch (error) {
    return { hits, statuses, error: errorFields(error) };
  }
}

function errorFields(error: unknown): object {
  if (!(error instanceof MemoryError)) {
    return { text: String(error) };
  }
  return {
    code: status[error.code],
    reason: ErrorReasonSchema.value[error.reason]!.name,
    text: error.message,
    metadata: error.metadata,
    violations: error.violations.map((one) => toJson(FieldViolationSchema, one)),
    retryDelay: (error.retryDelayMs ?? 0) / 1000,
  };
}

/** Replaces each {"float32": [bits]} by its packed bytes, which JSON has in base64. */
function packEmbeddings(value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    return value.map(packEmbeddings);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  if (value["float32"]) {
    return Buffer.from(pack(floats(value["float32"] as string[]))).toString("base64");
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, packEmbeddings(one)]));
}

function floats(texts: string[]): Float32Array {
  return new Float32Array(Uint32Array.from(texts, (text) => parseInt(text, 16)).buffer);
}

function bits(numbers: Float32Array): string[] {
  return Array.from(new Uint32Array(numbers.buffer), (number) => number.toString(16).padStart(8, "0"));
}

const file = (path?: string) => (path ? readFileSync(path) : undefined);

for (const { name, form, connect: to, calls } of JSON.parse(readFileSync(0, "utf8")) as Case[]) {
  const { address, token } = to;
  const tls = { ca: file(to.ca), certificate: file(to.certificate), key: file(to.key) };
  const client = connect(address, { token, tls: to.ca ? tls : undefined });
  const results: object[] = [];
  for (const call of calls) {
    results.push(await run(client, call, form));
  }
  client.close();
  process.stdout.write(JSON.stringify({ name, results }) + "\n");
}
